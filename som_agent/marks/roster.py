"""The marks of one picture in words: a list beside it for models that misread small numbers.

Places are written "x 10 to 80", never as a bracketed box: models repeat what they read, and a repeated box
would look like a citation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.colors import COLOR_TERMS, color_counts
from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks.marked import MarkedFrame

__all__ = ["color_words", "kinship", "roster", "roster_line"]


def roster(marked: MarkedFrame, marks: Collection[int] | None = None) -> str:
    """The marks of a frame in words, a line each: label, colours, box in source pixels, state.

    Args:
        marked: the frame.
        marks: the numbers to list; None for all of the frame.

    Raises:
        InputError: one of `marks` is not in this frame.
    """
    here = {info.mark for info in marked.infos}
    for number in marks or ():
        if number not in here:
            known = ", ".join(map(str, sorted(here))) or "none"
            raise InputError(f"mark {number} is not visible in frame {marked.index}; visible marks: {known}")
    shares = _color_shares(marked)
    table = {info.mark: info for info in marked.infos}
    lines = []
    for k, mark in enumerate(marked.marks):
        if marks is None or mark.mark in marks:
            state = ("visible" if mark.shown else "visible, not drawn") + kinship(table[mark.mark], table)
            lines.append(roster_line(mark.label, color_words(shares[k]), mark.box, state))
    return "\n".join(lines)


def roster_line(
    label: str, colors: str, box: Sequence[float], state: str, *, time: float | None = None
) -> str:
    """One line of a roster: "[3] red, at 4.20 s: x 10 to 80, y 5 to 60; visible".

    Args:
        label: what is drawn.
        colors: in words, "" where not known.
        box: x0, y0, x1, y1 in source pixels.
        state: in words: visible or since when not, and whatever else is to be said.
        time: the second in which the object was there, where the list is not about one picture.
    """
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    at = "" if time is None else f"at {time:.2f} s: "
    return f"[{label}] {colors + ', ' if colors else ''}{at}x {x0} to {x1}, y {y0} to {y1}; {state}"


def kinship(info: MarkInfo, table: Mapping[int, MarkInfo]) -> str:
    """What a mark has to do with others, "; part of 3" or "; it is 3 ∪ 4"; "" for nothing.

    Args:
        info: the mark.
        table: the mark table; a part of what is no longer in it is a part of nothing.
    """
    if info.made_of is not None:
        return f"; it is {info.made_of}"
    parent = None if info.parent is None else table.get(info.parent)
    return "" if parent is None else f"; part of {parent.label}"


def color_words(shares: npt.ArrayLike) -> str:
    """The one or two colour terms that name most of an object; "" where none was measured.

    Args:
        shares: share of each of `COLOR_TERMS`, `[11]`, in any unit.
    """
    share = np.asarray(shares, np.float64)
    if share.sum() == 0:
        return ""
    first, second = (int(i) for i in np.argsort(-share, kind="stable")[:2])
    if share[second] >= 0.5 * share[first]:
        return f"{COLOR_TERMS[first]} and {COLOR_TERMS[second]}"
    return COLOR_TERMS[first]


def _color_shares(marked: MarkedFrame) -> npt.NDArray[np.int64]:
    """Pixels of each colour term in each region of the frame, `[n, 11] int64`."""
    regions = marked.regions
    h, w = regions.atoms.shape
    small = np.asarray(cv2.resize(marked.frame.image, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    return regions.members.astype(np.int64) @ color_counts(regions.atoms, regions.members.shape[1], small)
