"""Two rows of `tracks.parquet` for one frame made into one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from som_agent.rle import decode
from som_kernels import encode_rle, pack_masks

__all__ = ["unite"]


def unite(one: dict[str, Any], two: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """The columns that differ when one mark has the masks of both rows.

    The anchor is that of the larger mask, the score the lower one, and colours are weighed by the areas.

    Args:
        one: a row whose mask is not empty.
        two: another of the same frame.
        size: width and height of the masks.
    """
    mask = decode(one["rle"], size) | decode(two["rle"], size)
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    large, small = (one, two) if one["area"] >= two["area"] else (two, one)
    weights = np.array([large["area"], small["area"]], np.float64)
    colors = weights @ np.array([large["colors"], small["colors"]], np.float64) / max(weights.sum(), 1)
    (rle,) = encode_rle(pack_masks(torch.from_numpy(mask[None])))
    return {
        "x0": float(xs[0]),
        "y0": float(ys[0]),
        "x1": float(xs[-1] + 1),
        "y1": float(ys[-1] + 1),
        "area": int(mask.sum()),
        "anchor_x": large["anchor_x"],
        "anchor_y": large["anchor_y"],
        "score": min(one["score"], two["score"]),
        "colors": [round(value) for value in colors.tolist()],
        "rle": rle,
    }
