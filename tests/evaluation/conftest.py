import json
from pathlib import Path

import numpy as np
import pytest
import torch

from som_agent.video import write_video
from som_kernels import encode_rle

SIZE = (160, 96)
FRAMES = 18
FPS = 6


def _labels(k: int) -> np.ndarray:
    """A red block that stands still, a blue one that moves to the right."""
    labels = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    labels[20:60, 10:50] = 1
    labels[35:75, 70 + 2 * k : 110 + 2 * k] = 2
    return labels


def _image(k: int) -> np.ndarray:
    palette: np.ndarray = np.array([(205, 205, 205), (210, 25, 25), (25, 50, 200)], np.uint8)
    return np.asarray(palette[_labels(k)])


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures and true labels of a small video."""
    return [_image(k) for k in range(FRAMES)], [_labels(k) for k in range(FRAMES)]


@pytest.fixture
def scene(tmp_path: Path, blocks: tuple[list[np.ndarray], list[np.ndarray]]) -> Path:
    """A scene in the form of the generator's: `blocks.json` and `blocks.mp4`."""
    images, labels = blocks
    write_video(tmp_path / "blocks.mp4", images, FPS)
    video = torch.from_numpy(np.array(labels))
    things = [
        {"id": k, "name": name, "rles": encode_rle(video == k)}
        for k, name in ((1, "red block"), (2, "blue block"))
    ]
    seen = [[0.0, (FRAMES - 1) / FPS]]
    questions = [
        {"question": "Which marks are red?", "kind": "color", "objects": [1]},
        {"question": "Which marks move?", "kind": "motion", "objects": [2]},
        {"question": "How many green marks are there at 1 s?", "kind": "count", "objects": [], "count": 0},
        {"question": "When is the blue mark visible?", "kind": "time", "objects": [2], "intervals": seen},
        {"question": "Which mark is the dog?", "kind": "hidden", "objects": [1]},
    ]
    data = {"size": list(SIZE), "fps": FPS, "objects": things, "questions": questions}
    path = tmp_path / "blocks.json"
    path.write_text(json.dumps(data))
    return path
