# SPDX-License-Identifier: GPL-3.0-or-later
"""PhotoMatches: places in two photos of one person that show the same points of the skin.

They are the one cue that no predictor's idea of a face has touched: two photos from two sides
measure depth as two eyes do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError

Array = NDArray[np.float64]

#: More between two photos say nothing new, since neighbours err alike.
MOST = 400


@dataclass(frozen=True, eq=False)
class PhotoMatches:
    """first, second: the photos' numbers; at_first (n, 2) and at_second (n, 2): pixels, the centre
    of the top-left one at (0.5, 0.5). How unsure a match is stands in the first photo, covariance
    (n, 2, 2) in pixels squared, and in the second, spread_second: standard deviation in pixels.
    """

    first: int
    second: int
    at_first: Array
    at_second: Array
    covariance: Array
    spread_second: float

    def __post_init__(self) -> None:
        """Raises FitError for what is no set of matches."""
        n = len(self.at_first)
        values = (self.at_first, self.at_second, self.covariance, np.array(self.spread_second))
        if (
            self.first == self.second
            or [v.shape for v in values] != [(n, 2), (n, 2), (n, 2, 2), ()]
            or not all(np.isfinite(v).all() for v in values)
            or not self.spread_second > 0
            or not (np.linalg.eigvalsh(self.covariance) > 0).all()
        ):
            raise FitError("The matches between two photos are damaged.")

    @property
    def count(self) -> int:
        """n."""
        return len(self.at_first)

    def standing_for_all(self, which: NDArray[np.bool_]) -> PhotoMatches:
        """Some of the matches, which are to say as much as all of them do."""
        share = float(which.mean())
        some = self.only(which)
        spread = self.spread_second * share**0.5
        return replace(some, covariance=share * some.covariance, spread_second=spread)

    def only(self, which: NDArray[np.bool_]) -> PhotoMatches:
        """Some of the matches, by a mask (n,)."""
        return replace(
            self,
            at_first=self.at_first[which],
            at_second=self.at_second[which],
            covariance=self.covariance[which],
        )
