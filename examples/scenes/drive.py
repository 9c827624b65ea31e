"""What a robot's camera sees on a drive through a room: out, a look aside, and back the same way."""

from __future__ import annotations

import numpy as np

from examples.scenes import meshes, textures
from examples.scenes.model import Actor, Camera, Pose, Prop, SceneObject, Script, Vector, yaw
from examples.scenes.motion import glide, rest
from examples.scenes.palette import PAINTS

__all__ = ["drive"]

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
ROOM = 9.0  # side of the floor in metres
AHEAD = 2.5  # from the start to the middle of the room
EYE = 0.55  # height of the camera
REACH = 1.7  # how far the robot drives
HALF_VIEW = np.radians(32.0)  # of a picture a little narrower than 16:9


def drive(seed: int, seconds: float) -> Script:
    """Six to eight things stand along the way; most leave the view and come back."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(6, 9))
    colors = [str(c) for c in rng.permutation(COLORS)[:count]]
    shapes = [str(s) for s in rng.choice(["box", "ball", "cylinder", "cone", "vase"], count)]
    radii = rng.uniform(0.15, 0.21, count)
    spots = _spots(rng, radii)
    actors: list[Actor] = []
    feet: list[tuple[float, float, float]] = []
    for i in range(count):
        width, height = float(2 * radii[i]), float(rng.uniform(0.35, 0.75))
        mesh, lift = _shape(shapes[i], width, height)
        x, y = (float(v) for v in spots[i])
        pose = Pose((x, y, lift), yaw(float(rng.uniform(-0.5, 0.5))))
        texture = textures.stripes(rng, 6) if rng.random() < 0.5 else textures.paint(rng)
        info = SceneObject(i + 1, f"{colors[i]} {shapes[i]}", colors[i], shapes[i], mesh.size)
        actors.append(Actor(info, mesh, PAINTS[colors[i]], rest(pose), texture))
        feet.append((x / ROOM + 0.5, y / ROOM + 0.5, 0.55 * width / ROOM))
    side = float(rng.choice([-1, 1]))
    out = [(0.03, 0.0), (0.36, REACH), (0.64, REACH), (0.97, 0.0)]
    look = [(0.36, 0.0), (0.48, side * 75.0), (0.52, side * 75.0), (0.64, 0.0)]

    def camera(time: float) -> Camera:
        share = time / seconds
        y, turn = glide(share, out) - AHEAD, np.radians(glide(share, look))
        bob = 0.004 * np.sin(9.0 * time)
        ahead = np.array([np.sin(turn), np.cos(turn)])
        return Camera(
            eye=(0.0, float(y), float(EYE + bob)),
            target=(float(2 * ahead[0]), float(y + 2 * ahead[1]), float(EYE - 0.30)),
            fov=46.0,
        )

    return Script(
        actors=actors,
        props=_room(rng, feet),
        camera=camera,
        light=(-0.4, -0.55, 1.0),
        shadows=False,
        story={"turn": [round(share * seconds, 4) for share, _ in (look[0], look[-1])]},
    )


def _spots(rng: np.random.Generator, radii: Vector) -> Vector:
    """Where things of these radii stand, x and y, so that each shows on the way: `[N, 2]`."""
    count = len(radii)
    ahead = np.linspace(1.5, 4.9, count) - AHEAD
    side = (-1.0) ** np.arange(count)  # left and right of the way in turn
    while True:
        x = side * rng.uniform(0.45, 0.9, count) * (1 + 0.06 * np.arange(count))
        spots = np.stack([x, ahead], axis=1)
        if all(_shows(spots, radii, i) for i in range(count)):
            return spots


def _shows(spots: Vector, radii: Vector, i: int) -> bool:
    """Whether the whole of thing `i` is in view, and nothing nearer before it, somewhere on the way out."""
    for y in np.linspace(0.0, REACH, 8) - AHEAD:
        distance = np.hypot(spots[:, 0], spots[:, 1] - y)
        bearing = np.arctan2(spots[:, 0], spots[:, 1] - y)
        spread = np.arcsin(np.minimum(1.0, radii / distance))
        apart = np.abs(bearing - bearing[i]) > spread + spread[i]
        if abs(bearing[i]) + spread[i] < HALF_VIEW and (apart | (distance >= distance[i])).all():
            return True
    return False


def _shape(shape: str, width: float, height: float) -> tuple[meshes.Mesh, float]:
    """A mesh, and how high its origin lies above the floor."""
    if shape == "ball":
        return meshes.ball(width / 2), width / 2
    if shape == "box":
        return meshes.box(width, 0.8 * width, 0.8 * height), 0.0
    if shape == "cone":
        return meshes.cone(width / 2, height), 0.0
    if shape == "vase":
        return meshes.vase(width / 2, height), 0.0
    return meshes.cylinder(width / 2, height), 0.0


def _room(rng: np.random.Generator, feet: list[tuple[float, float, float]]) -> list[Prop]:
    """A tiled floor with the shade under each thing painted on, and four walls with skirting boards."""
    floor = textures.contact_shadows(textures.tiles(rng, (168, 164, 156), 18, 2048), feet)
    wall = textures.plaster(rng, (240, 236, 226))
    props = [Prop(meshes.box(ROOM, ROOM, 0.05, cells=24), Pose((0.0, 0.0, -0.05)), floor)]
    for turn in range(4):
        angle = turn * np.pi / 2
        x, y = float(np.sin(angle)) * ROOM / 2, float(np.cos(angle)) * ROOM / 2
        pose = Pose((x, y, 0.0), yaw(-angle))
        props.append(Prop(meshes.box(ROOM, 0.06, 3.0, cells=16), pose, wall))
        props.append(Prop(meshes.box(ROOM, 0.10, 0.12, cells=16), pose, None, (110, 108, 104)))
    return props
