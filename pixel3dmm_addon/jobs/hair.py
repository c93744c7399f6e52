# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of the worker's job "hair": arrays there and back through a private folder."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import WorkerError
from ...core.files.npz import read_npz
from .job import SEE_LOG, Progress
from .run import Run, result_path
from .scratch import PrivateFolder

_MOST_BYTES = 200 << 20
FIELDS = ("hair_guides", "hair_root_triangle", "hair_root_place", "hair_density", "hair_strands",
          "hair_uv", "hair_json")  # fmt: skip


class HairRun(Run[dict[str, Any]]):
    """Ends with the fields of RiggedHead that hold hair."""

    def __init__(
        self,
        name: str,
        arrays: dict[str, np.ndarray],
        text: str,
        style: str,
        adjust: dict[str, float],
        head: str,
    ) -> None:
        """arrays: the job's source; text: the hair's JSON; head: as Options.head."""
        super().__init__(Path(name), {"head": head})
        self._arrays, self._text, self._style, self._adjust = arrays, text, style, adjust

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, dict[str, Any]]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            source = scratch.path / "source.npz"
            np.savez(source, **self._arrays)  # type: ignore[arg-type]
            params = {
                "source": str(source),
                "hair": self._text,
                "style": self._style,
                "adjust": self._adjust,
                "options": self.options,
                "out": str(scratch.path),
            }
            result = yield from self._ask("hair", params, scratch, wait)
            path = result_path(result, "hair", scratch.path)
            try:
                found = read_npz(path, _MOST_BYTES, FIELDS)
                fields: dict[str, Any] = {name: found[name] for name in FIELDS}
            except (OSError, ValueError, KeyError) as error:
                raise WorkerError(
                    f"The reconstruction process named no result: {SEE_LOG}"
                ) from error
            fields["hair_json"] = str(fields["hair_json"].item())
            return fields
