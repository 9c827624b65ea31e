"""Which marks matter most, and which of them share a picture, where a model cannot read all of them at once.

The importance of a mark is

    sqrt(area) + 0.5 · speed / (speed + 0.1) + 0.3 · exp(-age / 2) + 4 · question

with the area as a share of the picture, the speed in picture diagonals a second, the age in seconds since the
object was first seen, and the question's relevance from 0 to 1. A mark that the question names (relevance 1)
comes before all others whatever they add up to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError

__all__ = ["FADE_S", "FAST", "MOTION", "NOVELTY", "QUESTION", "groups", "rank", "weights"]

MOTION, NOVELTY, QUESTION = 0.5, 0.3, 4.0
"""Weights against that of the size, which is 1."""

FAST = 0.1
"""Diagonals a second at which motion has half its weight."""

FADE_S = 2.0
"""Seconds in which a newcomer loses all but a third of its novelty."""

_Floats = npt.NDArray[np.float64]


def weights(areas: npt.ArrayLike, speeds: npt.ArrayLike, ages_s: npt.ArrayLike) -> _Floats:
    """The importance of objects that no question is about, `[n] float64`, 0 to 1.8.

    Args:
        areas: shares of the picture, `[n]`, 0 to 1.
        speeds: picture diagonals a second, `[n]`; NaN where not known counts as rest.
        ages_s: seconds since each was first seen, `[n]`.
    """
    speed = np.nan_to_num(np.maximum(np.asarray(speeds, np.float64), 0), posinf=1e9)
    age = np.maximum(np.asarray(ages_s, np.float64), 0)
    size = np.sqrt(np.clip(np.asarray(areas, np.float64), 0, 1))
    return np.asarray(size + MOTION * speed / (speed + FAST) + NOVELTY * np.exp(-age / FADE_S))


def rank(
    marks: Sequence[int],
    areas: npt.ArrayLike,
    speeds: npt.ArrayLike,
    ages_s: npt.ArrayLike,
    question: npt.ArrayLike,
) -> list[int]:
    """The marks, the most important first; of equals the lower number.

    Args:
        marks: numbers, `n` of them.
        areas: see `weights`.
        speeds: see `weights`.
        ages_s: see `weights`.
        question: relevance of each mark for the question, `[n]`, 0 to 1; 1 where it names the mark.
    """
    relevance = np.asarray(question, np.float64)
    # Rounded, so that the last bits of another machine's arithmetic cannot change the order.
    total = np.round(weights(areas, speeds, ages_s) + QUESTION * relevance, 9)
    order = np.lexsort((np.asarray(marks, np.int64), -total, relevance < 1))
    return [int(marks[k]) for k in order]


def groups(ranked: Sequence[int], anchors: npt.ArrayLike, k: int) -> list[list[int]]:
    """Share marks out among as few pictures as hold them, neighbours to different ones.

    In the order given, each mark goes to the picture with room whose nearest mark is farthest from it, so
    that labels which would crowd each other land in different pictures.

    Args:
        ranked: marks, the most important first, `n` of them.
        anchors: x, y of each, `[n, 2]`, in pixels of whatever size.
        k: most marks in one picture.

    Returns:
        `ceil(n / k)` groups whose sizes differ by one at most; in each the marks are in the order given.

    Raises:
        InputError: `k` is below one.
    """
    if k < 1:
        raise InputError(f"a picture must hold at least 1 mark, got {k}")
    n = len(ranked)
    count = -(-n // k)
    points = np.asarray(anchors, np.float64).reshape(n, 2)
    members: list[list[int]] = [[] for _ in range(count)]
    for i in range(n):
        clearance = [
            np.hypot(*(points[own] - points[i]).T).min(initial=np.inf)
            if len(own) < n // count + (group < n % count)
            else -1.0
            for group, own in enumerate(members)
        ]
        members[int(np.argmax(clearance))].append(i)
    return [[ranked[i] for i in own] for own in members]
