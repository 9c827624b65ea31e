"""A mark opened: a closer look at its part of the picture, and the parts that can be told apart there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from som_agent.errors import InputError, SegmenterError
from som_agent.history import MarkInfo
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.mark import Mark
from som_agent.marks.marked import Look, MarkedFrame
from som_agent.marks.placement import Box, place
from som_agent.marks.view import View
from som_agent.regions import BoolArray, Regions
from som_agent.scaling import fit, resize_labels, resized
from som_agent.segmenters.base import Segmenter, is_ready_made
from som_agent.tracking.associate import atom_overlap, best_pairs, iou_matrix
from som_agent.video.frame import Frame, Image

__all__ = ["Number", "Zoom", "known_parts", "open_mark", "row_of"]

MARGIN = 0.1
"""Room around the mark's box, as a share of its longer side; segmenters err near the edge of a picture."""
ENLARGE = 4.0
"""A crop is enlarged at most this many times: beyond it there is nothing more to see."""
SMALLEST_SHARE = 0.01
"""Parts below this share of the opened mark are not marked."""
SMALLEST_PX = 30
"""Parts of fewer pixels in the zoom's picture are not marked."""
NEIGHBOUR_SHARE = 0.1
"""A neighbour that reaches over the outline of the opened mark is a part of it from this share on."""
SAME_IOU = 0.9
"""Parts that agree this well with the opened mark, or with a larger part, are that and no part of it."""
KNOWN_IOU = 0.5
"""A part that agrees this well with a mark of the frame is that mark."""

Number = Callable[[Regions], Sequence[MarkInfo]]
"""Gives parts, at the size of the source frame and the largest first, their rows of the mark table."""


@dataclass(frozen=True)
class Zoom:
    """An opened mark and its parts.

    Attributes:
        parent: the opened mark.
        box: x0, y0, x1, y1 of the crop in source pixels.
        marked: the crop as a frame of its own, enlarged where it is small; the parts are its marks.
        regions: the parts at the size of the source frame, in the same order.
        untracked: marks that are not followed in the frames to come: too small at the size of the pictures
            inside a session, or beyond its tracker's room.
    """

    parent: MarkInfo
    box: Box
    marked: MarkedFrame
    regions: Regions
    untracked: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        labels = " ".join(info.label for info in self.marked.infos) or "none"
        return f"Zoom(mark {self.parent.label} of frame {self.marked.index}, parts {labels})"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the source frame."""
        h, w = self.regions.atoms.shape
        return w, h

    @property
    def image(self) -> Image:
        """The crop with its parts marked, `[h, w, 3] uint8` RGB."""
        return self.marked.image

    @property
    def marks(self) -> list[Mark]:
        """The parts by number, in source pixels; `plate` is in pixels of the zoom's own picture, `image`."""
        return self._in_source(self.marked.marks)

    def mask(self, mark: int) -> BoolArray:
        """The mask of a part, `[H, W] bool` at the size of the source frame.

        Raises:
            InputError: the mark is no part of this one.
        """
        return self.regions.mask(row_of(self.marked, mark))

    def look(self, view: View | int, marks: Sequence[int] | None = None) -> Look:
        """The crop as a model sees it, see `MarkedFrame.look`; `plate` is in pixels of that picture."""
        look = self.marked.look(view, marks)
        return replace(look, marks=self._in_source(look.marks))

    def _in_source(self, marks: Sequence[Mark]) -> list[Mark]:
        x0, y0, x1, y1 = self.box
        w, h = self.marked.size
        result = []
        for k, mark in enumerate(marks):
            left, top, right, bottom = (float(v) for v in self.regions.boxes[k])
            reason = "too small to be followed from frame to frame" if mark.mark in self.untracked else None
            result.append(
                replace(
                    mark,
                    anchor=(x0 + mark.anchor[0] * (x1 - x0) / w, y0 + mark.anchor[1] * (y1 - y0) / h),
                    box=(left, top, right, bottom),
                    area=int(self.regions.areas[k]),
                    reason=mark.reason or reason,
                )
            )
        return result


def open_mark(
    marked: MarkedFrame,
    mark: int | str,
    segmenter: Segmenter,
    *,
    number: Number,
    max_marks: int = 20,
    size: int = 480,
) -> Zoom:
    """Open a mark: segment a close-up of it, and mark what it consists of.

    A part is what the segmenter proposes there, as far as it lies on the opened mark; beside it nothing is
    marked. Left out are specks, and what is the opened mark over again. There may be no parts.

    Args:
        marked: the frame.
        mark: a mark of the frame, by number or label.
        segmenter: finds the parts.
        number: gives them their rows of the mark table.
        max_marks: most parts that are marked, the largest ones; `Zoom.marked.unmarked` counts the others.
        size: long side of the picture that is segmented, in pixels.

    Raises:
        InputError: the mark is not in the frame.
        SegmenterError: the segmenter cannot segment a part of a picture.
    """
    row = row_of(marked, mark)
    if is_ready_made(segmenter):
        raise SegmenterError(
            f"{segmenter.name} has masks of whole pictures only, and mark {mark} is to be segmented anew: "
            f'name another segmenter for it, zoom({mark!r}, segmenter="hierarchy") or --parts hierarchy'
        )
    box = _box(marked, row)
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(marked.frame.image[y0:y1, x0:x1])
    frame = replace(marked.frame, image=_enlarged(crop, size))
    seen = replace(frame, image=fit(frame.image, size))
    inside = marked.source_regions.mask(row)[y0:y1, x0:x1]
    parts = _parts(seen, inside, segmenter)
    in_source = _pasted(resized(parts, (x1 - x0, y1 - y0)), inside, box, marked.size)
    there = np.flatnonzero(in_source.areas > 0)  # one that was only seen enlarged has no pixel in the source
    chosen = there[np.argsort(-in_source.areas[there], kind="stable")][:max_marks]
    infos = number(in_source.select(chosen))
    order = np.argsort([info.mark for info in infos], kind="stable")
    chosen, infos = chosen[order], [infos[k] for k in order]
    parts = parts.select(chosen)
    w, h = frame.image.shape[1], frame.image.shape[0]
    sizes = plate_sizes([info.label for info in infos], marked.style, (w, h), parts.atoms.shape[::-1])
    return Zoom(
        parent=marked.infos[row],
        box=box,
        marked=MarkedFrame(
            frame=frame,
            infos=infos,
            scores=parts.scores,
            regions=parts,
            drawn=list(range(len(infos))),
            placement=place(parts.visible(), sizes),
            style=marked.style,
            unmarked=len(there) - len(infos),
        ),
        regions=in_source.select(chosen),
    )


def known_parts(marked: MarkedFrame, parts: Regions, line: Sequence[int]) -> dict[int, MarkInfo]:
    """Which parts of a mark are marks of the frame already.

    Args:
        marked: the frame.
        parts: at the size at which the frame was processed.
        line: marks that none of them can be: the opened one, and what it is itself a part of.

    Returns:
        Index of a part → its row of the mark table.
    """
    others = [k for k, info in enumerate(marked.infos) if info.made_of is None and info.mark not in line]
    regions = marked.regions.select(others)
    iou = iou_matrix(atom_overlap(regions, parts), regions.areas, parts.members, parts.atom_areas)
    return {part: marked.infos[others[row]] for row, part in best_pairs(iou, KNOWN_IOU)}


def row_of(marked: MarkedFrame, mark: int | str) -> int:
    """The row of a mark, by number or label, among the marks of a frame.

    Raises:
        InputError: it is not visible in the frame.
    """
    infos = marked.infos
    name = str(mark).strip().casefold()
    rows = {str(info.mark): k for k, info in enumerate(infos)}
    if isinstance(mark, str):  # a label goes before a number
        rows |= {info.label.casefold(): k for k, info in enumerate(infos)}
    if name not in rows:
        here = ", ".join(info.label for info in infos) or "none"
        raise InputError(f"mark {mark} is not visible in frame {marked.index}; visible marks: {here}")
    return rows[name]


def _box(marked: MarkedFrame, row: int) -> Box:
    """The box of a mark in source pixels, with a margin where the frame has room for it."""
    x0, y0, x1, y1 = (int(v) for v in marked.source_regions.boxes[row])
    margin = max(round(MARGIN * max(x1 - x0, y1 - y0)), 4)
    w, h = marked.size
    return max(x0 - margin, 0), max(y0 - margin, 0), min(x1 + margin, w), min(y1 + margin, h)


def _enlarged(image: Image, long_side_px: int) -> Image:
    """A small picture brought to `long_side_px` on its long side, or as near as `ENLARGE` allows."""
    h, w = image.shape[:2]
    scale = min(long_side_px / max(w, h), ENLARGE)
    if scale <= 1:
        return image
    size = (round(w * scale), round(h * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _parts(frame: Frame, inside: BoolArray, segmenter: Segmenter) -> Regions:
    """What a close-up shows of the mark whose mask in it, at the crop's own size, is `inside`."""
    h, w = frame.image.shape[:2]
    regions = segmenter.segment(frame)
    if regions.atoms.shape != (h, w):
        got = "x".join(map(str, regions.atoms.shape[::-1]))
        raise SegmenterError(
            f"segmenter {segmenter.name} gave regions of {got} px for a close-up of {w}x{h} px: it cannot "
            "segment a part of a picture"
        )
    own = resize_labels(inside.astype(np.int32), (w, h)) > 0
    atoms = np.where(own, regions.atoms, 0)
    parts = Regions.from_atoms(
        atoms, regions.members, scores=regions.scores, levels=regions.levels, proposed=regions.proposed
    )
    area, whole = parts.areas, own.sum()
    seen = (area >= SMALLEST_PX) & (area >= SMALLEST_SHARE * whole) & (area < SAME_IOU * whole)
    inner = (2 * area >= regions.areas) | (area >= NEIGHBOUR_SHARE * whole)
    found = np.flatnonzero(parts.proposed & seen & inner)
    parts = parts.select(found[np.argsort(-area[found], kind="stable")])
    return parts.select(_distinct(parts))


def _distinct(parts: Regions) -> list[int]:
    """Those of the parts, the largest first, that do not come a second time."""
    members = parts.members.astype(np.float64)
    shared = (members * parts.atom_areas) @ members.T
    iou = shared / np.maximum(parts.areas[:, None] + parts.areas - shared, 1)
    kept: list[int] = []
    for k in range(len(parts)):
        if not (iou[k, kept] > SAME_IOU).any():
            kept.append(k)
    return kept


def _pasted(parts: Regions, inside: BoolArray, box: Box, size: tuple[int, int]) -> Regions:
    """Parts in a crop, as far as they are `inside` the mark there, in the frame of `size` (width, height)."""
    x0, y0, x1, y1 = box
    atoms = np.zeros((size[1], size[0]), np.int32)
    np.copyto(atoms[y0:y1, x0:x1], parts.atoms, where=inside)  # outlines were rounded on the way
    return Regions.from_atoms(
        atoms,
        parts.members,
        scores=parts.scores,
        levels=parts.levels,
        parents=parts.parents,
        proposed=parts.proposed,
    )
