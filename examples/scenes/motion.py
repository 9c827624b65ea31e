"""Smooth motion between rests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from examples.scenes.model import Pose

__all__ = ["ease", "glide", "rest"]


def ease(u: float) -> float:
    """0 to 1 with no jolt at either end; held outside 0..1."""
    v = float(np.clip(u, 0.0, 1.0))
    return v * v * (3 - 2 * v)


def glide(time: float, keys: Sequence[tuple[float, float]]) -> float:
    """A value that eases from key to key; `keys` are (time, value) with rising times."""
    value = keys[0][1]
    for (t0, a), (t1, b) in pairwise(keys):
        if time > t0:
            value = a + (b - a) * ease((time - t0) / (t1 - t0))
    return value


def rest(pose: Pose) -> Callable[[float], Pose]:
    """The path of a thing that never moves."""
    return lambda _: pose
