"""Crops of a picture, for things too small in the whole of it, as Segment Anything (2304.02643) cuts them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

from som_agent.video.frame import Frame

if TYPE_CHECKING:
    from som_agent.segmenters.rules import Everything

__all__ = ["Box", "Crop", "crop_boxes", "crops", "is_near_cut"]

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, x1 and y1 one past the last."""

NEAR_PX = 20.0
"""A mask whose box comes this near to where a crop was cut may go on beyond it."""


class Crop(NamedTuple):
    """A part of a frame to look at.

    Attributes:
        frame: the part; the whole frame is the frame itself.
        box: where it is in the frame.
        layer: 0 for the whole frame.
    """

    frame: Frame
    box: Box
    layer: int


def crops(frame: Frame, rules: Everything) -> Iterator[Crop]:
    """The whole frame, then its crops, layer by layer."""
    h, w = frame.image.shape[:2]
    yield Crop(frame, (0, 0, w, h), 0)
    for layer, box in crop_boxes((h, w), rules.crop_layers, rules.crop_overlap_ratio):
        x0, y0, x1, y1 = box
        yield Crop(Frame(frame.image[y0:y1, x0:x1], frame.index, frame.time), box, layer)


def crop_boxes(size: tuple[int, int], layers: int, overlap_ratio: float) -> list[tuple[int, Box]]:
    """Layer and box of each crop, column by column; 2^n columns and rows in layer n, from 1.

    Args:
        size: height and width of the picture.
        layers: how many; 0 gives no crops.
        overlap_ratio: the overlap in the first layer as a share of the shorter side; in each further layer
            half of it.
    """
    found = []
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / count))
        h, w = (math.ceil((side + overlap * (count - 1)) / count) for side in size)
        found += [
            (layer, (x, y, min(x + w, size[1]), min(y + h, size[0])))
            for x in ((w - overlap) * i for i in range(count))
            for y in ((h - overlap) * i for i in range(count))
            if x < size[1] and y < size[0]  # of tiny pictures rounding leaves the last crops nothing
        ]
    return found


def is_near_cut(boxes: torch.Tensor, crop: Box, size: tuple[int, int]) -> torch.Tensor:
    """Which masks of a crop touch its cuts, `[N] bool`; the border of the picture itself is no cut.

    Args:
        boxes: of the masks, `[N, 4] int32` in pixels of the crop.
        crop: where the crop is in the picture.
        size: height and width of the picture.
    """
    x0, y0 = crop[:2]
    # The original's boxes end on their last pixel.
    shift = torch.tensor([x0, y0, x0 - 1, y0 - 1], device=boxes.device)
    sides = boxes + shift
    near = [
        (sides - torch.tensor(box, device=boxes.device)).abs() <= NEAR_PX
        for box in (crop, (0, 0, size[1], size[0]))
    ]
    return (near[0] & ~near[1]).any(dim=1)
