"""Masks in the newest frame by pointing at things, or by naming them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.regions import BoolArray
from som_agent.segmenters.prompts import Prompt, Prompted
from som_agent.video.frame import Frame, Image

__all__ = ["Named", "mask_at"]


@dataclass(frozen=True)
class Named:
    """A mark that a phrase names.

    Attributes:
        mark: its row of the mark table.
        phrase: as it was given.
        score: how sure the finder is, 0 to 1.
    """

    mark: MarkInfo
    phrase: str
    score: float


def mask_at(
    segmenter: Prompted,
    frame: Frame,
    small: Image,
    points: Sequence[Sequence[float]],
    labels: Sequence[int],
    box: Sequence[float] | None,
) -> BoolArray:
    """The mask of what is pointed at, of the size of `small`.

    Args:
        segmenter: makes the mask.
        frame: the frame, in whose pixels points and box are.
        small: the picture of it that is processed, `[h, w, 3] uint8`.
        points: x, y of points on the thing, or off it.
        labels: 1 for on, 0 for off, one a point; all on if there are none.
        box: x0, y0, x1, y1 around the thing.

    Raises:
        InputError: the prompt makes no sense, lies outside the frame, or nothing is there.
    """
    prompt = Prompt(points, labels, box)
    prompt.check(frame)
    scale = np.array(small.shape[1::-1]) / np.array(frame.image.shape[1::-1])
    moved = Prompt(
        (np.array(prompt.points).reshape(-1, 2) * scale).tolist(),
        prompt.labels,
        None if prompt.box is None else (np.array(prompt.box).reshape(2, 2) * scale).ravel().tolist(),
    )
    mask = segmenter.prompted(replace(frame, image=small), moved)
    if not mask.any():
        raise InputError(f"{segmenter.name} finds nothing there in frame {frame.index}")
    return mask
