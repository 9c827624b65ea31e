"""What the watches remember of the marks: where each one is, how it moves, and what of it is cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from som_agent.history import GONE, VISIBLE, Observation
from som_agent.watches.geometry import Masks
from som_agent.watches.motion import Motion

__all__ = ["Followed", "Memory", "Seen"]

_WHOLE = 0.85  # share of its area from which a mark counts as seen whole
_STILL, _MOVING = 0.015, 0.03  # picture diagonals a second
_SOON_S = 0.2  # for so long it may become clearer how a mark was lost


@dataclass(frozen=True)
class Seen:
    """One frame.

    Attributes:
        frame: its number.
        time: seconds.
        rows: what was seen of every mark.
        labels: of the marks, by number.
        size: width and height of the source in pixels.
        mask_size: width and height of the pictures that the masks belong to.
    """

    frame: int
    time: float
    rows: Sequence[Observation]
    labels: Mapping[int, str]
    size: tuple[int, int]
    mask_size: tuple[int, int]


@dataclass
class Followed:
    """One mark.

    Attributes:
        motion: how it moves.
        row: its last sight.
        first_s: when it had its number first, as far as is remembered.
        visible: it is seen in the newest frame.
        lost: how it went out of sight: over the border or given up, or else.
        lost_s: when.
        whole: width, height and area when nothing cuts it off.
        cut: a part of it is hidden or outside the picture.
        low: it is narrower, and lower, than when nothing cuts it off.
        at: at which sides of its box, x0, y0, x1, y1, there is another mark or the border.
    """

    motion: Motion
    row: Observation
    first_s: float
    visible: bool = True
    lost: Literal["", "gone", "hidden"] = ""
    lost_s: float = 0.0
    whole: tuple[float, float, float] = (0.0, 0.0, 0.0)
    cut: bool = False
    low: tuple[bool, bool] = (False, False)
    at: tuple[bool, ...] = (False,) * 4

    def boxes(self) -> list[tuple[float, float, float, float]]:
        """Where the whole of it can be, as boxes x0, y0, x1, y1: as it is seen where nothing cuts it off."""
        spans = []
        for axis in range(2):
            low, high = self.row.box[axis], self.row.box[axis + 2]
            hidden = self.whole[axis] - (high - low) if self.cut and self.low[axis] else 0.0
            before, after = self.at[axis], self.at[axis + 2]
            if hidden <= 0:
                spans.append([(low, high)])
            elif before == after:
                spans.append([(low - hidden, high), (low, high + hidden)])
            else:
                spans.append([(low - hidden, high) if before else (low, high + hidden)])
        return [(x0, y0, x1, y1) for x0, x1 in spans[0] for y0, y1 in spans[1]]


class Memory:
    """The marks of one session up to a frame. Marks that are given up are forgotten a frame later.

    Attributes:
        marks: by number, those that have a number and may be seen again.
        gone: those that were given up in the newest frame.
    """

    def __init__(self) -> None:
        self.marks: dict[int, Followed] = {}
        self.gone: set[int] = set()
        self.now = Seen(-1, 0.0, (), {}, (1, 1), (1, 1))
        self.masks = Masks((1, 1), (1, 1))

    @property
    def pixel(self) -> float:
        """Source pixels that a pixel of the masks is wide."""
        return max(self.now.size[0] / max(self.now.mask_size[0], 1), 1.0)

    def update(self, seen: Seen) -> None:
        """Take the next frame, or the newest one again: it may have more marks now."""
        for mark in self.gone if seen.frame != self.now.frame else ():
            self.marks.pop(mark, None)
        before, self.now = self.now, seen
        self.masks = Masks(seen.size, seen.mask_size)
        here = {row.mark: row for row in seen.rows}
        self.gone = {mark for mark in self.marks if mark not in here or here[mark].state == GONE}
        contacts = _contacts([row for row in seen.rows if row.state == VISIBLE], 2 * self.pixel)
        for row in seen.rows:
            known = self.marks.get(row.mark)
            if known is None:
                if row.state == GONE:
                    continue
                known = self.marks[row.mark] = Followed(self._new_motion(), row, seen.time)
                known.whole = (row.box[2] - row.box[0], row.box[3] - row.box[1], float(row.area))
                known.visible = row.state == VISIBLE
                known.lost, known.lost_s = ("" if known.visible else "hidden"), seen.time
            if row.state == VISIBLE:
                self._see(known, row, contacts[row.mark])
            elif row.state != GONE:
                self._lose(known, row.hidden_by, seen.time, seen.time - before.time)
        for mark in self.gone:
            known = self.marks[mark]
            known.lost_s = seen.time if known.visible else known.lost_s
            known.visible, known.lost = False, "gone"

    def name(self, mark: int) -> str:
        """How a sentence cites a mark."""
        return f"mark [{self.now.labels.get(mark, mark)}]"

    @cached_property
    def _limits(self) -> tuple[float, float]:
        diagonal = (self.now.size[0] ** 2 + self.now.size[1] ** 2) ** 0.5
        return _STILL * diagonal, _MOVING * diagonal

    def _new_motion(self) -> Motion:
        return Motion(1.5 * self.pixel, *self._limits)

    def _see(self, known: Followed, row: Observation, at: tuple[bool, ...]) -> None:
        x0, y0, x1, y1 = row.box
        (width, height), blur = self.now.size, 1.5 * self.pixel
        border = (x0 < blur, y0 < blur, x1 > width - blur, y1 > height - blur)
        now = (x1 - x0, y1 - y0, float(row.area))
        whole = known.whole
        low = (now[0] < whole[0] - max(2 * blur, 0.05 * whole[0]),
               now[1] < whole[1] - max(2 * blur, 0.05 * whole[1]), now[2] < _WHOLE * whole[2])  # fmt: skip
        # What goes behind something that has no mark loses a side; what shrinks becomes narrower and lower.
        odd = any(low) and not (low[0] and low[1])
        known.cut = any(border) or odd or (any(low) and any(at))
        known.low = low[0], low[1]
        known.at = tuple(p or q for p, q in zip(border, at, strict=True))
        # What grows is believed slowly: two alike things that touch look like one for a moment. What shrinks
        # beside another mark may as well go behind it, however slowly.
        grow, shrink = 0.3, 0.0 if any(border) or any(at) else 0.02 if odd else 0.3
        known.whole = tuple(  # type: ignore[assignment]
            w + (grow if n > w else shrink) * (n - w) for w, n in zip(whole, now, strict=True)
        )
        known.row, known.visible, known.lost = row, True, ""
        known.motion.add(
            row.time,
            (
                None if border[0] or (low[0] and at[0]) else x0,
                None if border[1] or (low[1] and at[1]) else y0,
                None if border[2] or (low[0] and at[2]) else x1,
                None if border[3] or (low[1] and at[3]) else y1,
            ),
        )

    def _lose(self, known: Followed, hider: int, time_s: float, step_s: float) -> None:
        if known.visible:
            known.visible, known.lost_s = False, time_s
            known.lost = "gone" if self._at_border(known, step_s) else "hidden"
        if hider and time_s - known.lost_s <= _SOON_S:
            known.lost = "hidden"

    def _at_border(self, known: Followed, step_s: float) -> bool:
        """Whether it was at the border when it was seen last, or would have been by now."""
        (x0, y0, x1, y1), (width, height) = known.row.box, self.now.size
        vx, vy = (v or 0.0 for v in known.motion.velocity)
        dx, dy, blur = vx * step_s, vy * step_s, 1.5 * self.pixel
        return (
            min(x0, x0 + dx) < blur
            or min(y0, y0 + dy) < blur
            or max(x1, x1 + dx) > width - blur
            or max(y1, y1 + dy) > height - blur
        )


def _contacts(rows: Sequence[Observation], pad: float) -> dict[int, tuple[bool, ...]]:
    """At which sides of each mark's box, x0, y0, x1, y1, the box of another mark is."""
    box = np.array([row.box for row in rows], float).reshape(-1, 4)
    low, high = box[:, :2] - pad, box[:, 2:] + pad
    meet = (low <= box[:, None, 2:]) & (high >= box[:, None, :2])
    meets = meet[..., 0] & meet[..., 1]
    np.fill_diagonal(meets, False)
    corner = box.reshape(-1, 1, 2, 2)
    inside = (low[:, None] <= corner) & (corner <= high[:, None])
    at = (inside & meets[..., None, None]).any(axis=1).reshape(-1, 4)
    return {row.mark: tuple(sides) for row, sides in zip(rows, at.tolist(), strict=True)}
