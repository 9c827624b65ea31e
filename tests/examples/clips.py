"""Short clips for the examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from som_agent.video import write_video


def hiding(path: Path, *, seconds: float, fps: int = 6) -> Path:
    """A yellow block that a red bar hides for the middle third of the clip."""
    frames = round(seconds * fps)
    images = []
    for k in range(frames):
        image = np.full((90, 160, 3), 200, np.uint8)
        image[35:65, 60:100] = (235, 210, 30)
        hidden = frames / 3 <= k < 2 * frames / 3
        x = 50 if hidden else 2 if k < frames / 3 else 105
        image[15:80, x : x + 52] = (190, 20, 25)
        images.append(image)
    write_video(path, images, fps)
    return path
