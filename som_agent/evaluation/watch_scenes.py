"""Small drawn videos of which it is known at every moment where each thing is, for `watching`.

Things go to and fro on ways of chance, stand, go out of the picture and come back, pass behind pillars and
under a hand, change colour and size. Each video is drawn from its seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.regions import IntArray
from som_agent.video.frame import Frame, Image

__all__ = ["Scene", "Thing", "make_scene"]

Floats = npt.NDArray[np.float64]

PALETTE = {
    "red": (205, 30, 30),
    "orange": (240, 135, 25),
    "yellow": (240, 215, 40),
    "green": (30, 150, 60),
    "blue": (35, 75, 210),
    "purple": (140, 50, 170),
    "white": (245, 245, 245),
    "black": (18, 18, 18),
}
WIPE_S = 1.0
"""Seconds in which a colour spreads over a thing."""
GROUND = 128, 126, 122


@dataclass(frozen=True)
class Thing:
    """One thing and its way.

    Attributes:
        name: its number in the truth, from 1.
        outline: corners round the middle, `[n, 2] float64` pixels.
        depth: the nearer the smaller.
        stops: seconds, x and y where its way begins, turns and ends, `[k, 3] float64`.
        colors: seconds at which half of it has a colour, and the colour's name; it spreads from the left.
        scales: seconds and factor of its sides, `[k, 2] float64`.
        absent: stretches of seconds in which it is not in the scene.
    """

    name: int
    outline: Floats
    depth: float
    stops: Floats
    colors: tuple[tuple[float, str], ...]
    scales: Floats
    absent: tuple[tuple[float, float], ...] = ()

    def place(self, time_s: float) -> tuple[float, float]:
        """Where its middle is."""
        x = np.interp(time_s, self.stops[:, 0], self.stops[:, 1])
        y = np.interp(time_s, self.stops[:, 0], self.stops[:, 2])
        return float(x), float(y)

    def scale(self, time_s: float) -> float:
        """How large it is, 1 at first."""
        return float(np.interp(time_s, self.scales[:, 0], self.scales[:, 1]))

    def color(self, time_s: float) -> str:
        """Name of the colour that most of it has."""
        return [name for since, name in self.colors if since <= time_s][-1]

    def spread(self, time_s: float) -> tuple[str, str, float]:
        """The colour that goes, the one that comes, and how far from its middle to the right that has got.

        -1 for nothing of it, 1 for all of it.
        """
        for (_, old), (at, new) in pairwise(self.colors):
            if abs(time_s - at) < WIPE_S / 2:
                return old, new, (time_s - at) / (WIPE_S / 2)
        return self.color(time_s), self.color(time_s), 1.0

    def there(self, time_s: float) -> bool:
        """Whether it is in the scene."""
        return not any(a <= time_s < b for a, b in self.absent)

    def shape(self, time_s: float, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Its whole outline in the picture, `[h, w] bool`, whatever is before it."""
        mask = np.zeros(size[::-1], np.uint8)
        if self.there(time_s):
            points = self.outline * self.scale(time_s) + self.place(time_s)
            cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
        return np.asarray(mask > 0)


@dataclass(frozen=True)
class Scene:
    """A drawn video.

    Attributes:
        seed: what it was made from.
        size: width and height.
        fps: frames a second.
        count: frames.
        things: those that are watched.
        covers: pillars and hands that come before them.
        zones: boxes and polygons as corners.
        set_s: when the watches are set.
    """

    seed: int
    size: tuple[int, int]
    fps: float
    count: int
    things: tuple[Thing, ...] = field(repr=False)
    covers: tuple[Thing, ...] = field(repr=False)
    zones: tuple[tuple[tuple[float, float], ...], ...]
    set_s: float

    @property
    def times(self) -> Floats:
        """Seconds of the frames, `[F] float64`."""
        return np.asarray(np.arange(self.count) / self.fps)

    def frames(self) -> Iterator[tuple[Frame, IntArray]]:
        """Each frame and what its pixels show, `[h, w] int32`, 0 for none."""
        rng = np.random.default_rng((self.seed, 1))
        w, h = self.size
        rough = cv2.GaussianBlur(rng.normal(0, 40, (h, w)).astype(np.float32), (0, 0), 3) * 1.5
        ground = np.array(GROUND, np.float32) + rough[..., None]
        noise = rng.normal(0, 2, (5, h, w, 1)).astype(np.float32)
        for index, time_s in enumerate(self.times.tolist()):
            image, labels = ground.copy(), np.zeros((h, w), np.int32)
            for thing in sorted((*self.things, *self.covers), key=lambda thing: -thing.depth):
                ys, xs = np.nonzero(thing.shape(time_s, self.size))
                x, y = (round(v) for v in thing.place(time_s))
                old, new, share = thing.spread(time_s)
                reach = np.abs(thing.outline[:, 0]).max() * thing.scale(time_s)
                is_new = (xs - x <= share * reach)[:, None]
                paint = np.where(is_new, np.array(PALETTE[new]), np.array(PALETTE[old]))
                image[ys, xs] = paint + 0.5 * rough[(ys - y) % h, (xs - x) % w, None]
                labels[ys, xs] = thing.name
            image += noise[index % 5]
            picture: Image = np.clip(image, 0, 255).astype(np.uint8)
            yield Frame(picture, index, time_s), labels


def make_scene(seed: int) -> Scene:
    """The scene of a seed; the same seed gives the same pixels."""
    rng = np.random.default_rng((seed, 0))
    size = ((320, 240), (400, 225), (480, 270))[int(rng.integers(3))]
    fps = float((10, 15, 24, 30)[int(rng.integers(4))])
    length = float(rng.uniform(5.0, 7.0))
    count = int(rng.integers(4, 7))
    names = [str(name) for name in rng.permutation(list(PALETTE))]
    lanes = (np.arange(count) + 0.5) / count
    things = tuple(_thing(rng, k, lanes, names[k % len(names)], size, length) for k in range(count))
    covers = tuple(_cover(rng, count + 1 + k, names[-1 - k], size, length) for k in range(int(rng.integers(0, 3))))
    zones = tuple(_zone(rng, size) for _ in range(3))
    return Scene(seed, size, fps, round(length * fps), things, covers, zones, float(rng.uniform(0.3, 1.0)))


def _thing(
    rng: np.random.Generator, k: int, lanes: Floats, color: str, size: tuple[int, int], length: float
) -> Thing:
    w, h = size
    large = float(rng.uniform(0.055, 0.085)) * (w + h) / 2
    role = ("goes", "goes", "leaves", "visits", "changes", "grows", "late")[int(rng.integers(7))]
    x, y = float(rng.uniform(0.15, 0.85)) * w, float(lanes[k]) * h
    stops, t = [(0.0, x, y)], 0.0
    left_at = float(rng.uniform(1.5, 3.0)) if role == "leaves" else 99.0
    while t < length:
        rest = float(rng.uniform(0.2, 1.8)) if rng.random() < 0.7 else 0.0
        t += rest
        stops.append((t, x, y))
        speed = float(rng.uniform(0.1, 0.35)) * w
        if t > left_at:
            left_at = 99.0
            side = -1.5 * large if x < w / 2 else w + 1.5 * large
            t += abs(side - x) / speed
            stops += [(t, side, y), (t + float(rng.uniform(0.6, 2.0)), side, y)]
            t = stops[-1][0]
            back = float(rng.uniform(0.25, 0.75)) * w
            t += abs(side - back) / speed
            x = back
        else:
            other = float(rng.uniform(0.12, 0.88)) * w
            if abs(other - x) < 0.15 * w:  # no twitches
                other = x + (0.15 if x < w / 2 else -0.15) * w
            row = y + float(rng.normal(0, 0.08)) * h if role != "visits" else float(rng.uniform(0.15, 0.85)) * h
            row = min(max(row, 1.3 * large), h - 1.3 * large)
            t += max(float(np.hypot(other - x, row - y)) / speed, 0.15)
            x, y = other, row
        stops.append((t, x, y))
    colors: list[tuple[float, str]] = [(0.0, color)]
    if role == "changes":
        others = [name for name in PALETTE if name != color]
        colors.append((float(rng.uniform(1.5, 4.0)), others[int(rng.integers(len(others)))]))
        if rng.random() < 0.5:
            colors.append((colors[-1][0] + float(rng.uniform(1.0, 2.0)), color))
    scales = [(0.0, 1.0)]
    if role == "grows":
        at = float(rng.uniform(1.5, 3.0))
        scales += [(at, 1.0), (at + float(rng.uniform(0.4, 1.5)), float(rng.choice([0.55, 0.65, 1.5, 1.8])))]
    absent = ((0.0, float(rng.uniform(1.2, 3.0))),) if role == "late" and k else ()
    return Thing(
        k + 1, _outline(rng, large), float(k), np.array(_in_order(stops)), tuple(colors), np.array(scales), absent
    )


def _in_order(stops: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Times that grow, as interpolation needs them."""
    kept = stops[:1]
    for stop in stops[1:]:
        if stop[0] > kept[-1][0] + 1e-6:
            kept.append(stop)
    return kept


def _cover(rng: np.random.Generator, name: int, color: str, size: tuple[int, int], length: float) -> Thing:
    """A pillar that stands, or a hand that sweeps over the picture."""
    w, h = size
    if rng.random() < 0.5:
        half = float(rng.uniform(0.03, 0.07)) * w
        outline = np.array([(-half, -h), (half, -h), (half, h), (-half, h)])
        at = (0.0, float(rng.uniform(0.25, 0.75)) * w, h * float(rng.uniform(0.2, 0.8)))
        stops = np.array([at, (length, *at[1:])])
    else:
        outline = _outline(rng, float(rng.uniform(0.1, 0.15)) * w)
        t = float(rng.uniform(1.0, 2.5))
        x, lasts = float(rng.uniform(0.2, 0.8)) * w, float(rng.uniform(1.0, 2.0))
        stops = np.array([(0, x, -0.5 * h), (t, x, -0.5 * h), (t + lasts, x, 1.5 * h), (length + 9, x, 1.5 * h)])
    return Thing(name, outline, -10.0, stops, ((0.0, color),), np.array([(0.0, 1.0)]))


def _outline(rng: np.random.Generator, half: float) -> Floats:
    """An ellipse, a box or a polygon, `half` from the middle to the sides, about."""
    ratio = float(rng.uniform(0.8, 1.25))
    kind = int(rng.integers(3))
    if kind == 0:
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        return np.stack([np.cos(angle) * half * ratio, np.sin(angle) * half / ratio], axis=1)
    if kind == 1:
        w, h = half * ratio * 0.9, half / ratio * 0.9
        return np.array([(-w, -h), (w, -h), (w, h), (-w, h)])
    angle = (np.arange(7) + rng.uniform(-0.25, 0.25, 7)) * 2 * np.pi / 7
    return np.stack([np.cos(angle) * half * ratio, np.sin(angle) * half / ratio], axis=1) * 1.05


def _zone(rng: np.random.Generator, size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    w, h = size
    x, y = float(rng.uniform(0.15, 0.85)) * w, float(rng.uniform(0.15, 0.85)) * h
    a, b = float(rng.uniform(0.1, 0.22)) * w, float(rng.uniform(0.15, 0.35)) * h
    if rng.random() < 0.5:
        corners = [(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)]
    else:
        corners = [(x - a, y), (x, y - b), (x + a, y + b / 3), (x, y + b)]
    return tuple((min(max(p, 0.0), float(w)), min(max(q, 0.0), float(h))) for p, q in corners)
