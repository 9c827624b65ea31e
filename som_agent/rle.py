"""COCO run-length encoding of masks, as `pycocotools` reads and writes it, straight from a cropped mask."""

from __future__ import annotations

import numpy as np

from som_agent.regions import BoolArray

__all__ = ["decode", "encode_crop"]


def encode_crop(crop: BoolArray, box: tuple[int, int, int, int], size: tuple[int, int]) -> str:
    """Encode a mask given inside its box.

    Args:
        crop: `[y1 - y0, x1 - x0] bool`.
        box: x0, y0, x1, y1 in the full picture.
        size: width and height of the full picture.

    Returns:
        The compressed counts of COCO's RLE (runs down the columns, starting with a run of zeros).
    """
    from pycocotools import mask as coco

    w, h = size
    x0, y0, x1, y1 = box
    columns = np.zeros((x1 - x0, y1 - y0 + 2), np.int8)
    columns[:, 1:-1] = crop.T
    step = np.diff(columns, axis=1)
    column, row = np.nonzero(step > 0)
    starts = (column + x0) * h + row + y0
    column, row = np.nonzero(step < 0)
    ends = (column + x0) * h + row + y0
    # A run that reaches the foot of one column and goes on at the head of the next is one run.
    joined = starts[1:] == ends[:-1]
    starts, ends = np.delete(starts, np.flatnonzero(joined) + 1), np.delete(ends, np.flatnonzero(joined))
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], edges, [w * h]]))
    if counts[-1] == 0 and len(counts) > 1:
        counts = counts[:-1]
    return str(coco.frPyObjects({"size": [h, w], "counts": counts.tolist()}, h, w)["counts"].decode("ascii"))


def decode(rle: str, size: tuple[int, int]) -> BoolArray:
    """The mask `[H, W] bool` of compressed counts, `size` being width and height; "" is an empty mask."""
    from pycocotools import mask as coco

    w, h = size
    if not rle:
        return np.zeros((h, w), bool)
    return np.asarray(coco.decode({"size": [h, w], "counts": rle.encode("ascii")}), dtype=bool)
