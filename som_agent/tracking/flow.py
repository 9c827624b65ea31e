"""Dense optical flow between two frames, for warping the past into the present."""

from __future__ import annotations

import cv2
import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_agent.video.frame import Image

__all__ = ["backward_flow", "flow_size", "gray", "warp_labels"]

FLOW_SIDE_PX = 256
"""Long side at which the flow is computed: hands and balls move too far for a finer grid to help."""


def flow_size(w: int, h: int) -> tuple[int, int]:
    """Width and height of a picture on which the flow can be computed, enlarged where they are too small.

    On its coarsest level, which it picks by the width, there must be patches of 8 px: in flat and wide
    pictures OpenCV reads beside the picture otherwise, and crashes.
    """
    least = max(32, -(-max(w, h) // 3))
    return max(w, least), max(h, least)


def gray(image: Image) -> Image:
    """The grey picture `[h', w'] uint8` on which the flow is computed, at most `FLOW_SIDE_PX` long."""
    h, w = image.shape[:2]
    scale = min(1.0, FLOW_SIDE_PX / max(h, w))
    size = flow_size(round(w * scale), round(h * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def backward_flow(now: Image, before: Image, size: tuple[int, int]) -> FloatArray:
    """Where each pixel of the present was before.

    Dense inverse search (Kroeger et al., ECCV 2016).

    Args:
        now: `gray` picture of the present frame.
        before: `gray` picture of the frame before, of the same size.
        size: width and height of the field to return.

    Returns:
        `[h, w, 2] float32`, displacement in x and y in pixels of `size`.
    """
    # A new one each time: one that was used remembers the sizes of the pictures that it saw.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = dis.calc(now, before, np.zeros((*now.shape, 2), np.float32))
    w, h = size
    scale = np.array([w / now.shape[1], h / now.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * scale, dtype=np.float32)


def warp_labels(labels: IntArray, flow: FloatArray) -> IntArray:
    """Carry a label map of the frame before into the present: nearest pixel, 0 where it came from outside."""
    h, w = labels.shape
    x = np.rint(np.arange(w, dtype=np.float32) + flow[..., 0]).astype(np.int32)
    y = np.rint(np.arange(h, dtype=np.float32)[:, None] + flow[..., 1]).astype(np.int32)
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    return np.where(inside, labels[np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)], 0).astype(np.int32)
