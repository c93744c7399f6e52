# SPDX-License-Identifier: GPL-3.0-or-later
"""A head's fit goes on: under pins, with further photos, or made once more from its recipe."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import PhotoError
from ...core.fitting.pins import Pin
from ...core.reconstruct.continuation import pins_to_json
from ...core.rigged_head import RiggedHead
from ..photos.loading import HeadPhoto, loading
from . import session
from .job import Progress
from .outcome import Change, Outcome
from .reconstruction import ReconstructionRun
from .run import Run, read_head, result_path, warnings_of
from .scratch import PrivateFolder


class RefitRun(Run[Change]):
    """A head's fit goes on: under pins, and with further photos if there are paths."""

    def __init__(
        self,
        continuation: str,
        pins: Sequence[Pin],
        paths: Sequence[Path] = (),
        options: dict[str, Any] | None = None,
        earlier: Sequence[HeadPhoto | None] = (),
    ) -> None:
        """continuation: JSON of core.reconstruct.continuation. earlier: its photos, in its order,
        as far as they are at hand; the further ones are compared with them.
        """
        super().__init__(paths[0] if paths else Path(), options)
        self._continuation, self._pins, self._paths = continuation, list(pins), list(paths)
        self._earlier = list(earlier) if paths else []

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Change]:
        """As StepwiseWork.steps."""
        with PrivateFolder() as scratch:
            photos, out = [], scratch.path / "out"
            out.mkdir()
            loaded, earlier = [], []
            if self._paths:
                yield Progress("Reading the photo", 0.0)
                session.warm_up()
                # The new photos come last: the last one stays remembered.
                for i, photo in enumerate(self._earlier):
                    earlier.append((yield from self._pixels(photo, scratch.path, i, wait)))
                for i, path in enumerate(self._paths):
                    photos.append(scratch.path / f"photo-{i}.npz")
                    loaded.append((yield from self._photo(loading(path, photos[i]), wait)))
            params: dict[str, Any] = {
                "continuation": self._continuation,
                "pins": pins_to_json(self._pins),
                "photos": list(map(str, photos)),
                "earlier": earlier,
                "options": self.options,
                "out": str(out),
            }
            # A drag after a drag: what stands in the scene is what came last.
            last = session.last_refit
            before = last if last is not None and self._made_by(last) else None
            params["before"] = before is None
            result = yield from self._ask("refit", params, scratch, wait)
            after = yield from read_head(result_path(result, "after", out), wait)
            if before is None:
                before = yield from read_head(result_path(result, "before", out), wait)
        session.last_refit = after
        return Change(after, before, tuple(loaded), warnings_of(result))

    def _made_by(self, last: RiggedHead) -> bool:
        """Whether a head is what this run goes on from, on the same mesh."""
        mesh = str(last.recipe.get("head_mesh", {}).get("sha256", ""))
        asked = Path(self.options.get("head_mesh", "")).stem
        same = asked.endswith(mesh[:16]) if mesh else not asked
        return same and last.continuation_json == self._continuation

    def _pixels(
        self, photo: HeadPhoto | None, folder: Path, number: int, wait: float
    ) -> Generator[None, None, str | None]:
        """The file in which an earlier photo's pixels are; None where it cannot be read, which is
        said with the result.
        """
        if photo is None:
            return None
        target = folder / f"earlier-{number}.npz"
        if isinstance(photo.source, bytes):
            # Any ending will do: pictures are known by their first bytes.
            path = folder / f"earlier-{number}.jpg"
            path.write_bytes(photo.source)
        else:
            path = photo.source
        try:
            yield from self._photo(loading(path, target, photo.sha256), wait)
        except PhotoError:
            return None
        return str(target)


class RebuildRun(ReconstructionRun):
    """The photo and its recipe's options once more; a fit that went on is made from what the head
    keeps of it.
    """

    def __init__(
        self,
        path: Path,
        options: dict[str, Any],
        continuation: str = "",
        pins: Sequence[Pin] = (),
    ) -> None:
        """continuation: as in RefitRun, of a head that was refined under these pins."""
        super().__init__(path, options)
        self._continuation, self._pins = continuation, list(pins)

    def steps(self, wait: float = 0.0) -> Generator[Progress | None, None, Outcome]:
        """As StepwiseWork.steps."""
        outcome = yield from super().steps(wait)
        if not self._continuation:
            return outcome
        head = {k: v for k, v in self.options.items() if k in ("head", "head_mesh")}
        change = yield from RefitRun(self._continuation, self._pins, options=head).steps(wait)
        warnings = tuple(dict.fromkeys((*outcome.warnings, *change.warnings)))
        # A fit that goes on paints no skin: it has that of the first one, as in the old head.
        first, then = outcome.rigged, change.before
        painted = {
            f.name: getattr(first, f.name)
            for f in fields(first)
            if f.name.startswith(("skin_", "eye_")) and np.size(getattr(first, f.name))
        }
        return replace(outcome, rigged=replace(then, **painted), warnings=warnings)
