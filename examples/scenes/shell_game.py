"""The shell game: a ball, three cups alike, and a shuffle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from examples.scenes import meshes, textures
from examples.scenes.model import Actor, Camera, Pose, Prop, SceneObject, Script, Vector, yaw
from examples.scenes.motion import ease, rest
from examples.scenes.palette import PAINTS

__all__ = ["shell_game"]

CUP_COLORS = ("red", "blue", "green", "purple", "orange", "pink")
SIDE_COLORS = ("green", "purple", "pink", "blue")
SPACING = 0.165  # between neighbouring cups, metres
RIM, TOP, HEIGHT = 0.048, 0.034, 0.118
BALL = 0.025
MAT = 0.004
LIFT = 0.13
FARTHEST = 0.125  # from the row, in a swap of the outer cups
SWAP_SECONDS = 1.05


@dataclass(frozen=True)
class _Shuffle:
    """Who swaps with whom and when.

    Attributes:
        turns: slots that swap, and the way round: 1 if the left one passes in front.
        starts: seconds at which each turn starts, and the end of the last one.
    """

    turns: list[tuple[int, int, int]]
    starts: Vector

    @classmethod
    def random(cls, rng: np.random.Generator, start: float, stop: float) -> _Shuffle:
        """Turns in that time, never the same pair twice running."""
        count = max(2, round((stop - start) / SWAP_SECONDS))
        turns: list[tuple[int, int, int]] = []
        for _ in range(count):
            pairs = [pair for pair in ((0, 1), (1, 2), (0, 2)) if not turns or pair != turns[-1][:2]]
            a, b = pairs[int(rng.integers(len(pairs)))]
            turns.append((a, b, int(rng.choice([-1, 1]))))
        return cls(turns, np.linspace(start, stop, count + 1))

    def place(self, cup: int, time: float) -> tuple[float, float]:
        """Where a cup stands at a time, x and y; cups are named by the slot in which they start."""
        slot = cup
        for (a, b, way), (start, stop) in zip(self.turns, pairwise(self.starts), strict=True):
            if slot not in (a, b) or time <= start:
                continue
            other = a + b - slot
            if time >= stop:
                slot = other
                continue
            reach = (other - slot) * SPACING / 2
            angle = np.pi * ease((time - start) / (stop - start))
            # Wide enough to clear the cup between two outer ones, but flatter than a circle.
            depth = way * np.sign(reach) * min(abs(reach), FARTHEST)
            return (slot - 1) * SPACING + reach * float(1 - np.cos(angle)), float(-depth * np.sin(angle))
        return (slot - 1) * SPACING, 0.0

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"slots": [a, b], "start": round(float(start), 4), "stop": round(float(stop), 4)}
            for (a, b, _), (start, stop) in zip(self.turns, pairwise(self.starts), strict=True)
        ]


def shell_game(seed: int, seconds: float) -> Script:
    """A ball lies between cups, one is lowered over it, they swap places, and that cup lifts again."""
    rng = np.random.default_rng(seed)
    color = str(rng.choice(CUP_COLORS))
    box_color, vase_color = (
        str(c) for c in rng.choice([c for c in SIDE_COLORS if c != color], 2, replace=False)
    )
    chosen = int(rng.integers(3))
    # The phases, as shares of the clip.
    lower, lowered, shuffle, still, reveal, shown = np.array([0.10, 0.20, 0.24, 0.81, 0.84, 0.93]) * seconds
    game = _Shuffle.random(rng, shuffle, still)

    def cup_path(cup: int, time: float) -> Pose:
        x, y = game.place(cup, time)
        up = 0.0
        if cup == chosen:
            up = 1 - ease((time - lower) / (lowered - lower)) + ease((time - reveal) / (shown - reveal))
        # The cup leans back as it rises, so that one looks under it.
        lean = np.radians(-24.0) * up
        rotation = (float(np.sin(lean / 2)), 0.0, 0.0, float(np.cos(lean / 2)))
        return Pose((x, y + 0.05 * up, MAT + LIFT * up), rotation)

    def ball_path(time: float) -> Pose:
        x, y = game.place(chosen, time)
        return Pose((x, y, MAT + BALL))

    cup, ball = meshes.cup(RIM, TOP, HEIGHT), meshes.ball(BALL)
    box, vase = meshes.box(0.20, 0.14, 0.055), meshes.vase(0.055, 0.17)
    actors = [
        Actor(
            SceneObject(i + 1, f"{color} cup", color, "cup", cup.size),
            cup,
            PAINTS[color],
            partial(cup_path, i),
        )
        for i in range(3)
    ]
    actors += [
        Actor(SceneObject(4, "yellow ball", "yellow", "ball", ball.size), ball, PAINTS["yellow"], ball_path),
        Actor(
            SceneObject(5, f"{box_color} box", box_color, "box", box.size),
            box,
            PAINTS[box_color],
            rest(Pose((-0.36, 0.22, 0.0), yaw(0.35))),
            textures.paint(rng),
        ),
        Actor(
            SceneObject(6, f"{vase_color} vase", vase_color, "vase", vase.size),
            vase,
            PAINTS[vase_color],
            rest(Pose((0.35, 0.24, 0.0))),
            textures.stripes(rng, 9),
        ),
    ]
    camera = Camera(eye=(0.0, -0.86, 0.44), target=(0.0, 0.03, 0.07), fov=30.0)
    return Script(
        actors=actors,
        props=_set(rng, color),
        camera=lambda _: camera,
        light=(-0.6, -0.6, 1.0),
        story={"ball": 4, "cup": chosen + 1, "swaps": game.to_json(), "reveal": round(float(reveal), 4)},
    )


def _set(rng: np.random.Generator, color: str) -> list[Prop]:
    """A wooden table with a cloth on it before a painted wall."""
    mat = (74, 104, 134) if color not in ("blue", "purple") else (128, 134, 120)
    return [
        Prop(
            meshes.box(1.9, 1.1, 0.04, cells=8), Pose((0.0, 0.0, -0.04)), textures.wood(rng, (196, 152, 104))
        ),
        Prop(meshes.box(0.66, 0.40, MAT, cells=4), Pose((0.0, 0.0, 0.0)), textures.cloth(rng, mat)),
        Prop(
            meshes.box(3.0, 0.05, 1.6, cells=4),
            Pose((0.0, 0.75, -0.5)),
            textures.plaster(rng, (236, 226, 208)),
        ),
    ]
