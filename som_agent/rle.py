"""Reading COCO's run-length encoding of masks; `som_kernels.encode_rle` writes it."""

from __future__ import annotations

import numpy as np

from som_agent.regions import BoolArray

__all__ = ["decode"]


def decode(rle: str, size: tuple[int, int]) -> BoolArray:
    """The mask `[H, W] bool` of compressed counts, `size` being width and height; "" is an empty mask."""
    from pycocotools import mask as coco

    w, h = size
    if not rle:
        return np.zeros((h, w), bool)
    return np.asarray(coco.decode({"size": [h, w], "counts": rle.encode("ascii")}), dtype=bool)
