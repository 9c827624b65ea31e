"""Things on a table; two are pushed along lanes between the others, pass before and behind, leave, return."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from examples.scenes import meshes, textures
from examples.scenes.model import Actor, Camera, Pose, Prop, SceneObject, Script, yaw
from examples.scenes.motion import glide, rest
from examples.scenes.palette import PAINTS

__all__ = ["tabletop"]

COLORS = ("red", "yellow", "green", "blue", "purple", "pink", "white", "black")
# The set is brown and grey, so these colours name objects only.
RESTING_ROWS = (0.26, 0.02, -0.22)  # y of the things that stand still, metres
LANES = (0.14, -0.10)  # y of the things that move: at least two radii from every row
RADIUS = 0.055  # no footprint is wider
BACK_X, MIDDLE_X, FRONT_X = (-0.36, -0.02, 0.34), (-0.20, 0.22), (0.05,)
OUTSIDE = 0.95  # x that no camera of this scene sees


def tabletop(seed: int, seconds: float) -> Script:
    """Five to eight things on a table; two of them, at most one a lane, are moved."""
    rng = np.random.default_rng(seed)
    spots = [(x, y) for y, row in zip(RESTING_ROWS, (BACK_X, MIDDLE_X, FRONT_X), strict=True) for x in row]
    resting = [spots[i] for i in sorted(rng.choice(len(spots), int(rng.integers(3, 7)), replace=False))]
    count = len(resting) + 2
    colors = [str(c) for c in rng.permutation(COLORS)[:count]]
    shapes = [str(s) for s in rng.choice(["box", "ball", "cylinder", "cup", "vase"], count)]
    if count > 6 and shapes[0] != shapes[1]:
        colors[1] = colors[0]  # a pair of one colour, so that counting has something to count
    roles: list[Callable[[np.random.Generator, float, float], Callable[[float], Pose]]] = [
        _cross,
        _leave,
        _stop,
    ]
    chosen = [roles[i] for i in rng.choice(3, 2, replace=False)]
    actors = []
    for i in range(count):
        height = float(
            rng.uniform(0.09, 0.19) if i < len(resting) and resting[i][1] > 0.2 else rng.uniform(0.07, 0.12)
        )
        mesh, lift = _shape(shapes[i], rng, height)
        if i < len(resting):
            path = _rest(resting[i], rng, lift)
        else:
            lane = i - len(resting)
            path = _raised(chosen[lane](rng, LANES[lane], seconds), lift)
        texture = (
            textures.paint(rng) if rng.random() < 0.6 else textures.stripes(rng, int(rng.integers(5, 11)))
        )
        info = SceneObject(i + 1, f"{colors[i]} {shapes[i]}", colors[i], shapes[i], mesh.size)
        actors.append(Actor(info, mesh, PAINTS[colors[i]], path, texture))
    camera = Camera(
        eye=(float(rng.uniform(-0.2, 0.2)), -1.15, float(rng.uniform(0.46, 0.6))),
        target=(0.0, 0.04, 0.05),
        fov=27.0,
    )
    table = textures.wood(rng, (172, 142, 108), planks=int(rng.integers(4, 8)))
    wall = textures.plaster(rng, (214, 214, 210))
    return Script(
        actors=actors,
        props=[
            Prop(meshes.box(2.4, 1.3, 0.04, cells=8), Pose((0.0, 0.0, -0.04)), table),
            Prop(meshes.box(4.0, 0.05, 1.8, cells=4), Pose((0.0, 0.9, -0.6)), wall),
        ],
        camera=lambda _: camera,
        light=(float(rng.choice([-0.6, 0.6])), -0.6, 1.0),
        story={"moved": [len(resting) + 1, len(resting) + 2]},
    )


def _shape(shape: str, rng: np.random.Generator, height: float) -> tuple[meshes.Mesh, float]:
    """A mesh whose footprint fits a lane, and how high its origin lies above the table."""
    wide = float(rng.uniform(0.75, 1.0)) * RADIUS
    if shape == "ball":
        return meshes.ball(wide), wide
    if shape == "box":
        side = wide * 1.35  # its diagonal is the footprint
        return meshes.box(side, side, height), 0.0
    if shape == "cup":
        return meshes.cup(wide, 0.72 * wide, height), 0.0
    if shape == "vase":
        return meshes.vase(wide, height), 0.0
    return meshes.cylinder(0.9 * wide, height), 0.0


def _rest(spot: tuple[float, float], rng: np.random.Generator, lift: float) -> Callable[[float], Pose]:
    x = float(spot[0] + rng.uniform(-0.03, 0.03))
    pose = Pose((x, spot[1], lift), yaw(float(rng.uniform(-0.6, 0.6))))
    return rest(pose)


def _raised(path: Callable[[float], Pose], lift: float) -> Callable[[float], Pose]:
    def raised(time: float) -> Pose:
        pose = path(time)
        return Pose((pose.position[0], pose.position[1], pose.position[2] + lift), pose.rotation)

    return raised


def _along(lane: float, keys: list[tuple[float, float]], turn: float) -> Callable[[float], Pose]:
    """Along a lane through the (time, x) keys, turning by `turn` radians a metre."""

    def path(time: float) -> Pose:
        x = glide(time, keys)
        return Pose((x, lane, 0.0), yaw(turn * x))

    return path


def _cross(rng: np.random.Generator, lane: float, seconds: float) -> Callable[[float], Pose]:
    """From one side to the other and a part of the way back."""
    side = float(rng.choice([-1, 1]))
    keys = [(0.05, -0.42), (0.6, 0.42), (0.65, 0.42), (0.95, 0.0)]
    return _along(lane, [(t * seconds, side * x) for t, x in keys], float(rng.uniform(-3, 3)))


def _leave(rng: np.random.Generator, lane: float, seconds: float) -> Callable[[float], Pose]:
    """Out of the view, a while away, and back to another place."""
    side = float(rng.choice([-1, 1]))
    keys = [(0.1, 0.12), (0.45, OUTSIDE), (0.55, OUTSIDE), (0.9, 0.3)]
    return _along(lane, [(t * seconds, side * x) for t, x in keys], float(rng.uniform(-3, 3)))


def _stop(rng: np.random.Generator, lane: float, seconds: float) -> Callable[[float], Pose]:
    """Starts late, stops halfway, goes on."""
    side = float(rng.choice([-1, 1]))
    keys = [(0.2, -0.40), (0.45, -0.05), (0.65, -0.05), (0.9, 0.38)]
    return _along(lane, [(t * seconds, side * x) for t, x in keys], float(rng.uniform(-3, 3)))
