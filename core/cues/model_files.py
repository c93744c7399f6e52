# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the data files of the cue predictors: arrays out of .npz, nothing executed.

Every way in which a file can be missing or damaged ends in one `ModelFileError` sentence.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

#: What zipfile, zlib and numpy raise on damaged archives and array headers.
_DAMAGE = (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def mediapipe_dir() -> Path:
    """The converted MediaPipe files that come with this package."""
    return Path(__file__).resolve().parents[2] / "vendor" / "mediapipe"


def damaged(path: Path, detail: object) -> ModelFileError:
    """The one sentence for a file whose content is not what it should be."""
    return ModelFileError(f"The model file {path} is damaged ({detail}); reinstall Pixel3DMM.")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name.

    Raises `ModelFileError` if the file is missing, unreadable, no .npz or damaged.
    """
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise damaged(path, "not an .npz archive")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise ModelFileError(f"The model file {path} is missing; reinstall Pixel3DMM.") from error
    except OSError as error:
        raise ModelFileError(
            f"The model file {path} cannot be read ({error.strerror or error}); "
            "check its permissions or reinstall Pixel3DMM."
        ) from error
    except _DAMAGE as error:
        raise damaged(path, error) from error
