"""The keypoints of a set: how many, what they are called, and which change places in a mirror."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORDS = re.compile(r"left|right|(?<![A-Za-z])[lr](?![A-Za-z])", re.IGNORECASE)


def mirrored(names: Sequence[str]) -> list[int] | None:
    """Which keypoint each becomes when an image is flipped: `left_eye` becomes `right_eye`, and `nose` stays.

    Returns:
        None where the names do not tell: none has a side, or one has no counterpart.
    """
    partners = [_other_side(name) for name in names]
    if partners == list(names) or not set(partners) <= set(names) or len(set(names)) < len(names):
        return None
    return [names.index(partner) for partner in partners]


def _other_side(name: str) -> str:
    def swap(found: re.Match[str]) -> str:
        other = _SIDES[found[0].lower()]
        return other.upper() if found[0].isupper() else other.title() if found[0][0].isupper() else other

    return _WORDS.sub(swap, name)


def described(names: Mapping[int, Sequence[str]], count: int) -> dict[str, Any]:
    """What data.yaml says of keypoints: `kpt_shape`, `kpt_names` and, where all classes agree on it, `flip_idx`.

    Args:
        names: of the keypoints, by class index; none of a class whose keypoints have no names.
        count: of the keypoints of every class.
    """
    told: dict[str, Any] = {"kpt_shape": [count, 3]}
    flips = [mirrored(each) for each in names.values()]
    if flips and flips[0] and all(flip == flips[0] for flip in flips):
        told["flip_idx"] = flips[0]
    if names and all(len(each) == count for each in names.values()):
        told["kpt_names"] = {index: list(each) for index, each in sorted(names.items())}
    return told
