"""Small drawn videos that are hard on numbers: alike cups that cross behind hands, things that leave, crowds.

Each is drawn from its seed alone: flat things with a texture on a rough ground, the nearest on top. What is
where is known for every pixel, so that a tracker can be given the exact segments and nothing but them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.regions import IntArray
from som_agent.video.frame import Frame, Image

__all__ = ["KINDS", "Hidden", "Puzzle", "make_puzzle"]

SIZE = 480, 270
FPS = 20.0
CUP_COLORS = (200, 40, 40), (40, 90, 200), (30, 150, 70), (130, 60, 160), (225, 120, 30)
SKINS = (226, 172, 142), (112, 74, 56)
YELLOW = 240, 210, 40

Path = Callable[[float], tuple[float, float, float] | None]
"""Seconds → x and y of the middle in pixels and the depth, the nearer the smaller; None: not in the scene."""
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Thing:
    """One thing: its name in the truth (0 for none), its outline `[h, w] bool`, its pixels and its way."""

    name: int
    shape: npt.NDArray[np.bool_]
    paint: Image
    path: Path


@dataclass(frozen=True)
class Hidden:
    """Where a hidden thing is: `thing` is under or in `holder` at `time_s`."""

    thing: int
    holder: int
    time_s: float


@dataclass(frozen=True)
class Puzzle:
    """A drawn video with its truth.

    Attributes:
        kind: one of `KINDS`.
        seed: what it was made from.
        count: frames.
        objects: names of the things to be numbered.
        hidden: what is asked about, if anything is hidden in another thing.
    """

    kind: str
    seed: int
    count: int
    objects: tuple[int, ...]
    ground: Image
    things: tuple[_Thing, ...] = field(repr=False)
    hidden: Hidden | None = None

    def __iter__(self) -> Iterator[tuple[Frame, IntArray]]:
        """Each frame and what its pixels show, `[h, w] int32`, 0 for none."""
        noise = np.random.default_rng(self.seed + 1_000_000)
        for index in range(self.count):
            time_s = index / FPS
            image, labels = self.ground.copy(), np.zeros(self.ground.shape[:2], np.int32)
            placed = [(thing, where) for thing in self.things if (where := thing.path(time_s))]
            for thing, (x, y, _) in sorted(placed, key=lambda pair: -pair[1][2]):
                _paint(image, labels, thing, x, y)
            rough = image + noise.normal(0, 3, image.shape)
            yield Frame(np.clip(rough, 0, 255).astype(np.uint8), index, time_s), labels


def make_puzzle(kind: str, seed: int) -> Puzzle:
    """The puzzle of a kind in `KINDS` and a seed; the same ones give the same pixels."""
    return KINDS[kind](seed)


def _paint(image: Image, labels: IntArray, thing: _Thing, x: float, y: float) -> None:
    h, w = thing.shape.shape
    x0, y0 = round(x - w / 2), round(y - h / 2)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + w, labels.shape[1]), min(y0 + h, labels.shape[0])
    if left >= right or top >= bottom:
        return
    own = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
    here = slice(top, bottom), slice(left, right)
    image[here][thing.shape[own]] = thing.paint[own][thing.shape[own]]
    labels[here][thing.shape[own]] = thing.name


def _ground(rng: np.random.Generator) -> Image:
    w, h = SIZE
    rough = cv2.GaussianBlur(rng.normal(0, 60, (h, w, 3)).astype(np.float32), (0, 0), 6)
    return np.clip(np.array([150, 145, 135]) + rough * 2, 0, 255).astype(np.uint8)


def _painted(rng: np.random.Generator, shape: npt.NDArray[np.bool_], color: tuple[int, ...]) -> Image:
    """A colour with spots and a shade to one side."""
    h, w = shape.shape
    spots = cv2.GaussianBlur(rng.normal(0, 40, (h, w)).astype(np.float32), (0, 0), 2)
    shade = np.linspace(15, -25, w)[None] + spots
    return np.clip(np.array(color) + shade[..., None], 0, 255).astype(np.uint8)


def _ellipse(w: int, h: int) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:h, :w]
    return np.asarray(np.hypot((x + 0.5) / w * 2 - 1, (y + 0.5) / h * 2 - 1) <= 1)


def _blob(rng: np.random.Generator, w: int, h: int) -> npt.NDArray[np.bool_]:
    """An ellipse, a box or a polygon of that size."""
    kind = rng.integers(3)
    if kind == 0:
        return _ellipse(w, h)
    if kind == 1:
        return np.ones((h, w), bool)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    points = np.stack([(np.cos(angles) + 1) * w / 2, (np.sin(angles) + 1) * h / 2], axis=1)
    hull = cv2.convexHull(points.round().astype(np.int32))
    return np.asarray(cv2.fillConvexPoly(np.zeros((h, w), np.uint8), hull, 1)) > 0


def _smooth(t: float) -> float:
    return 0.5 - 0.5 * float(np.cos(np.pi * min(max(t, 0.0), 1.0)))


def _cups(seed: int) -> Puzzle:
    """Three or four cups alike, a ball under one, swaps one before the other, hands over some of them."""
    rng = np.random.default_rng(seed)
    count, swaps = int(rng.integers(3, 5)), int(rng.integers(4, 8))
    w, h = 56, 64
    taper = np.abs(np.arange(w) - w / 2 + 0.5) <= np.linspace(w * 0.36, w / 2, h)[:, None]
    paint = _painted(rng, taper, CUP_COLORS[int(rng.integers(len(CUP_COLORS)))])
    slots = np.linspace(90, SIZE[0] - 90, count)
    row, chosen = 150.0, int(rng.integers(count))
    turns: list[tuple[int, int, float, float, float]] = []  # who, with whom, from, to, bulge
    where, at = list(range(count)), 2.2
    for _ in range(swaps):
        a, b = sorted(int(v) for v in rng.choice(count, 2, replace=False))
        lasts = float(rng.uniform(0.8, 1.3))
        turns.append((where[a], where[b], at, at + lasts, float(rng.uniform(6, 34) * rng.choice([-1, 1]))))
        where[a], where[b] = where[b], where[a]
        at += lasts + float(rng.uniform(0.0, 0.25))
    end = at + 0.8

    def place(cup: int, t: float) -> tuple[float, float]:
        x, y = float(slots[cup]), row
        at_slot = {c: float(slots[c]) for c in range(count)}
        for first, second, start, stop, bulge in turns:
            if cup in (first, second) and t > start:
                other = second if cup == first else first
                goal = at_slot[other]
                share = _smooth((t - start) / (stop - start))
                x = at_slot[cup] + (goal - at_slot[cup]) * share
                y = row + (bulge if cup == first else -bulge) * float(np.sin(np.pi * share))
            if t <= start:
                break
            at_slot[first], at_slot[second] = at_slot[second], at_slot[first]
        return x, y

    def cup_path(cup: int) -> Path:
        def path(t: float) -> tuple[float, float, float]:
            x, y = place(cup, t)
            if cup == chosen:
                y -= 90 * (1 - _smooth((t - 0.9) / 0.7))
            return x, y, -y - 1e-3 * cup

        return path

    def ball_path(t: float) -> tuple[float, float, float]:
        x, y = place(chosen, t)
        return x, y + 12, 1000.0

    ball = _ellipse(26, 26)
    things = [_Thing(i + 1, taper, paint, cup_path(i)) for i in range(count)]
    things.append(_Thing(count + 1, ball, _painted(rng, ball, YELLOW), ball_path))
    hand = _ellipse(92, 84)
    paths: tuple[list[Path], list[Path]] = ([], [])  # of the hands of two people, who take turns
    for k, (first, second, start, stop, _) in enumerate(turns):
        if rng.random() < 0.6:
            paths[k % 2].append(_hand(place, first, second, start, stop))
    for k, own in enumerate(paths):
        if own:
            things.append(_Thing(count + 2 + k, hand, _painted(rng, hand, SKINS[k]), _first_of(own)))
    return Puzzle(
        "cups",
        seed,
        round(end * FPS),
        tuple(thing.name for thing in things),
        _ground(rng),
        tuple(things),
        Hidden(count + 1, chosen + 1, end - 0.3),
    )


def _first_of(paths: list[Path]) -> Path:
    """One thing on several ways, one after the other."""
    return lambda t: next((where for path in paths if (where := path(t))), None)


def _hand(
    place: Callable[[int, float], tuple[float, float]], first: int, second: int, start: float, stop: float
) -> Path:
    """A hand that comes from below, covers the middle of a swap, and leaves again."""
    middle, half = (start + stop) / 2, (stop - start) / 2

    def path(t: float) -> tuple[float, float, float] | None:
        away = abs(t - middle) / half
        if away > 1.25:
            return None
        (ax, ay), (bx, by) = place(first, middle), place(second, middle)
        return (ax + bx) / 2, (ay + by) / 2 + 190 * max(away - 0.35, 0) ** 1.2, -1000.0

    return path


def _leavers(seed: int) -> Puzzle:
    """Six to eight things, some alike in colour; most leave for three seconds and come back elsewhere."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(6, 9))
    hues = rng.permutation(12)[: count - 2]
    things = []
    for k in range(count):
        hue = int(hues[k % len(hues)])
        color = cv2.cvtColor(np.array([[[hue * 15, 190, 200]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
        w, h = (int(v) for v in rng.integers(36, 74, 2))
        shape = _blob(rng, w, h)
        paint = _painted(rng, shape, tuple(int(v) for v in color))
        if k >= len(hues):  # the twin in colour wears stripes
            paint[(np.arange(h) // 5 % 2 == 1)] //= 3
        things.append(_Thing(k + 1, shape, paint, _roam(rng, k, count, leaves=k % 4 != 3)))
    return Puzzle("leavers", seed, round(10 * FPS), tuple(range(1, count + 1)), _ground(rng), tuple(things))


def _roam(rng: np.random.Generator, k: int, count: int, *, leaves: bool) -> Path:
    """To and fro on a lane of its own; one that leaves goes out at a side and comes back on another lane."""
    width, height = SIZE
    lane = height * (k + 0.5) / count
    start, sway, turn = rng.uniform(0.2, 0.8) * width, rng.uniform(10, 60), rng.uniform(2, 4)
    goes, side = rng.uniform(1.5, 3.5), int(rng.choice([-1, 1]))
    back = goes + 0.8 + 3.0
    outside = -60.0 if side < 0 else width + 60.0
    other = height * (rng.integers(count) + 0.5) / count

    def path(t: float) -> tuple[float, float, float] | None:
        x = start + sway * float(np.sin(2 * np.pi * t / turn))
        if not leaves or t < goes:
            return x, lane, float(k)
        if t < back:
            return x + (outside - x) * min((t - goes) / 0.8, 1.0), lane, float(k)
        share = _smooth((t - back) / 1.2)
        return (
            outside + (start + sway * float(np.sin(2 * np.pi * t / turn)) - outside) * share,
            other,
            float(k),
        )

    return path


def _crowd(seed: int) -> Puzzle:
    """Thirty things on crossing ways, in twelve colours."""
    rng = np.random.default_rng(seed)
    things = []
    for k in range(30):
        color = cv2.cvtColor(
            np.array([[[int(rng.integers(12)) * 15, 180, 210]]], np.uint8), cv2.COLOR_HSV2RGB
        )
        w, h = (int(v) for v in rng.integers(24, 44, 2))
        shape = _blob(rng, w, h)
        ends = rng.uniform([20, 20], [SIZE[0] - 20, SIZE[1] - 20], (4, 2))
        paint = _painted(rng, shape, tuple(int(v) for v in color[0, 0]))
        things.append(_Thing(k + 1, shape, paint, _wander(ends, float(k))))
    return Puzzle("crowd", seed, round(8 * FPS), tuple(range(1, 31)), _ground(rng), tuple(things))


def _wander(ends: _Floats, depth: float) -> Path:
    def path(t: float) -> tuple[float, float, float]:
        share = t / 8.0 * (len(ends) - 1)
        k = min(int(share), len(ends) - 2)
        (a, b) = list(pairwise(ends))[k]
        x, y = a + (b - a) * _smooth(share - k)
        return float(x), float(y), depth

    return path


KINDS: dict[str, Callable[[int], Puzzle]] = {"cups": _cups, "leavers": _leavers, "crowd": _crowd}
"""What a puzzle can be."""
