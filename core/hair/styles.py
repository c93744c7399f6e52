# SPDX-License-Identifier: GPL-3.0-or-later
"""What hairdressers know: how long hair is where, which way it is combed, how it curls.

A style says what a photo leaves open, the back of the head above all. Metres and head frame.
"""

from __future__ import annotations

from dataclasses import dataclass

NONE = "none"
PHOTO = "photo"


@dataclass(frozen=True)
class Style:
    """top, side, back: lengths of hair, metres; floor: height below the skull's centre at which
    hanging hair is cut, 0 for none; volume: how far hair stands off the skull on top, at the sides
    and at the back; comb: direction (x, y, z) in which hair on top lies; parting: x of the line
    from which it falls to both sides, None without; aside: strength of that; opening: azimuth in
    degrees within which the face is free; fringe: height over the skull's centre down to which
    hair covers the forehead, None without; lift: how steeply hair leaves the skin, 1 is upright;
    curl, wave: radius and length of a turn, metres; frizz: metres by which single strands stray;
    clump: how far strands join into locks; gathered: hair is pulled to one point at the back.
    """

    top: float
    side: float
    back: float
    floor: float = 0.0
    volume: tuple[float, float, float] = (0.015, 0.01, 0.012)
    comb: tuple[float, float, float] = (0.0, 0.0, 1.0)
    parting: float | None = None
    aside: float = 1.0
    opening: float = 58.0
    fringe: float | None = None
    lift: float = 0.5
    curl: float = 0.0
    wave: float = 0.05
    frizz: float = 0.0015
    clump: float = 0.55
    gathered: bool = False

    @property
    def hangs(self) -> bool:
        """Whether it is long enough to hang below the ears."""
        return self.floor > 0


STYLES: dict[str, Style] = {
    "shaved": Style(0.0018, 0.0016, 0.0016, volume=(0.002, 0.002, 0.002), lift=0.8,
                    frizz=0.0, clump=0.0),
    "buzz": Style(0.009, 0.005, 0.005, volume=(0.008, 0.005, 0.005), lift=0.75,
                  frizz=0.0005, clump=0.1),
    "short": Style(0.045, 0.02, 0.022, volume=(0.022, 0.010, 0.012), comb=(0.3, 0.15, 0.8),
                   lift=0.75, clump=0.6),
    "side_part": Style(0.085, 0.03, 0.03, volume=(0.026, 0.011, 0.013), comb=(0.0, 0.0, -0.45),
                       parting=0.03, lift=0.65, clump=0.6),
    "swept_back": Style(0.09, 0.035, 0.04, volume=(0.03, 0.012, 0.016), comb=(0.1, 0.0, -1.0),
                        lift=0.75, clump=0.6),
    "fringe": Style(0.13, 0.09, 0.09, volume=(0.024, 0.02, 0.022), comb=(0.12, 0.0, 0.8),
                    fringe=0.012, lift=0.5, clump=0.5),
    "bob": Style(0.26, 0.24, 0.22, floor=0.13, volume=(0.024, 0.03, 0.03),
                 comb=(0.0, 0.0, -0.25), parting=0.02, opening=60, clump=0.5),
    "long": Style(0.42, 0.40, 0.38, floor=0.29, volume=(0.02, 0.026, 0.032),
                  comb=(0.0, 0.0, -0.3), parting=0.0, opening=62, clump=0.6),
    "wavy": Style(0.40, 0.38, 0.36, floor=0.27, volume=(0.024, 0.036, 0.04),
                  comb=(0.0, 0.0, -0.3), parting=0.02, opening=62, curl=0.006, wave=0.075,
                  frizz=0.003, clump=0.7),
    "curly": Style(0.30, 0.28, 0.28, floor=0.17, volume=(0.04, 0.05, 0.05),
                   comb=(0.0, 0.0, -0.2), parting=0.02, opening=60, curl=0.008, wave=0.032,
                   frizz=0.004, clump=0.8, lift=0.7),
    "coily": Style(0.07, 0.06, 0.06, volume=(0.055, 0.045, 0.05), comb=(0.0, 0.0, 0.0),
                   lift=1.0, curl=0.0035, wave=0.012, frizz=0.004, clump=0.5),
    "tied_back": Style(0.24, 0.22, 0.16, volume=(0.008, 0.006, 0.01), comb=(0.0, 0.0, -1.0),
                       lift=0.35, clump=0.45, gathered=True, frizz=0.001),
}  # fmt: skip
