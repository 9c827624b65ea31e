"""Dense optical flow between two frames, for warping the past into the present."""

from __future__ import annotations

import cv2
import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_agent.video.frame import Image
from som_kernels._jit import compiled

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
    flow *= np.array([w / now.shape[1], h / now.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def warp_labels(labels: IntArray, flow: FloatArray) -> IntArray:
    """Carry a label map of the frame before into the present: nearest pixel, 0 where it came from outside."""
    warped = np.zeros_like(labels)
    _warp(labels, flow, warped)
    return warped


@compiled
def _warp(labels: IntArray, flow: FloatArray, warped: IntArray) -> None:
    h, w = labels.shape
    for y in range(h):
        for x in range(w):
            from_x, from_y = np.rint(x + flow[y, x, 0]), np.rint(y + flow[y, x, 1])
            if 0 <= from_x < w and 0 <= from_y < h:
                warped[y, x] = labels[int(from_y), int(from_x)]
