"""Candidate masks as Segment Anything's decoder hands them out: small soft maps, three a point, many alike.

Things of all sizes have parts, and parts have parts. A point gets a map for each of the three that it lies
on, so that many points give the same masks with small differences. Maps are distances to the outline, steep
where the network is sure, with a little noise, and some with specks. Others are shallow, hence unstable.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch

import som_kernels as sk

__all__ = ["MAP", "SQUARE", "candidates", "inner_size", "resizing"]

MAP, SQUARE = 256, 1024  # sides of the decoder's maps and of the padded square that the network sees
THINGS = (5, 9, 13)  # wholes, parts, and parts of parts
BOUND = 20.0  # logits are not larger than this

Map = npt.NDArray[np.float32]


class _Thing(NamedTuple):
    """A blob: its map of distances to the outline in pixels of the map, positive inside, and its size."""

    distance: Map
    radius: float


def inner_size(w: int, h: int) -> tuple[int, int]:
    """Height and width of a picture in the padded square, rounded as the library rounds them."""
    from segment_anything.utils.transforms import ResizeLongestSide

    inner: tuple[int, int] = ResizeLongestSide.get_preprocess_shape(h, w, SQUARE)
    return inner


def resizing(w: int, h: int) -> sk.Resize:
    """From the decoder's maps to a picture."""
    return sk.Resize.sam((MAP, MAP), (SQUARE, SQUARE), inner_size(w, h), (h, w))


@lru_cache(maxsize=1)
def candidates(per_side: int, inner: tuple[int, int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps and scores of a square grid of points.

    Args:
        per_side: points along each side of the picture.
        inner: height and width of the picture's part of the maps.
        seed: another seed is another picture.

    Returns:
        Logits `[3 * per_side ** 2, 256, 256] float32`, the maps of a point together, and what the network
        takes their IoU to be, `[3 * per_side ** 2] float32`, 0.5 to 1, half of them above 0.88.
    """
    rng = np.random.default_rng(seed)
    h, w = inner
    levels = [[_thing(rng, h, w, level) for _ in range(count)] for level, count in enumerate(THINGS)]
    noises = [_noise(rng) for _ in range(16)]
    logits = np.empty((per_side**2, 3, MAP, MAP), np.float32)
    steps = (np.arange(per_side) + 0.5) / per_side
    for i, (y, x) in enumerate((int(y * h), int(x * w)) for y in steps for x in steps):
        for level, things in enumerate(levels):
            thing = max(things, key=lambda thing: thing.distance[y, x] / thing.radius)
            logits[i, level] = _answer(rng, thing, noises[rng.integers(len(noises))])
    scores = 0.5 + 0.5 * rng.random(3 * per_side**2) ** 0.396  # 0.76 ** (1 / 0.396) is a half
    return torch.from_numpy(logits).flatten(0, 1), torch.from_numpy(scores.astype(np.float32))


def _thing(rng: np.random.Generator, h: int, w: int, level: int) -> _Thing:
    """A blob with a wavy outline somewhere in the picture, smaller from level to level."""
    radius = h * np.exp(rng.uniform(np.log(0.16), np.log(0.32))) / 1.8**level
    stretch, angle, phase = rng.uniform(0.6, 1), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 3)
    y, x = np.mgrid[:MAP, :MAP].astype(np.float32)
    y, x = y - rng.uniform(0, h), x - rng.uniform(0, w)
    x, y = np.cos(angle) * x + np.sin(angle) * y, (np.cos(angle) * y - np.sin(angle) * x) / stretch
    around = np.arctan2(y, x)
    waves = sum(0.12 / m * np.cos(m * around + p) for m, p in zip((2, 3, 5), phase, strict=True))
    return _Thing(((radius * (1 + waves) - np.hypot(x, y)) * stretch).astype(np.float32), radius * stretch)


def _answer(rng: np.random.Generator, thing: _Thing, noise: Map) -> Map:
    """One map of a thing: never twice the same, steep or shallow, sometimes with specks."""
    shift = rng.normal(0, 0.02) * thing.radius
    distance = thing.distance + np.float32(shift)
    kind = rng.random()
    if kind < 0.3:
        _specks(rng, distance, thing)
    # Pixels within 1 of the cutoff are a share of about 4 / (steepness * radius) of a disc.
    share = rng.uniform(0.08, 0.4) if kind > 0.65 else rng.uniform(0.012, 0.045)
    logits = distance * np.float32(4 / (share * thing.radius))
    if kind > 0.92:
        logits = 0.2 * logits + 2 * noise  # the network has no idea: frayed all over
    return np.clip(logits + 0.25 * noise, -BOUND, BOUND)


def _specks(rng: np.random.Generator, distance: Map, thing: _Thing) -> None:
    """Small holes and islands, in place, most of them below 100 pixels of the picture."""
    y, x = np.nonzero(np.abs(thing.distance) < 0.8 * thing.radius)
    for _ in range(rng.integers(1, 5)):
        k = rng.integers(len(y))
        depth, radius = distance[y[k], x[k]], 1 + int(rng.random() < 0.3)
        sign = 1 if depth < 0 else -1
        cv2.circle(distance, (int(x[k]), int(y[k])), radius, float(sign * radius), -1)


def _noise(rng: np.random.Generator) -> Map:
    """Smooth noise of mean 0 and deviation about 1, with a little that is not smooth."""
    coarse = rng.normal(0, 1.3, (48, 48)).astype(np.float32)
    smooth = cv2.resize(coarse, (MAP, MAP), interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 0.1, (MAP, MAP))).astype(np.float32)
