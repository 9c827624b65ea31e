"""Masks of one frame, from their run-length codes: how far apart they are, and how much lies in a zone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.history import Observation
from som_agent.rle import decode
from som_agent.watches.zone import Zone

__all__ = ["Masks", "box_gap", "drawn"]

_Points = npt.NDArray[np.float64]


class Masks:
    """The masks of one frame; each is decoded only where a box does not tell enough, and once.

    Args:
        size: width and height of the source in pixels.
        mask_size: width and height of the pictures that the masks belong to.
    """

    def __init__(self, size: tuple[int, int], mask_size: tuple[int, int]) -> None:
        self._size, self._mask_size = size, mask_size
        self._outlines: dict[int, _Points] = {}
        self._gaps: dict[tuple[int, int], float] = {}

    def gap(self, a: Observation, b: Observation, limit: float) -> float:
        """Source pixels between the nearest pixels of two masks, 0 where they touch.

        Args:
            a: one mark, visible.
            b: another one.
            limit: beyond it only a lower bound is given, that of the boxes.
        """
        least = box_gap(a.box, b.box)
        if least > limit:
            return least
        key = (a.mark, b.mark) if a.mark < b.mark else (b.mark, a.mark)
        if key not in self._gaps:
            self._gaps[key] = self._measured(a, b, least)
        return self._gaps[key]

    def share(self, row: Observation, zone: Zone, drawn_zone: dict[str, Any]) -> float:
        """Share of a mask that lies in a zone, 0 to 1.

        Args:
            row: a mark, visible.
            zone: a part of the picture.
            drawn_zone: the same, as `drawn` gives it.
        """
        from pycocotools import mask as coco

        xs, ys = zip(*zone.corners, strict=True)
        x0, y0, x1, y1 = row.box
        if x0 >= max(xs) or x1 <= min(xs) or y0 >= max(ys) or y1 <= min(ys):
            return 0.0
        if zone.box and x0 >= zone.box[0] and y0 >= zone.box[1] and x1 <= zone.box[2] and y1 <= zone.box[3]:
            return 1.0
        own = {"size": list(self._mask_size[::-1]), "counts": row.rle.encode("ascii")}
        area = float(coco.area(own))
        return float(coco.area(coco.merge([own, drawn_zone], intersect=True))) / area if area else 0.0

    def _measured(self, a: Observation, b: Observation, least: float) -> float:
        from pycocotools import mask as coco

        if least == 0:
            size = list(self._mask_size[::-1])
            both = [{"size": size, "counts": row.rle.encode("ascii")} for row in (a, b)]
            if coco.area(coco.merge(both, intersect=True)):
                return 0.0
        p, q = self._outline(a), self._outline(b)
        if not len(p) or not len(q):
            return least
        near = q[_to_box(q, p).argmin()]
        bound = np.hypot(*(p - near).T).min()
        p, q = p[_to_box(p, q) <= bound], q[_to_box(q, p) <= bound]
        away = float(np.sqrt(((p[:, None] - q[None]) ** 2).sum(axis=2).min()))
        # From the middles of the outermost pixels to their edges: half a pixel on either side.
        return max(away - 1.0, 0.0) * max(self._size[0] / max(self._mask_size[0], 1), 1e-9)

    def _outline(self, row: Observation) -> _Points:
        """Pixels at the edge of a mask, `[n, 2] float64` x, y in pixels of the mask."""
        import cv2

        if row.mark not in self._outlines:
            w, h = self._mask_size
            sx, sy = w / self._size[0], h / self._size[1]
            x0, y0 = max(int(row.box[0] * sx) - 2, 0), max(int(row.box[1] * sy) - 2, 0)
            x1, y1 = int(row.box[2] * sx) + 3, int(row.box[3] * sy) + 3
            crop = decode(row.rle, self._mask_size)[y0:y1, x0:x1].astype(np.uint8)
            found, _ = cv2.findContours(crop, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(x0, y0))
            points = [np.zeros((0, 2)), *(np.asarray(line).reshape(-1, 2) for line in found)]
            self._outlines[row.mark] = np.concatenate(points).astype(np.float64)
        return self._outlines[row.mark]


def drawn(zone: Zone, size: tuple[int, int], mask_size: tuple[int, int]) -> dict[str, Any]:
    """A zone as a COCO run-length code at the size of the masks.

    Args:
        zone: in source pixels.
        size: width and height of the source.
        mask_size: width and height of the pictures that the masks belong to.
    """
    from pycocotools import mask as coco

    w, h = mask_size
    xs, ys = np.meshgrid((np.arange(w) + 0.5) * size[0] / w, (np.arange(h) + 0.5) * size[1] / h)
    inside = np.zeros((h, w), bool)
    corners = zone.corners
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if ay != by:  # a ray to the right from each pixel's middle crosses this side or not
            inside ^= ((ys < ay) != (ys < by)) & (xs < (bx - ax) * (ys - ay) / (by - ay) + ax)
    code: dict[str, Any] = coco.encode(np.asfortranarray(inside, dtype=np.uint8))
    return code


def box_gap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Pixels between two boxes x0, y0, x1, y1; 0 where they meet."""
    dx = max(a[0] - b[2], b[0] - a[2], 0.0)
    dy = max(a[1] - b[3], b[1] - a[3], 0.0)
    return float((dx * dx + dy * dy) ** 0.5)


def _to_box(points: _Points, others: _Points) -> npt.NDArray[np.float64]:
    """How far points are from the box round others, `[n] float64`."""
    low, high = others.min(axis=0), others.max(axis=0)
    off = np.maximum(np.maximum(low - points, points - high), 0)
    return np.asarray(np.hypot(off[:, 0], off[:, 1]))
