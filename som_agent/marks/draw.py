"""Drawing marks: tints, contours and boxes from the label map in one pass, labels from a store of sprites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from som_agent.history import MarkInfo
from som_agent.marks.glyphs import plate_size, sprite
from som_agent.marks.placement import Box, Placement, plate_box
from som_agent.marks.style import MarkStyle
from som_agent.regions import IntArray
from som_agent.video.frame import Image
from som_kernels import region_stats

__all__ = ["draw_marks"]

_Labels = npt.NDArray[Any]


def draw_marks(
    image: Image,
    visible: IntArray,
    marks: Sequence[MarkInfo],
    placement: Placement,
    style: MarkStyle | None = None,
) -> tuple[Image, list[Box | None]]:
    """Draw marks on a copy of a picture.

    Args:
        image: `[H, W, 3] uint8` RGB; it is not changed.
        visible: `[H, W] int32`; value k + 1 where `marks[k]` is the topmost object, 0 where there is none.
        marks: label and colour of each mark.
        placement: where the labels go, in this picture's pixels; row k for `marks[k]`.
        style: what is drawn.

    Returns:
        The marked picture `[H, W, 3] uint8`, and for each mark the box x0, y0, x1, y1 of its drawn label, or
        None where it is not drawn.
    """
    style = style or MarkStyle()
    h, w = image.shape[:2]
    if visible.shape != (h, w):
        raise ValueError(f"the label map is {visible.shape[::-1]} pixels, but the picture {w, h}")
    picture = image.copy()
    plates: list[Box | None] = [None] * len(marks)
    if not marks or not picture.size:
        return picture, plates
    line = style.line((w, h))
    if "mask" in style.draw or "contour" in style.draw:
        _paint_regions(picture, visible, marks, style, line)
    if "box" in style.draw:
        _paint_boxes(picture, visible, marks, line)
    if "mark" in style.draw:
        _paint_leaders(picture, marks, placement, line)
        glyph = style.glyph((w, h))
        for k, mark in enumerate(marks):
            if placement.inside[k] or placement.leader[k]:
                plates[k] = _paint_label(picture, mark, placement.centers[k], glyph)
    return picture, plates


def _paint_regions(
    picture: Image, visible: IntArray, marks: Sequence[MarkInfo], style: MarkStyle, line: int
) -> None:
    """Tint the regions and line their edges."""
    labels: _Labels = visible.astype(np.uint8 if len(marks) < 256 else np.uint16)
    table = np.zeros((max(256, len(marks) + 1), 1, 3), np.uint8)
    table[1 : len(marks) + 1, 0] = [mark.color for mark in marks]
    colors = cv2.applyColorMap(labels, table) if len(marks) < 256 else table[labels, 0]
    marked = (labels > 0).view(np.uint8)
    if "mask" in style.draw and style.alpha > 0:
        tinted = cv2.addWeighted(picture, 1 - style.alpha, colors, style.alpha, 0)
        cv2.copyTo(tinted, marked, picture)
    if "contour" in style.draw:
        # A pixel is on its region's edge where another label is within the line's thickness.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1))
        edge = (cv2.dilate(labels, disc) != cv2.erode(labels, disc)).view(np.uint8) & marked
        # A dark seam on the ground side shows the line on any ground, and softens its steps.
        seam = cv2.dilate(marked, np.ones((3, 3), np.uint8)) - marked
        cv2.copyTo(cv2.convertScaleAbs(picture, alpha=0.45), seam, picture)
        cv2.copyTo(colors, edge, picture)


def _paint_boxes(picture: Image, visible: IntArray, marks: Sequence[MarkInfo], line: int) -> None:
    boxes = region_stats(torch.from_numpy(visible), None, len(marks)).boxes.numpy()
    for k in np.argsort(-boxes[:, 3], kind="stable"):
        x0, y0, x1, y1 = boxes[k].tolist()
        if x0 == x1:
            continue
        corners = (x0, y0), (x1 - 1, y1 - 1)
        cv2.rectangle(picture, *corners, (0, 0, 0), max(2, line) + 2)
        cv2.rectangle(picture, *corners, marks[k].color, max(2, line))


def _paint_leaders(picture: Image, marks: Sequence[MarkInfo], placement: Placement, line: int) -> None:
    fine = 16  # positions in sixteenths of a pixel; pixel centres are whole numbers in OpenCV
    for k in np.flatnonzero(placement.leader).tolist():
        ends = [
            tuple(round((float(v) - 0.5) * fine) for v in point)
            for point in (placement.anchors[k], placement.centers[k])
        ]
        for color, width in (((0, 0, 0), line + min(line, 2)), (marks[k].color, line)):
            cv2.line(picture, ends[0], ends[1], color, width, cv2.LINE_AA, shift=4)
        for color, radius in (((0, 0, 0), line + 1.2), (marks[k].color, line + 0.3)):
            cv2.circle(picture, ends[0], int(radius * fine), color, -1, cv2.LINE_AA, shift=4)


def _paint_label(picture: Image, mark: MarkInfo, center: npt.ArrayLike, glyph: int) -> Box:
    box = plate_box(center, plate_size(mark.label, glyph))
    h, w = picture.shape[:2]
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(w, box[2]), min(h, box[3])
    label = sprite(mark.label, mark.color, glyph)
    part = np.s_[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    ground = picture[y0:y1, x0:x1]
    ground[:] = (ground * label.hidden[part] + 127) // 255 + label.color[part]
    return x0, y0, x1, y1
