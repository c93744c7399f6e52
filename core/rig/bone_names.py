# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a stranger's armature are its head, neck and eyes, and which mirror each other.

Understood are the names of Rigify, MPFB, Mixamo, Maya's and 3ds Max's rigs, game engines, VRM,
DAZ, Character Creator and MikuMikuDance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: The surest first: Rigify's deform bone, its organ and its metarig's.
_HEADS = ("DEF-spine.006", "ORG-spine.006", "spine.006")
_JOINT = r"(?:[_ .]?(?:jnt|joint|bone|bind|j))?"
_HEAD = re.compile(
    rf"(?:(?:^|[_:.\-| \d]|def|c_)head0?1?{_JOINT}(?:[_.]?x|_m|\.m|_c)?|頭|头)$", re.IGNORECASE
)
#: A name in one word, as mixamorigHead.
_CAMEL_HEAD = re.compile(r"[a-z](?<!Fore)(?<!fore)Head$")
_NECK = re.compile(r"neck|^(?:DEF-|ORG-)?spine\.00[45]$|首|颈|頸|cervical", re.IGNORECASE)
_NO_NECK = re.compile(r"necklace|necktie|乳首|手首|足首", re.IGNORECASE)
_EYE = re.compile(rf"(?:^|.*[_:.\-| \d])eye(?:ball)?{_JOINT}$|^目$|^瞳$")
_JAW = re.compile(
    rf"(?:(?:^|[_:.\-| \d]|def|c_)jaw(?:_?(?:root|master|lower))?0?1?{_JOINT}"
    rf"(?:[_.]?x|_m|\.m|_c)?|[a-z]Jaw|顎|あご)$",
    re.IGNORECASE,
)
_TOE = re.compile(r"toe|爪先|つま先", re.IGNORECASE)

_WORDS = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "l": "r", "L": "R", "左": "右"}
_OPPOSITE = {**_WORDS, **{right: left for left, right in _WORDS.items()}}
_SIDES = (
    re.compile(r"Left|Right|LEFT|RIGHT|左|右"),
    re.compile(r"(?<![a-z])(?:left|right)|(?:left|right)$"),
    re.compile(r"(?:(?<=^)|(?<=[._\- :|]))[LlRr](?=[._\- :|\d]|$)"),
    re.compile(r"^[lr](?=[A-Z])|^[LR](?=[A-Z][a-z])"),
)


def head_name(names: Sequence[str]) -> str | None:
    """The bone that carries the head; None if none is called so."""
    found = [name for name in _HEADS if name in names]
    found += sorted((n for n in names if _HEAD.search(n) or _CAMEL_HEAD.search(n)), key=len)
    return found[0] if found else None


def jaw_name(names: Sequence[str]) -> str | None:
    """The bone that opens the mouth; None if none is called so. A deform bone is surer."""
    found = sorted((n for n in names if _JAW.search(n)), key=len)
    deform = [n for n in found if n.lower().startswith("def")]
    first = deform or found
    return first[0] if first else None


def is_neck(name: str) -> bool:
    """True for a bone of a neck."""
    return bool(_NECK.search(name)) and not _NO_NECK.search(name)


def is_toe(name: str) -> bool:
    """True for a bone of toes."""
    return bool(_TOE.search(name))


def eye_names(names: Iterable[str]) -> dict[str, str]:
    """eye_l, eye_r -> the bones that turn the eyes, where there are both."""
    names = list(names)
    found: dict[str, str] = {}
    for name in sorted(names, key=len):
        for other, is_left, rest in sides(name):
            key = "eye_l" if is_left else "eye_r"
            if other in names and key not in found and _EYE.match(_word(rest)):
                found[key] = name
    return found if len(found) == 2 else {}


def sides(name: str) -> list[tuple[str, bool, str]]:
    """For each part of the name that may mean a side: the name of the other side, whether this is
    the left, and the name without it.
    """
    out = []
    for pattern in _SIDES:
        for match in pattern.finditer(name):
            before, after = name[: match.start()], name[match.end() :]
            other = before + _OPPOSITE[match[0]] + after
            rest = (before + after).strip("._- :|")
            out.append((other, match[0].lower() in ("left", "l", "左"), rest))
    return out


def left_and_right(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of indices: a bone of the left side and the one that mirrors it."""
    at = {name: i for i, name in enumerate(names)}
    out = []
    for i, name in enumerate(names):
        for other, is_left, _ in sides(name):
            if other in at and is_left:
                out.append((i, at[other]))
                break
    return out


def _word(stem: str) -> str:
    """With what parts words made plain: CC_Base_Eye -> cc_base_eye, FaceEye -> face_eye."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()
