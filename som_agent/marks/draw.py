"""Drawing marks: tints and contours in one pass over the label map, labels from a store of sprites."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from som_agent.history import MarkInfo
from som_agent.marks.glyphs import sprite
from som_agent.marks.placement import Box, Placement, plate_box
from som_agent.marks.style import MarkStyle
from som_agent.regions import FloatArray, IntArray
from som_agent.video.frame import Image
from som_kernels import overlay_labels, region_stats

__all__ = ["draw_marks"]


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
    plates: list[Box | None] = [None] * len(marks)
    if not marks or not image.size:
        return image.copy(), plates
    line = style.line((w, h))
    picture = overlay_labels(
        torch.from_numpy(np.require(image, requirements=["C", "W"])),
        torch.from_numpy(visible),
        torch.tensor([mark.color for mark in marks], dtype=torch.uint8),
        alpha=style.alpha if "mask" in style.draw else 0.0,
        line_px=line if "contour" in style.draw else 0,
    ).numpy()
    if "box" in style.draw:
        _paint_boxes(picture, visible, marks, line)
    if "mark" in style.draw:
        _paint_leaders(picture, marks, placement, line)
        glyphs = style.glyphs((w, h))
        for k, mark in enumerate(marks):
            if placement.inside[k] or placement.leader[k]:
                glyph = glyphs[placement.choices[k]]
                plates[k] = _paint_label(picture, mark, placement.centers[k], glyph)
    return picture, plates


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


def _paint_label(picture: Image, mark: MarkInfo, center: FloatArray, glyph: int) -> Box:
    label = sprite(mark.label, mark.color, glyph)
    box = plate_box(center, label.shape[1::-1])
    h, w = picture.shape[:2]
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(w, box[2]), min(h, box[3])
    picture[y0:y1, x0:x1] = label[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    return x0, y0, x1, y1
