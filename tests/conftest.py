"""What all tests share: the real data where it is there, one thread each, and small synthetic videos."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from som_agent.video import write_image, write_video

ROOT = Path(__file__).resolve().parents[1]

# Small arrays: threads only get in each other's way, in child processes too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A developer's stored profiles of models are not for tests; those that store some name a folder of their own.
os.environ["SOM_AGENT_HOME"] = str(ROOT / "tests" / "no-such-home")

# A busy machine is no failure, and a failure must come back.
settings.register_profile("som", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("som")

COLORS = np.array(
    [
        (110, 110, 112),
        (215, 40, 35),
        (40, 80, 215),
        (35, 170, 60),
        (235, 205, 40),
        (150, 50, 190),
        (240, 240, 240),
        (15, 15, 15),
        (240, 130, 30),
        (60, 200, 210),
    ],
    np.uint8,
)
"""Colour of each label that `paint` knows; 0 is the ground."""

Box = tuple[int, int, int, int]


def boxes_to_labels(boxes: dict[int, Box], size: tuple[int, int]) -> np.ndarray:
    """Label map `[h, w] int32` of boxes x0, y0, x1, y1, later ones on top; what lies outside is cut off."""
    w, h = size
    labels = np.zeros((h, w), np.int32)
    for label, (x0, y0, x1, y1) in boxes.items():
        labels[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = label
    return labels


def paint(labels: np.ndarray) -> np.ndarray:
    """A picture `[h, w, 3] uint8` RGB of a label map, with a little fixed texture."""
    h, w = labels.shape
    noise = np.random.default_rng(7).integers(-9, 10, (h, w, 1))
    return np.clip(COLORS[labels % len(COLORS)].astype(int) + noise, 0, 255).astype(np.uint8)


def write_labels(folder: Path, maps: Sequence[np.ndarray], names: Sequence[str] | None = None) -> Path:
    """Index PNGs, one a frame in name order."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, labels in enumerate(maps):
        name = names[i] if names else f"{i:05d}"
        assert cv2.imwrite(str(folder / f"{name}.png"), labels.astype(np.uint8))
    return folder


@dataclass(frozen=True)
class Clip:
    """A video with the true label map of every frame.

    Attributes:
        path: an mp4.
        labels: a folder of index PNGs for `labels:DIR`.
        maps: the same, `[F, h, w] int32`.
        fps: frames a second.
    """

    path: Path
    labels: Path
    maps: np.ndarray
    fps: float

    @property
    def segmenter(self) -> str:
        return f"labels:{self.labels}"


def make_clip(folder: Path, maps: Sequence[np.ndarray], fps: float = 10.0) -> Clip:
    folder.mkdir(parents=True, exist_ok=True)
    path = write_video(folder / "clip.mp4", (paint(labels) for labels in maps), fps)
    return Clip(path, write_labels(folder / "labels", maps), np.array(maps), fps)


@pytest.fixture(scope="session")
def make() -> type:
    """The makers above, for tests: conftest modules cannot be imported by name."""

    class Make:
        clip = staticmethod(make_clip)
        labels = staticmethod(boxes_to_labels)
        paint = staticmethod(paint)
        write_labels = staticmethod(write_labels)

    return Make


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """24 frames of 96×64 at 10 a second: red (1) moves right, blue (2) stays, green (3) comes after 1 s."""
    maps = []
    for i in range(24):
        boxes = {1: (4 + 2 * i, 6, 28 + 2 * i, 24), 2: (60, 36, 88, 60)}
        if i >= 10:
            boxes[3] = (8, 38, 32, 58)
        maps.append(boxes_to_labels(boxes, (96, 64)))
    return make_clip(tmp_path_factory.mktemp("clip"), maps)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture `scene.png` of 240×160 with four objects, and `labels/scene.png` beside it."""
    folder = tmp_path_factory.mktemp("picture")
    labels = boxes_to_labels(
        {1: (10, 10, 100, 80), 2: (120, 20, 220, 70), 3: (20, 95, 90, 150), 4: (130, 90, 160, 150)},
        (240, 160),
    )
    write_labels(folder / "labels", [labels], ["scene"])
    return write_image(folder / "scene.png", paint(labels))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures and videos with ground truth."""
    folder = Path(os.environ.get("SOM_AGENT_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; SOM_AGENT_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of child processes that run this checkout, installed or not."""
    roots = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tools")]
    path = os.pathsep.join([*roots, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    cv2.setNumThreads(1)
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
