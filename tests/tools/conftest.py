from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from som_agent.video import write_video


def _blocks(shift: int) -> np.ndarray:
    """A red block that stands still on grey, and a blue one that moves to the right."""
    image = np.full((90, 160, 3), 200, np.uint8)
    image[20:60, 15:55] = (210, 25, 25)
    image[35:70, 80 + shift : 115 + shift] = (25, 50, 200)
    return image


@pytest.fixture
def blocks() -> Callable[[int], np.ndarray]:
    """Draws the picture in which the blue block has moved by so many pixels."""
    return _blocks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with `blocks.mp4`, twelve frames at six a second, and a secret beside it."""
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "blocks.mp4", [_blocks(3 * k) for k in range(12)], 6)
    write_video(tmp_path / "secret.mp4", [_blocks(0)] * 2, 6)
    return folder
