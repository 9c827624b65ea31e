"""Drawn scenes for calibration: plainly coloured shapes on a plain to busy ground, with their true outlines.

Shapes and colours are so plain that a model which names one of them wrongly has misread the number, not the
thing. Grounds are dull, their lines and blotches have the colour of no thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.history import MarkInfo
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.palette import Rgb, choose_color
from som_agent.marks.placement import Placement, place
from som_agent.marks.style import MarkStyle
from som_agent.marks.surroundings import surroundings
from som_agent.regions import IntArray, Regions
from som_agent.video.frame import Frame, Image

__all__ = ["COLORS", "SHAPES", "SIZE", "Scene", "Thing", "draw_scene"]

COLORS: dict[str, Rgb] = {
    "black": (18, 18, 18),
    "blue": (30, 60, 210),
    "green": (20, 150, 50),
    "red": (215, 25, 30),
    "white": (248, 248, 248),
    "yellow": (250, 220, 20),
}
"""Basic colour terms that are far from each other and from the grounds."""
SHAPES = ("circle", "cross", "ring", "square", "star", "triangle")
SIZE = (1280, 960)
"""Width and height of a scene in pixels, about what the families of models see at most."""

_LEAST_PX, _MOST_PX = 112, 400  # across a thing; of smaller ones a label leaves too little to see at 336 px
_GAP_PX = 20  # from thing to thing and to the border: labels beside small ones need room
_TRIES = 1000
_FINE = 4  # outlines are drawn this many times larger, for smooth edges
_GROUNDS = np.array([(148, 142, 134), (132, 140, 146), (150, 148, 140), (136, 132, 140), (138, 144, 136)])

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Thing:
    """One item of a scene: its number, and what is true of it."""

    number: int
    color: str
    shape: str


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    Attributes:
        image: `[h, w, 3] uint8` RGB.
        regions: what `things[k]` covers is region k.
        things: by number. The numbers are in no order of the picture and have gaps, so that a model cannot
            guess them.
        marks: the rows of the mark table, in the same order.
        placement: where the marks go at this size.
    """

    image: Image
    regions: Regions
    things: tuple[Thing, ...]
    marks: tuple[MarkInfo, ...]
    placement: Placement

    def marked(self, draw: tuple[str, ...]) -> MarkedFrame:
        """The scene with its marks, as a session would hand it out; `draw` as in `MarkStyle`."""
        n = len(self.things)
        return MarkedFrame(
            frame=Frame(self.image, 0, 0.0),
            infos=list(self.marks),
            scores=np.ones(n, np.float32),
            regions=self.regions,
            drawn=list(range(n)),
            placement=self.placement,
            style=MarkStyle(draw=draw),
        )


def draw_scene(n: int, seed: int, index: int = 0) -> Scene:
    """A scene of `n` things; the same arguments give the same scene.

    Args:
        n: number of things, 1 to about 40: more find no room.
        seed: of the calibration.
        index: which of the scenes with so many things.
    """
    rng = np.random.default_rng([seed, n, index])
    image = _ground(rng)
    circles = _places(n, rng)
    # Every pair of colour and shape once, before any comes twice.
    pairs = [(color, shape) for color in COLORS for shape in SHAPES]
    order = np.concatenate([rng.permutation(len(pairs)) for _ in range(-(-n // len(pairs)))])[:n]
    numbers = np.sort(rng.choice(2 * n + 1, n, replace=False) + 1).tolist()
    labels = np.zeros(SIZE[::-1], np.int32)
    things = []
    for k, (number, circle, pair) in enumerate(zip(numbers, circles, order.tolist(), strict=True)):
        color, shape = pairs[pair]
        _paint(image, labels, k + 1, _outlines(shape, circle, rng), COLORS[color])
        things.append(Thing(number, color, shape))
    regions = Regions.from_atoms(labels, np.eye(n + 1, dtype=bool)[1:])
    marks = _marks(image, regions, numbers)
    placement = place(labels, plate_sizes([mark.label for mark in marks], MarkStyle(), SIZE))
    return Scene(image, regions, tuple(things), marks, placement)


def _marks(image: Image, regions: Regions, numbers: list[int]) -> tuple[MarkInfo, ...]:
    """Rows of a mark table, with colours chosen as in a session."""
    marks: list[MarkInfo] = []
    for number, where in zip(numbers, surroundings(image, regions, range(len(numbers))), strict=True):
        used = [mark.color for mark in marks]
        marks.append(MarkInfo(number, str(number), choose_color(number, where.ground, (), used)))
    return tuple(marks)


def _places(n: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Circles x, y, radius in pixels that do not meet, small to large, in an order of chance."""
    w, h = SIZE
    widest = min(_MOST_PX, 0.75 * np.sqrt(w * h / n))
    wanted = np.exp(rng.uniform(np.log(_LEAST_PX), np.log(max(widest, _LEAST_PX)), n)) / 2
    placed: list[tuple[float, float, float]] = []
    for radius in sorted(wanted.tolist(), reverse=True):
        fitting = radius
        while (spot := _spot(fitting, placed, rng)) is None:
            fitting *= 0.9
        placed.append((*spot, fitting))
    return [placed[k] for k in rng.permutation(n)]


def _spot(
    radius: float, placed: list[tuple[float, float, float]], rng: np.random.Generator
) -> tuple[float, float] | None:
    w, h = SIZE
    edge = radius + _GAP_PX
    tried = rng.uniform((edge, edge), (w - edge, h - edge), (_TRIES, 2))
    others = np.array(placed, np.float64).reshape(-1, 3)
    apart = np.linalg.norm(tried[:, None] - others[:, :2], axis=-1) - others[:, 2]
    free = np.flatnonzero((apart > edge).all(axis=1))
    return (float(tried[free[0], 0]), float(tried[free[0], 1])) if len(free) else None


def _outlines(shape: str, circle: tuple[float, float, float], rng: np.random.Generator) -> list[_Floats]:
    """Closed lines `[K, 2]` x, y within the circle; what an even number of them holds is outside."""
    x, y, radius = circle
    turn = np.radians(rng.uniform(-12, 12))
    if shape in {"circle", "ring"}:
        angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        round_ = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        shapes = [round_, round_ * 0.55] if shape == "ring" else [round_]
    elif shape == "square":
        shapes = [_corners(4, np.pi / 4)]
    elif shape == "triangle":
        shapes = [_corners(3, -np.pi / 2)]
    elif shape == "star":
        star = _corners(10, -np.pi / 2)
        star[1::2] *= 0.42
        shapes = [star]
    else:  # a cross: two bars
        a, b = 0.32, 0.95
        corner = [(-a, -b), (a, -b), (a, -a)]  # each next one is a quarter turn of it
        turns = [np.array([[0, 1], [-1, 0]]), np.array([[-1, 0], [0, -1]]), np.array([[0, -1], [1, 0]])]
        shapes = [np.concatenate([corner, *(corner @ quarter for quarter in turns)])]
    c, s = np.cos(turn), np.sin(turn)
    rotated = np.array([[c, s], [-s, c]])
    return [points @ rotated * radius + (x, y) for points in shapes]


def _corners(n: int, first: float) -> _Floats:
    angle = first + np.arange(n) * (2 * np.pi / n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _paint(image: Image, labels: IntArray, label: int, outlines: list[_Floats], color: Rgb) -> None:
    """Paint on the picture, with smooth edges, and label the pixels that are more than half covered."""
    points = np.concatenate(outlines)
    x0, y0 = np.floor(points.min(axis=0)).astype(int) - 1
    x1, y1 = np.ceil(points.max(axis=0)).astype(int) + 2
    fine = np.zeros(((y1 - y0) * _FINE, (x1 - x0) * _FINE), np.uint8)
    cv2.fillPoly(fine, [np.round((line - (x0, y0)) * _FINE).astype(np.int32) for line in outlines], (255,))
    share = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) / 255
    part = image[y0:y1, x0:x1]
    part[:] = np.round(part + share[..., None] * (np.array(color) - part))
    labels[y0:y1, x0:x1][share > 0.5] = label


def _ground(rng: np.random.Generator) -> Image:
    """A dull ground `[h, w, 3] uint8`, from plain to busy by chance."""
    w, h = SIZE
    busy = rng.uniform()
    first, second = _GROUNDS[rng.choice(len(_GROUNDS), 2, replace=False)]
    middle = (first + second) / 2
    corners = np.array([[first, middle], [middle, second]], np.uint8)
    image = np.asarray(cv2.resize(corners, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)
    for _ in range(round(60 * busy)):
        shade = (middle + rng.uniform(-26, 26)).tolist()
        at = rng.integers((0, 0), (w, h)).tolist()
        if rng.uniform() < 0.5:
            axes = rng.integers(20, 180, 2).tolist()
            cv2.ellipse(image, at, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
        else:
            end = rng.integers((0, 0), (w, h)).tolist()
            cv2.line(image, at, end, shade, int(rng.integers(2, 14)), cv2.LINE_AA)
    # Far from black and white: nothing is cut off.
    grain = np.round(rng.standard_normal((h, w), np.float32) * np.float32(2 + 5 * busy)).astype(np.int16)
    return np.asarray(image + grain[..., None], np.uint8)
