"""Pictures and label maps of a script, by PyBullet's renderer that runs on any CPU.

Every frame is the mean of a few passes. Each pass shifts the pixel grid by a fraction of a pixel, turns the
light a little and takes its own moment while the shutter is open: smooth edges, soft shadows and motion
blur cost nothing more than the passes. A pixel belongs to the object that most of its passes hit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from examples.scenes.meshes import Mesh
from examples.scenes.model import Camera, Labels, Pose, SceneFrame, Script
from som_agent.video.frame import Image

__all__ = ["FAR", "NEAR", "add_body", "matrices", "render"]

SHUTTER = 1 / 60  # seconds
LIGHT_SPREAD = 0.06  # radius of the lamp as seen from the scene, in radians
NEAR, FAR = 0.05, 30.0


def render(
    script: Script, *, seed: int, size: tuple[int, int], fps: float, frames: int, samples: int
) -> Iterator[SceneFrame]:
    """Render a script frame by frame; the same arguments give the same bits.

    Args:
        script: what happens.
        seed: seeds the sensor noise.
        size: width and height in pixels.
        fps: frames a second.
        frames: how many.
        samples: passes a frame, at least 1.
    """
    stage = _Stage(script)
    lens = _vignette(size)
    try:
        for index in range(frames):
            time = index / fps
            image, labels = stage.expose(time, size, samples)
            yield SceneFrame(
                image=_sensor(image * lens, np.random.default_rng([seed, index]), time),
                labels=labels,
                index=index,
                time=time,
                camera=script.camera(time),
                poses={actor.info.id: actor.path(time) for actor in script.actors},
            )
    finally:
        stage.close()


class _Stage:
    """The script's things in a PyBullet world of their own."""

    def __init__(self, script: Script) -> None:
        import pybullet

        self._bullet: Any = pybullet
        self._client = pybullet.connect(pybullet.DIRECT)
        self._script = script
        with tempfile.TemporaryDirectory() as folder:
            for prop in script.props:
                add_body(self._client, prop.mesh, prop.pose, prop.rgb, prop.texture, Path(folder))
            self._bodies = [
                add_body(self._client, actor.mesh, actor.path(0.0), actor.rgb, actor.texture, Path(folder))
                for actor in script.actors
            ]
        # Body number -> object id; the last entry answers for -1, where there is nothing.
        self._ids = np.zeros(max(self._bodies) + 2, np.uint8)
        for actor, body in zip(script.actors, self._bodies, strict=True):
            self._ids[body] = actor.info.id

    def close(self) -> None:
        self._bullet.disconnect(self._client)

    def expose(
        self, time: float, size: tuple[int, int], samples: int
    ) -> tuple[npt.NDArray[np.float32], Labels]:
        """One frame before it meets the sensor, `[H, W, 3] float32` in 0..255, and its label map."""
        w, h = size
        light = np.zeros((h, w, 3), np.float32)
        votes = np.zeros((len(self._bodies) + 1, h, w), np.uint8)
        for n in range(samples):
            # Points of an additive recurrence fill the pixel evenly, whatever their number; the first is
            # in the middle of the pixel.
            dx, dy = ((0.5 + n * np.array([0.7549, 0.5698])) % 1.0) - 0.5
            moment = max(0.0, time + SHUTTER * ((n + 0.5) / samples - 0.5))
            turn = 2 * np.pi * n * 0.618
            radius = LIGHT_SPREAD * np.sqrt(n / samples)
            lamp = np.asarray(self._script.light) / np.linalg.norm(self._script.light)
            lamp = lamp + radius * np.array([np.cos(turn), np.sin(turn), 0.0])
            rgb, seen = self._pass(moment, size, (dx, dy), lamp)
            light += rgb
            for i in np.unique(seen):
                votes[i] += seen == i
        return light / np.float32(samples), votes.argmax(axis=0).astype(np.uint8)

    def _pass(
        self, time: float, size: tuple[int, int], shift: tuple[float, float], lamp: npt.NDArray[np.float64]
    ) -> tuple[Image, Labels]:
        bullet, script = self._bullet, self._script
        for actor, body in zip(script.actors, self._bodies, strict=True):
            pose = actor.path(time)
            bullet.resetBasePositionAndOrientation(
                body, pose.position, pose.rotation, physicsClientId=self._client
            )
        w, h = size
        view, projection = matrices(script.camera(time), size, shift)
        _, _, rgba, _, segments = bullet.getCameraImage(
            w,
            h,
            view,
            projection,
            lightDirection=lamp.tolist(),
            lightColor=[1.0, 0.98, 0.95],
            lightDistance=2.0,
            shadow=int(script.shadows),
            lightAmbientCoeff=0.30,
            lightDiffuseCoeff=0.86,
            lightSpecularCoeff=0.10,
            renderer=bullet.ER_TINY_RENDERER,
            physicsClientId=self._client,
        )
        rgb = np.asarray(rgba, np.uint8).reshape(h, w, 4)[..., :3]
        return rgb, self._ids[np.asarray(segments).reshape(h, w)]


def add_body(
    client: int,
    mesh: Mesh,
    pose: Pose,
    rgb: tuple[int, int, int],
    texture: Image | None,
    folder: Path,
    *,
    collision: int = -1,
) -> int:
    """Put a thing into a PyBullet world; returns its number there.

    Args:
        client: the world.
        mesh: its surface.
        pose: where it stands.
        rgb: its colour, 0 to 255, multiplied with the texture.
        texture: `[n, n, 3] uint8` RGB, or None.
        folder: for the texture's file, which PyBullet reads at once.
        collision: a collision shape of that world, -1 for a thing that everything passes through.
    """
    import pybullet

    bullet: Any = pybullet
    shape = bullet.createVisualShape(
        bullet.GEOM_MESH,
        vertices=mesh.vertices.tolist(),
        normals=mesh.normals.tolist(),
        uvs=mesh.uvs.tolist(),
        indices=mesh.indices.tolist(),
        rgbaColor=[channel / 255 for channel in rgb] + [1.0],
        specularColor=[0.0, 0.0, 0.0],
        physicsClientId=client,
    )
    body: int = bullet.createMultiBody(
        0, collision, shape, pose.position, pose.rotation, physicsClientId=client
    )
    if texture is not None:
        path = str(folder / f"{body}.png")
        cv2.imwrite(path, texture[..., ::-1])
        loaded = bullet.loadTexture(path, physicsClientId=client)
        bullet.changeVisualShape(body, -1, textureUniqueId=loaded, physicsClientId=client)
    return body


def matrices(
    camera: Camera, size: tuple[int, int], shift: tuple[float, float]
) -> tuple[list[float], list[float]]:
    """OpenGL view and projection matrices, column after column; `shift` moves the picture by pixels."""
    w, h = size
    axes = camera.axes()
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = axes, -axes @ np.asarray(camera.eye)
    scale = 1 / np.tan(np.radians(camera.fov) / 2)
    projection = np.zeros((4, 4))
    projection[0, 0], projection[1, 1] = scale * h / w, scale
    projection[0, 2], projection[1, 2] = 2 * shift[0] / w, 2 * shift[1] / h
    projection[2, 2], projection[2, 3] = (FAR + NEAR) / (NEAR - FAR), 2 * FAR * NEAR / (NEAR - FAR)
    projection[3, 2] = -1.0
    return view.T.ravel().tolist(), projection.T.ravel().tolist()


def _vignette(size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The lens: a little darker towards the corners, `[H, W, 1]`."""
    w, h = size
    x, y = (np.arange(w) + 0.5) / w - 0.5, (np.arange(h) + 0.5) / h - 0.5
    return (1 - 0.22 * (x[None] ** 2 + y[:, None] ** 2))[..., None].astype(np.float32)


def _sensor(light: npt.NDArray[np.float32], rng: np.random.Generator, time: float) -> Image:
    """A tone curve that lifts the shade, exposure that flickers a little, noise that grows with the light."""
    exposure = 1 + 0.006 * np.sin(2 * np.pi * 0.9 * time) + 0.003 * rng.standard_normal()
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    toned = 255 * (light * np.float32(exposure / 255)) ** np.float32(0.85)
    picture = toned + grain * np.sqrt(0.8 + 0.008 * toned)
    image: Image = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return image
