"""Rooms: what stands where, what the robot is asked for, and what is in its way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["BODY_RADIUS_M", "SITUATIONS", "Mover", "Room", "Thing", "make_room"]

BODY_RADIUS_M = 0.17
COLORS = ("red", "yellow", "green", "blue", "purple", "pink")
"""Orange is left out: in the shade it is brown to every pixel."""
SITUATIONS = ("in view", "out of view", "hidden", "crossed")
"""How it begins: it is seen, it must be turned to, something stands before it, something moves before it."""
PASSAGE_M = 0.75
"""Between any two things, and between things and walls: the robot and some room for it."""
MOVER_M_S = 0.3


@dataclass(frozen=True)
class Thing:
    """Something that stands on the floor.

    Attributes:
        shape: "box", "ball" or "cylinder".
        color: one of the basic colour terms.
        x, y: its middle in metres.
        width: metres; the diameter of what is round.
        height: metres; a ball's is its width.
        turn: radians about the vertical.
    """

    shape: str
    color: str
    x: float
    y: float
    width: float
    height: float
    turn: float

    @property
    def radius(self) -> float:
        """Of the circle around it, seen from above."""
        return self.width / 2 * (math.sqrt(2) if self.shape == "box" else 1.0)


@dataclass(frozen=True)
class Mover:
    """One thing that moves: thing number `thing` goes from where it stands to `to`, from `start_s` on."""

    thing: int
    to: tuple[float, float]
    start_s: float


@dataclass(frozen=True)
class Room:
    """A room with a task.

    Attributes:
        seed: it was made from.
        situation: one of `SITUATIONS`.
        side: of the square floor in metres, 0, 0 in its middle.
        things: what stands in it.
        target: number of the thing that is asked for; no other has its colour.
        start: of the robot: x, y in metres, radians from the x axis.
        mover: what moves, if anything.
    """

    seed: int
    situation: str
    side: float
    things: tuple[Thing, ...]
    target: int
    start: tuple[float, float, float]
    mover: Mover | None = None

    @property
    def asked(self) -> str:
        """The words for what is asked for: a colour, which any tool can ground."""
        return self.things[self.target].color


def make_room(seed: int) -> Room:
    """The room of a seed; the same seed gives the same room."""
    rng = np.random.default_rng([seed, 7])
    situation = SITUATIONS[int(rng.integers(len(SITUATIONS)))]
    while (room := _try(rng, seed, situation)) is None:
        pass
    return room


def _try(rng: np.random.Generator, seed: int, situation: str) -> Room | None:
    """One throw of the dice; None where the things do not fit."""
    side = float(rng.uniform(4.4, 6.0))
    colors = [str(color) for color in rng.permutation(COLORS)]
    reach = side / 2 - PASSAGE_M
    start = rng.uniform(-reach, reach, 2)
    towards = float(rng.uniform(-math.pi, math.pi))
    away = float(rng.uniform(1.3, 2.2) if situation == "in view" else rng.uniform(1.9, 3.2))
    ahead = np.array([math.cos(towards), math.sin(towards)])
    left = np.array([-ahead[1], ahead[0]])
    target = _thing(rng, colors.pop(), start + away * ahead, small=situation == "hidden")
    things, mover = [target], None
    if situation == "hidden":
        share = rng.uniform(0.48, 0.55)
        hider = _thing(rng, colors.pop(), start + share * away * ahead, wide=True)
        things.append(hider)
    if situation == "crossed":
        side_of = float(rng.choice([-1, 1]))
        middle = start + 0.5 * away * ahead
        crosser = _thing(rng, colors.pop(), middle + 0.75 * side_of * left)
        goal = middle - rng.uniform(0.1, 0.5) * side_of * left
        things.append(crosser)
        mover = Mover(1, (float(goal[0]), float(goal[1])), float(rng.uniform(0.5, 2.5)))
    path = [(start[0], start[1], 0.45)] + ([] if mover is None else _along(things[1], mover))
    if not _fit(things, path, reach + 0.2):
        return None
    count = int(rng.integers(4, 7))
    for _ in range(200):
        if len(things) == count or not colors:
            break
        other = _thing(rng, colors[-1], rng.uniform(-reach, reach, 2))
        if situation != "hidden" and _before(start, towards, away, other):
            continue
        if _fit([*things, other], path, reach + 0.2):
            things.append(other)
            colors.pop()
    off = float(rng.uniform(-0.4, 0.4))
    if situation == "out of view":
        off = float(rng.choice([-1, 1])) * float(rng.uniform(1.2, math.pi))
    turn = towards + off
    return Room(seed, situation, side, tuple(things), 0, (float(start[0]), float(start[1]), turn), mover)


def _thing(
    rng: np.random.Generator, color: str, at: np.ndarray, *, small: bool = False, wide: bool = False
) -> Thing:
    shape = "box" if wide else str(rng.choice(["box", "ball", "cylinder"]))
    width = float(rng.uniform(0.45, 0.55) if wide else rng.uniform(0.2, 0.24 if small else 0.34))
    height = float(rng.uniform(0.8, 1.0) if wide else rng.uniform(0.25, 0.4 if small else 0.7))
    turn = float(rng.uniform(-math.pi, math.pi))
    return Thing(shape, color, float(at[0]), float(at[1]), width, width if shape == "ball" else height, turn)


def _along(thing: Thing, mover: Mover) -> list[tuple[float, float, float]]:
    """Circles along a mover's way that others keep out of."""
    return [
        (thing.x + share * (mover.to[0] - thing.x), thing.y + share * (mover.to[1] - thing.y), thing.radius)
        for share in (0.25, 0.5, 0.75, 1.0)
    ]


def _fit(things: list[Thing], keep_out: list[tuple[float, float, float]], reach: float) -> bool:
    """Whether the newest thing, or all of the first ones, leave room between each other and to the walls."""
    if any(max(abs(t.x), abs(t.y)) + t.radius > reach for t in things):
        return False
    gap: Callable[[Thing, tuple[float, float, float]], float] = lambda t, c: (  # noqa: E731
        math.hypot(t.x - c[0], t.y - c[1]) - t.radius - c[2]
    )
    for i, thing in enumerate(things):
        if any(gap(thing, (o.x, o.y, o.radius)) < PASSAGE_M for o in things[:i]):
            return False
    moves = len(keep_out) > 1
    for i, thing in enumerate(things):
        if gap(thing, keep_out[0]) < 0.2:
            return False
        if moves and i != 1 and any(gap(thing, c) < PASSAGE_M - 0.2 for c in keep_out[1:]):
            return False
    return True


def _before(start: np.ndarray, towards: float, away: float, thing: Thing) -> bool:
    """Whether a thing stands in the straight way to the target."""
    dx, dy = thing.x - start[0], thing.y - start[1]
    along = dx * math.cos(towards) + dy * math.sin(towards)
    aside = abs(-dx * math.sin(towards) + dy * math.cos(towards))
    return 0 < along < away and aside < thing.radius + 0.15
