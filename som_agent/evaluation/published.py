"""The published way to draw marks, as a yardstick.

The rules of the Set-of-Mark code (arXiv 2310.11441), written anew from what is known of it: masks are drawn
from the largest to the smallest, overlaps are not taken away; each is filled with its colour at alpha 0.1 as
a polygon with an outline; its number goes to the maximum of the distance transform of the whole mask, as
bright text of 10 points (at 100 dots an inch) on a black box, by matplotlib at the picture's own size.
Colours are drawn at random on every call there; here they are ours, so that both are read on the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from som_agent.errors import MissingExtraError
from som_agent.history import MarkInfo
from som_agent.marks.placement import Box
from som_agent.regions import BoolArray
from som_agent.video.frame import Image

__all__ = ["draw_published"]

_DPI = 100


def draw_published(image: Image, masks: BoolArray, marks: Sequence[MarkInfo]) -> tuple[Image, list[Box]]:
    """Draw masks and their numbers.

    Args:
        image: `[H, W, 3] uint8` RGB.
        masks: `[n, H, W] bool`, none empty.
        marks: label and colour of each.

    Returns:
        The picture, `[H, W, 3] uint8`, and the box x0, y0, x1, y1 of each number's black ground.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Polygon
    except ImportError as error:
        raise MissingExtraError("drawing marks the published way", "bench") from error
    h, w = image.shape[:2]
    figure = Figure(figsize=((w + 0.01) / _DPI, (h + 0.01) / _DPI), dpi=_DPI, frameon=False)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set_xlim(0, w)
    axes.set_ylim(h, 0)
    axes.imshow(image, extent=(0, w, h, 0), interpolation="nearest")
    texts: dict[int, Any] = {}
    for k in np.argsort(-masks.sum(axis=(1, 2)), kind="stable").tolist():
        mask = masks[k].view(np.uint8)
        color = tuple(value / 255 for value in marks[k].color)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            if len(contour) >= 3:
                axes.add_patch(
                    Polygon(
                        contour[:, 0] + 0.5, fill=True, facecolor=(*color, 0.1), edgecolor=color, linewidth=1
                    )
                )
        # With a rim of zeros, for the picture's border is an edge of the mask.
        distance = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 0)[1:-1, 1:-1]
        y, x = divmod(int(distance.argmax()), w)
        texts[k] = axes.text(
            x,
            y,
            marks[k].label,
            size=10,
            family="sans-serif",
            color=tuple(max(value, 0.5) for value in color),
            bbox={"facecolor": "black", "alpha": 0.8, "pad": 0.7, "edgecolor": "none"},
            verticalalignment="center",
            horizontalalignment="center",
            zorder=10,
        )
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[:h, :w, :3].copy()
    boxes = []
    for k in range(len(masks)):
        extent = texts[k].get_bbox_patch().get_window_extent()
        boxes.append(
            (int(extent.x0), int(h - extent.y1), int(np.ceil(extent.x1)), int(np.ceil(h - extent.y0)))
        )
    return drawn, boxes
