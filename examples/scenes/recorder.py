"""Gathers the truth while frames stream by."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from examples.scenes.model import Actor, Camera, Pose, SceneFrame, Script, Vector
from examples.scenes.questions import questions
from examples.scenes.truth import SceneTruth
from som_kernels import encode_rle

__all__ = ["TruthRecorder"]


class TruthRecorder:
    """Takes the truth of each frame as it streams by; keeps numbers and RLEs, not pictures."""

    def __init__(self, kind: str, seed: int, size: tuple[int, int], fps: float, script: Script) -> None:
        self._head = (kind, seed, size, fps)
        self._script = script
        self._outlines = [_outline(actor) for actor in script.actors]
        self._rows: list[tuple[list[int], list[float], list[Vector], list[list[float]], list[float]]] = []
        self._rles: list[list[str]] = []

    def add(self, frame: SceneFrame) -> None:
        """Take the next frame."""
        size = self._head[2]
        areas: list[int] = []
        shares: list[float] = []
        centers: list[Vector] = []
        rles: list[str] = []
        for actor, outline in zip(self._script.actors, self._outlines, strict=True):
            pose = frame.poses[actor.info.id]
            mask = frame.labels == actor.info.id
            areas.append(int(mask.sum()))
            full = _outline_area(outline, pose, frame.camera, size)
            shares.append(min(1.0, areas[-1] / full) if full > 0 else 0.0)
            middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
            x, y, depth = frame.camera.project(pose.apply(middle[None]), size)[0]
            centers.append(np.array([x, y]) if depth > 0 else np.full(2, np.nan))
            rles.extend(encode_rle(torch.from_numpy(mask[None])) if areas[-1] else [""])
        poses = [[*pose.position, *pose.rotation] for pose in frame.poses.values()]
        camera = [*frame.camera.eye, *frame.camera.target, frame.camera.fov]
        self._rows.append((areas, shares, centers, poses, camera))
        self._rles.append(rles)

    def truth(self) -> SceneTruth:
        """The truth of the frames so far, with its questions."""
        areas, shares, centers, poses, cameras = zip(*self._rows, strict=True)
        kind, seed, size, fps = self._head
        truth = SceneTruth(
            kind=kind,
            seed=seed,
            size=size,
            fps=fps,
            objects=tuple(actor.info for actor in self._script.actors),
            areas=np.array(areas, np.int64),
            visibility=np.array(shares),
            centers=np.array(centers),
            poses=np.array(poses),
            cameras=np.array(cameras),
            rles=list(self._rles),
            story=self._script.story,
        )
        return replace(truth, questions=questions(truth))


def _outline(actor: Actor) -> Vector:
    """The points of the mesh without repetition, `[V, 3]`."""
    return np.asarray(np.unique(np.round(actor.mesh.vertices, 5), axis=0), dtype=np.float64)


def _outline_area(points: Vector, pose: Pose, camera: Camera, size: tuple[int, int]) -> float:
    """Pixels of the convex outline of the part before the camera, picture border or not."""
    projected = camera.project(pose.apply(points), size)
    ahead = projected[projected[:, 2] > 0.05, :2].astype(np.float32)
    return float(cv2.contourArea(cv2.convexHull(ahead))) if len(ahead) > 2 else 0.0
