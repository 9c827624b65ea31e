"""Generated scenes as the evaluation reads them: a video, its exact masks, questions with true answers.

The files are written by `examples/scenes/generate.py`; its README describes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError
from som_agent.rle import decode

__all__ = ["SceneFile", "SceneQuestion", "read_scene"]


@dataclass(frozen=True)
class SceneQuestion:
    """A question and its true answer.

    Attributes:
        text: the question.
        kind: "color", "order", "relation", ….
        objects: ids of the objects that the answer names.
        count: the number that it asks for, if it does.
        intervals: when it holds, in seconds, if it asks for that.
    """

    text: str
    kind: str
    objects: frozenset[int]
    count: int | None
    intervals: tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class SceneFile:
    """A scene with its truth.

    Attributes:
        name: its file's name without ending.
        video: the video file.
        size: width and height in pixels.
        names: object id → its name, "red cup".
        rles: object id → COCO compressed RLE counts of its mask in each frame, "" where nothing shows.
        questions: what can be asked.
    """

    name: str
    video: Path
    size: tuple[int, int]
    names: dict[int, str]
    rles: dict[int, list[str]]
    questions: tuple[SceneQuestion, ...]

    def labels(self, frame: int) -> npt.NDArray[np.int32]:
        """True object of each pixel of a frame, `[H, W] int32`, 0 for none."""
        w, h = self.size
        labels = np.zeros((h, w), np.int32)
        for obj, rles in self.rles.items():
            labels[decode(rles[frame], self.size)] = obj
        return labels

    def write_masks(self, folder: Path) -> None:
        """Write the true masks for the segmenter `labels:FOLDER`, a JSON list of COCO RLEs a frame."""
        w, h = self.size
        for frame, counts in enumerate(zip(*self.rles.values(), strict=True)):
            masks = [{"size": [h, w], "counts": rle} for rle in counts if rle]
            (folder / f"{frame:06d}.json").write_text(json.dumps(masks), encoding="utf-8")


def read_scene(path: str | Path) -> SceneFile:
    """Read `NAME.json`; `NAME.mp4` lies beside it.

    Raises:
        InputError: the file cannot be read, or is no scene.
    """
    file = Path(path)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return SceneFile(
            name=file.stem,
            video=file.with_suffix(".mp4"),
            size=(int(data["size"][0]), int(data["size"][1])),
            names={thing["id"]: thing["name"] for thing in data["objects"]},
            rles={thing["id"]: thing["rles"] for thing in data["objects"]},
            questions=tuple(_question(question) for question in data["questions"]),
        )
    except OSError as error:
        raise InputError(f"cannot read the scene {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} is no scene with its truth ({type(error).__name__}: {error}); "
            "examples/scenes/generate.py writes such files"
        ) from error


def _question(data: dict[str, Any]) -> SceneQuestion:
    intervals = data.get("intervals")
    return SceneQuestion(
        text=data["question"],
        kind=data["kind"],
        objects=frozenset(data["objects"]),
        count=data.get("count"),
        intervals=None if intervals is None else tuple((float(a), float(b)) for a, b in intervals),
    )
