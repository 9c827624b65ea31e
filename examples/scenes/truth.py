"""The truth of a whole clip: who is where, seen how much, with exact masks, in one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.scenes.model import Labels, SceneObject
from som_agent.rle import decode

__all__ = ["Question", "SceneTruth", "intervals", "load_truth"]

SEEN = 0.25  # an object counts as seen when this share of its outline shows ...
SEEN_AREA = 2e-4  # ... and it covers this share of the picture
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """A question and its true answer.

    Attributes:
        question: words that need no category names: colours, places, motion, order, counts, times.
        kind: "color", "count", "motion", "position", "relation", "size", "order", "time" or "hidden".
        objects: ids of the objects that the answer names, ascending.
        count: the number that "how many" asks for.
        time: the moment that the question is about, in seconds.
        intervals: when it holds, in seconds, both ends seen.
    """

    question: str
    kind: str
    objects: list[int]
    count: int | None = None
    time: float | None = None
    intervals: list[tuple[float, float]] | None = None


@dataclass(frozen=True)
class SceneTruth:
    """The truth of `F` frames with `N` objects.

    Attributes:
        kind: kind of scene.
        seed: its seed.
        size: width and height in pixels.
        fps: frames a second; frame `i` is at `i / fps` seconds.
        objects: the objects, ids 1 to N in order.
        areas: visible pixels, `[F, N] int64`.
        visibility: visible share of the convex outline that the object would have if nothing hid it and the
            picture had no border, `[F, N]`, 0 to 1; a hollow shape never quite reaches 1.
        centers: x, y of the projected middle in pixels, `[F, N, 2]`; NaN behind the camera.
        poses: x, y, z in metres and quaternion x, y, z, w, `[F, N, 7]`.
        cameras: eye, target in metres and vertical field of view in degrees, `[F, 7]`.
        rles: COCO compressed RLE counts of each mask, F rows of N; "" where nothing shows.
        story: facts of this kind of scene only.
        questions: what can be asked, with the answers.
    """

    kind: str
    seed: int
    size: tuple[int, int]
    fps: float
    objects: tuple[SceneObject, ...]
    areas: npt.NDArray[np.int64]
    visibility: Floats
    centers: Floats
    poses: Floats
    cameras: Floats
    rles: list[list[str]]
    story: dict[str, Any] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    @property
    def times(self) -> Floats:
        """Seconds of each frame, `[F]`."""
        return np.arange(len(self.areas)) / self.fps

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Whether enough of each object shows to speak of it, `[F, N]`."""
        w, h = self.size
        return (self.visibility >= SEEN) & (self.areas >= SEEN_AREA * w * h)

    def mask(self, frame: int, object_id: int) -> npt.NDArray[np.bool_]:
        """One object's mask in one frame, `[H, W] bool`."""
        return decode(self.rles[frame][object_id - 1], self.size)

    def labels(self, frame: int) -> Labels:
        """The label map of one frame, `[H, W] uint8`: object ids, 0 for the set."""
        w, h = self.size
        labels = np.zeros((h, w), np.uint8)
        for thing in self.objects:
            labels[self.mask(frame, thing.id)] = thing.id
        return labels

    def to_json(self) -> dict[str, Any]:
        """The truth file's object; see the folder's README."""
        centers = np.round(self.centers, 1).tolist()
        return {
            "kind": self.kind,
            "seed": self.seed,
            "size": list(self.size),
            "fps": self.fps,
            "frames": len(self.areas),
            "objects": [
                asdict(thing)
                | {
                    "size": [round(side, 4) for side in thing.size],
                    "seen": intervals(self.seen[:, i], self.times),
                    "areas": self.areas[:, i].tolist(),
                    "visibility": np.round(self.visibility[:, i], 3).tolist(),
                    "centers": [None if row[i][0] != row[i][0] else row[i] for row in centers],
                    "poses": _rows(self.poses[:, i]),
                    "rles": [row[i] for row in self.rles],
                }
                for i, thing in enumerate(self.objects)
            ],
            "cameras": _rows(self.cameras),
            "story": self.story,
            "questions": [
                {key: value for key, value in asdict(q).items() if value is not None} for q in self.questions
            ],
        }

    def save(self, path: Path) -> None:
        """Write the truth file."""
        path.write_text(json.dumps(self.to_json(), separators=(",", ":")) + "\n")


def load_truth(path: Path) -> SceneTruth:
    """Read a truth file."""
    data = json.loads(path.read_text())
    things, frames = data["objects"], data["frames"]
    nowhere = [float("nan")] * 2
    return SceneTruth(
        kind=data["kind"],
        seed=data["seed"],
        size=(data["size"][0], data["size"][1]),
        fps=data["fps"],
        objects=tuple(
            SceneObject(
                t["id"], t["name"], t["color"], t["shape"], (t["size"][0], t["size"][1], t["size"][2])
            )
            for t in things
        ),
        areas=np.array([t["areas"] for t in things], np.int64).T,
        visibility=np.array([t["visibility"] for t in things]).T,
        centers=np.array([[c or nowhere for c in t["centers"]] for t in things]).swapaxes(0, 1),
        poses=np.array([_unrolled(t["poses"], frames) for t in things]).swapaxes(0, 1),
        cameras=np.array(_unrolled(data["cameras"], frames)),
        rles=[list(row) for row in zip(*(t["rles"] for t in things), strict=True)],
        story=data["story"],
        questions=[
            Question(**{**q, "intervals": [(a, b) for a, b in q["intervals"]] if "intervals" in q else None})
            for q in data["questions"]
        ],
    )


def _rows(rows: Floats) -> list[list[float]]:
    """Rows rounded for JSON; a single one where they never change."""
    rounded: list[list[float]] = np.round(rows, 4).tolist()
    return rounded[:1] if all(row == rounded[0] for row in rounded) else rounded


def _unrolled(rows: list[list[float]], frames: int) -> list[list[float]]:
    return rows * frames if len(rows) == 1 else rows


def intervals(flags: npt.NDArray[np.bool_], times: Floats, *, gap: float = 0.0) -> list[tuple[float, float]]:
    """First and last times of the runs of true flags; runs less than `gap` seconds apart become one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs: list[tuple[float, float]] = []
    for start, stop in edges.reshape(-1, 2):
        a, b = round(float(times[start]), 4), round(float(times[stop - 1]), 4)
        if runs and a - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], b)
        else:
            runs.append((a, b))
    return runs
