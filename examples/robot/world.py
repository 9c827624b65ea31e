"""The robot's world in PyBullet: what its camera sees, what its wheels do, and whether it hit anything.

The robot is a cylinder on two wheels that does what it is told: it turns on the spot, then drives straight.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.robot.room import BODY_RADIUS_M, MOVER_M_S, Room, Thing
from examples.scenes import meshes, textures
from examples.scenes.model import Camera, Pose, yaw
from examples.scenes.palette import PAINTS
from examples.scenes.render import FAR, NEAR, add_body, matrices
from som_agent.video.frame import Image

__all__ = ["EYE_M", "FOV_DEG", "PITCH_DEG", "SIZE", "Shot", "World"]

SIZE = (320, 240)
FOV_DEG = 60.0
EYE_M = 0.35
PITCH_DEG = -12.0
BODY_HEIGHT_M = 0.3
WALL_M = 2.4
LIGHT = (-0.35, -0.5, 1.0)
SUBSTEP_M, SUBSTEP_RAD = 0.02, math.radians(4)
CONSIDERATE_M = 0.5
"""A mover stands still while the robot is nearer to it than this."""


@dataclass(frozen=True)
class Shot:
    """What the camera gives.

    Attributes:
        image: `[H, W, 3] uint8` RGB.
        depth_m: metres along the optical axis, `[H, W] float32`.
        labels: 0 for the floor and what lies beyond everything, then things and walls, `[H, W] uint8`.
    """

    image: Image
    depth_m: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


class World:
    """A room with the robot in it; use it in a `with` statement.

    Attributes:
        room: the room.
        time_s: that has gone by.
        hits: what the robot touched, in words.
    """

    def __init__(self, room: Room) -> None:
        import pybullet

        self.room = room
        self.time_s = 0.0
        self.hits: list[str] = []
        self.x, self.y, self.heading = room.start
        self._bullet: Any = pybullet
        self._client: int = pybullet.connect(pybullet.DIRECT)
        rng = np.random.default_rng([room.seed, 11])
        with tempfile.TemporaryDirectory() as folder:
            self._floor(rng, Path(folder))
            self._walls = self._build_walls(rng, Path(folder))
            self._things = [self._build(thing, rng, Path(folder)) for thing in room.things]
        body = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER, radius=BODY_RADIUS_M, height=BODY_HEIGHT_M, physicsClientId=self._client
        )
        self._body: int = pybullet.createMultiBody(0, body, -1, physicsClientId=self._client)
        self._ids = np.zeros(256, np.uint8)  # the last entries answer for -1, where there is nothing
        for n, number in enumerate([*self._things, *self._walls], start=1):
            self._ids[number] = n
        self._settle()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._bullet.disconnect(self._client)

    def shoot(self) -> Shot:
        """Take a picture."""
        w, h = SIZE
        p = math.radians(PITCH_DEG)
        eye = (self.x, self.y, EYE_M)
        ahead = (math.cos(p) * math.cos(self.heading), math.cos(p) * math.sin(self.heading), math.sin(p))
        camera = Camera(eye, (eye[0] + ahead[0], eye[1] + ahead[1], eye[2] + ahead[2]), FOV_DEG)
        view, projection = matrices(camera, SIZE, (0.0, 0.0))
        self._put(self._body, Pose((0.0, 0.0, -50.0)))  # PyBullet draws what has no looks of its own, too
        _, _, rgba, depth, bodies = self._bullet.getCameraImage(
            w,
            h,
            view,
            projection,
            lightDirection=LIGHT,
            lightColor=[1.0, 0.98, 0.95],
            lightDistance=2.0,
            shadow=0,
            lightAmbientCoeff=0.78,
            lightDiffuseCoeff=0.32,
            lightSpecularCoeff=0.05,
            renderer=self._bullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        self._settle()
        buffer = np.asarray(depth, np.float64).reshape(h, w)
        metres = 2 * FAR * NEAR / (FAR + NEAR - (2 * buffer - 1) * (FAR - NEAR))
        image = np.ascontiguousarray(np.asarray(rgba, np.uint8).reshape(h, w, 4)[..., :3])
        return Shot(image, metres.astype(np.float32), self._ids[np.asarray(bodies).reshape(h, w)])

    def drive(self, turn_deg: float, forward_m: float, seconds: float) -> bool:
        """Turn to the right on the spot, then drive ahead; the rest of the room goes on meanwhile.

        Args:
            turn_deg: to the right.
            forward_m: ahead; negative is back.
            seconds: that it takes.

        Returns:
            Whether it got there. Where it hits something it stops.
        """
        turn = -math.radians(turn_deg)
        turns = math.ceil(abs(turn) / SUBSTEP_RAD)
        drives = math.ceil(abs(forward_m) / SUBSTEP_M)
        steps = max(turns + drives, 1)
        for step in range(steps):
            self._move_others(seconds / steps)
            if step < turns:
                self.heading += turn / turns
            elif drives:
                before = self.x, self.y
                self.x += forward_m / drives * math.cos(self.heading)
                self.y += forward_m / drives * math.sin(self.heading)
            self._settle()
            if touched := self._touched():
                self.hits.extend(touched)
                if step >= turns and drives:
                    self.x, self.y = before
                    self._settle()
                return False
        return True

    def distances(self) -> tuple[float, float]:
        """From the robot's body to the surface of what is asked for, and to its middle, in metres."""
        thing = self._things[self.room.target]
        (at, _) = self._bullet.getBasePositionAndOrientation(thing, physicsClientId=self._client)
        gap = self._gap(thing)
        return gap, max(0.0, math.hypot(at[0] - self.x, at[1] - self.y) - BODY_RADIUS_M)

    def shares(self, labels: npt.NDArray[np.bool_], shot: Shot) -> dict[str, float]:
        """Which things a mask covers, in words, and which share of it: for checks, not for the robot."""
        names = [f"{thing.color} {thing.shape}" for thing in self.room.things] + ["wall"] * 4
        counts = np.bincount(shot.labels[labels], minlength=len(names) + 1)
        total = max(int(labels.sum()), 1)
        found = dict.fromkeys(["floor", *names], 0.0)
        for name, count in zip(["floor", *names], counts, strict=False):
            found[name] += float(count) / total
        return found

    def _gap(self, body: int) -> float:
        points = self._bullet.getClosestPoints(self._body, body, 20.0, physicsClientId=self._client)
        return min(float(point[8]) for point in points)

    def _touched(self) -> list[str]:
        names = [f"{thing.color} {thing.shape}" for thing in self.room.things] + ["wall"] * len(self._walls)
        bodies = [*self._things, *self._walls]
        return [name for name, body in zip(names, bodies, strict=True) if self._gap(body) <= 0]

    def _move_others(self, seconds: float) -> None:
        self.time_s += seconds
        mover = self.room.mover
        if mover is None or self.time_s < mover.start_s:
            return
        body = self._things[mover.thing]
        if self._gap(body) < CONSIDERATE_M:
            return
        (x, y, z), rotation = self._bullet.getBasePositionAndOrientation(body, physicsClientId=self._client)
        dx, dy = mover.to[0] - x, mover.to[1] - y
        share = min(1.0, MOVER_M_S * seconds / max(math.hypot(dx, dy), 1e-9))
        self._put(body, Pose((x + share * dx, y + share * dy, z), rotation))

    def _settle(self) -> None:
        self._put(self._body, Pose((self.x, self.y, BODY_HEIGHT_M / 2), yaw(self.heading)))

    def _put(self, body: int, pose: Pose) -> None:
        self._bullet.resetBasePositionAndOrientation(
            body, pose.position, pose.rotation, physicsClientId=self._client
        )

    def _build(self, thing: Thing, rng: np.random.Generator, folder: Path) -> int:
        bullet, half = self._bullet, thing.height / 2
        # The shapes' origins are in their middles, the meshes' of box and cylinder at their feet.
        if thing.shape == "ball":
            mesh, z, offset = meshes.ball(half), half, (0.0, 0.0, 0.0)
            shape = {"shapeType": bullet.GEOM_SPHERE, "radius": half}
        elif thing.shape == "box":
            mesh, z, offset = (
                meshes.box(thing.width, thing.width, thing.height, cells=3),
                0.0,
                (0.0, 0.0, half),
            )
            shape = {"shapeType": bullet.GEOM_BOX, "halfExtents": [thing.width / 2, thing.width / 2, half]}
        else:
            mesh, z, offset = meshes.cylinder(thing.width / 2, thing.height), 0.0, (0.0, 0.0, half)
            shape = {"shapeType": bullet.GEOM_CYLINDER, "radius": thing.width / 2, "height": thing.height}
        solid = bullet.createCollisionShape(
            **shape, collisionFramePosition=offset, physicsClientId=self._client
        )
        pose = Pose((thing.x, thing.y, z), yaw(thing.turn))
        texture = textures.paint(rng, 64)
        return add_body(self._client, mesh, pose, PAINTS[thing.color], texture, folder, collision=solid)

    def _floor(self, rng: np.random.Generator, folder: Path) -> None:
        side = self.room.side
        texture = textures.tiles(rng, (172, 168, 160), round(3 * side), 512)
        calm = np.rint(0.6 * texture.mean(axis=(0, 1)) + 0.4 * texture).astype(np.uint8)
        mesh = meshes.box(side, side, 0.05, cells=8)
        add_body(self._client, mesh, Pose((0.0, 0.0, -0.05)), (255, 255, 255), calm, folder)

    def _build_walls(self, rng: np.random.Generator, folder: Path) -> list[int]:
        side, bodies = self.room.side, []
        texture = textures.plaster(rng, (238, 234, 224), 256)
        for n in range(4):
            angle = n * math.pi / 2
            solid = self._bullet.createCollisionShape(
                self._bullet.GEOM_BOX,
                halfExtents=[side / 2, 0.03, WALL_M / 2],
                collisionFramePosition=[0, 0, WALL_M / 2],
                physicsClientId=self._client,
            )
            at = Pose((math.sin(angle) * side / 2, math.cos(angle) * side / 2, 0.0), yaw(-angle))
            mesh = meshes.box(side, 0.06, WALL_M, cells=4)
            bodies.append(add_body(self._client, mesh, at, (255, 255, 255), texture, folder, collision=solid))
        return bodies
