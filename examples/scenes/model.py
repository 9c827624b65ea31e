"""What a scene is made of: things with paths, a camera with a path, and the frames that come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.scenes.meshes import Mesh
from som_agent.video.frame import Image

__all__ = [
    "Actor",
    "Camera",
    "Labels",
    "Pose",
    "Prop",
    "SceneFrame",
    "SceneObject",
    "Script",
    "Vector",
    "yaw",
]

Vector = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pose:
    """Where a thing is in the world (metres, z up) and how it is turned (unit quaternion x, y, z, w)."""

    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    def apply(self, points: Vector) -> Vector:
        """Points of the thing, `[N, 3]`, in the world."""
        x, y, z, w = self.rotation
        axis = np.array([x, y, z])
        turned = points + 2 * np.cross(axis, np.cross(axis, points) + w * points)
        return np.asarray(turned + self.position, dtype=np.float64)


def yaw(angle: float) -> tuple[float, float, float, float]:
    """The quaternion of a turn about z by `angle` radians."""
    return (0.0, 0.0, float(np.sin(angle / 2)), float(np.cos(angle / 2)))


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with its principal point in the middle of the picture.

    Attributes:
        eye: position in metres.
        target: a point on the optical axis; z of the world is up in the picture.
        fov: vertical field of view in degrees.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov: float

    def axes(self) -> Vector:
        """Right, up and backward unit vectors, `[3, 3]`, one a row."""
        back = np.subtract(self.eye, self.target).astype(np.float64)
        back /= np.linalg.norm(back)
        right = np.cross([0.0, 0.0, 1.0], back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back])

    def project(self, points: Vector, size: tuple[int, int]) -> Vector:
        """Pixels of world points `[N, 3]` as x, y and depth in metres, `[N, 3]`; depth ≤ 0 is behind."""
        w, h = size
        local = (points - np.asarray(self.eye)) @ self.axes().T
        depth = -local[:, 2]
        focal = h / 2 / np.tan(np.radians(self.fov) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = w / 2 + focal * local[:, 0] / depth
            y = h / 2 - focal * local[:, 1] / depth
        return np.stack([x, y, depth], axis=1)


@dataclass(frozen=True)
class SceneObject:
    """One object as the truth tells of it.

    Attributes:
        id: its value in label maps, from 1.
        name: colour and kind, "red cup"; several objects may share it.
        color: one of the eleven basic colour terms.
        shape: "cup", "ball", "box", "cylinder", "cone" or "vase".
        size: extent along its own x, y and z in metres.
    """

    id: int
    name: str
    color: str
    shape: str
    size: tuple[float, float, float]


@dataclass(frozen=True)
class Prop:
    """A thing of the set that the truth does not number: table, wall, floor.

    Attributes:
        mesh: its surface.
        pose: where it stands.
        texture: `[n, n, 3] uint8` RGB, or None for the plain `rgb`.
        rgb: its colour, 0 to 255, multiplied with the texture.
    """

    mesh: Mesh
    pose: Pose
    texture: Image | None = None
    rgb: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True)
class Actor:
    """An object with its looks and its path; `path` gives its pose at a time in seconds."""

    info: SceneObject
    mesh: Mesh
    rgb: tuple[int, int, int]
    path: Callable[[float], Pose]
    texture: Image | None = None


@dataclass(frozen=True)
class Script:
    """Everything that happens in a scene.

    Attributes:
        actors: the numbered objects, ids 1 to N in order.
        props: the set.
        camera: the camera at a time in seconds.
        light: direction towards the light.
        shadows: whether the renderer casts shadows (its shadow map only covers scenes of table size).
        story: facts that only this kind of scene has, ready for JSON.
    """

    actors: list[Actor]
    props: list[Prop]
    camera: Callable[[float], Camera]
    light: tuple[float, float, float]
    shadows: bool = True
    story: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneFrame:
    """One rendered frame with its exact truth.

    Attributes:
        image: `[H, W, 3] uint8` RGB.
        labels: `[H, W] uint8`, object id of each pixel, 0 for the set.
        index: frame number from 0.
        time: seconds.
        camera: the camera at that time.
        poses: object id → pose at that time.
    """

    image: Image
    labels: Labels
    index: int
    time: float
    camera: Camera
    poses: dict[int, Pose]
