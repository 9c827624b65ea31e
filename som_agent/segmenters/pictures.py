"""A frame as the networks of Set-of-Mark see it: resized, normalised, padded at the right and bottom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

__all__ = ["Seen", "fitted", "seen"]


@dataclass(frozen=True)
class Seen:
    """What a network sees of a frame.

    Attributes:
        pixels: `[1, 3, H, W] float32`, normalised and padded, see `networks.pictures.prepared`.
        inner: height and width of the picture's part of it, in the top left corner.
    """

    pixels: torch.Tensor
    inner: tuple[int, int]

    @property
    def padded(self) -> tuple[int, int]:
        """H and W."""
        return self.pixels.shape[2], self.pixels.shape[3]


def fitted(size: tuple[int, int], short: int, long: int | None = None) -> tuple[int, int]:
    """The size that a frame gets: its short side `short`, or less where the other would pass `long`.

    Rounded as detectron2 does, to the nearest pixel after scaling.
    """
    scale = short / min(size)
    if long is not None:
        scale = min(scale, long / max(size))
    h, w = (max(1, int(side * scale + 0.5)) for side in size)
    return h, w


def seen(
    image: npt.NDArray[np.uint8],
    size: tuple[int, int],
    device: torch.device,
    *,
    kind: Literal["bilinear", "bicubic"] = "bilinear",
) -> Seen:
    """Make a picture what a network sees.

    Args:
        image: `[h, w, 3] uint8` RGB.
        size: height and width that it gets before it is padded; Pillow resizes it, as the authors do.
        device: where the result lies.
        kind: how it is resized.
    """
    import torch
    from PIL import Image

    from som_agent.segmenters.networks.pictures import prepared

    if image.shape[:2] != size:
        way = Image.Resampling.BILINEAR if kind == "bilinear" else Image.Resampling.BICUBIC
        image = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size[::-1], way))
    return Seen(prepared(torch.from_numpy(np.array(image)).to(device)), size)
