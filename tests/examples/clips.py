"""Short clips for the examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from som_agent.video import write_video


def hiding(path: Path, *, from_s: float, to_s: float, seconds: float, fps: int = 6) -> Path:
    """A yellow block that a red bar hides from one moment to another."""
    images = []
    for k in range(round(seconds * fps)):
        image = np.full((90, 160, 3), 200, np.uint8)
        image[35:65, 60:100] = (235, 210, 30)
        x = 2 if k / fps < from_s else 50 if k / fps < to_s else 105
        image[15:80, x : x + 52] = (190, 20, 25)
        images.append(image)
    write_video(path, images, fps)
    return path
