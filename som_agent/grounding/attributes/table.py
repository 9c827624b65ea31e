"""A history as flat columns: one row per mark and frame, whatever the mark.

Predicates are computed on these columns for all marks at once. A row is *seen* where the mark is visible;
other rows carry the geometry of the last sight and count for nothing but `Absent`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.grounding.intervals import breaks, stretches
from som_agent.history import VISIBLE, History
from som_agent.rle import decode

__all__ = ["Bools", "Floats", "Ints", "Table", "rows_of", "smooth", "spans"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LOOKS = 9
_KEPT = 0.8  # part of all that a mark ever covers that its largest mask covers where it stands still
_ALIKE = 0.4  # how far one side of a box must go, as a part of what the other goes, to move with it


@dataclass(frozen=True, eq=False)
class Table:
    """Rows sorted by mark, then by frame.

    Attributes:
        history: what the rows were taken from.
        marks: number of each mark, `[M] int64`, ascending.
        clock: times of all frames, `[F] float64`, seconds.
        frame_numbers: their numbers in the source, `[F] int64`.
        owner: index into `marks`, `[R] int64`.
        frame: index into `clock`, `[R] int64`.
        seen: `[R] bool`.
        boxes: x0, y0, x1, y1 in source pixels, `[R, 4] float64`.
        areas: source pixels, `[R] float64`.
        scores: `[R] float64`, 0 to 1.
        shares: share of each colour term, `[R, 11] float64`, percent.
        source: row in the mark's trace, `[R] int64`; of the last one before where the trace has no row.
        hidden_by: the mark that hides this one, `[R] int64`; 0 for none that is known.
    """

    history: History
    marks: Ints
    clock: Floats
    frame_numbers: Ints
    owner: Ints
    frame: Ints
    seen: Bools
    boxes: Floats
    areas: Floats
    scores: Floats
    shares: Floats
    source: Ints
    hidden_by: Ints

    @classmethod
    def of(cls, history: History, *, fill: bool = False) -> Table:
        """The rows of a history.

        Args:
            history: marks and traces.
            fill: give every mark a row at every frame since its first one, not seen where the trace has none.
        """
        marks = np.array(sorted(history.traces), np.int64)
        numbers, clock = _frames(history)
        parts: list[tuple[npt.NDArray[Any], ...]] = []
        for owner, mark in enumerate(marks):
            trace = history.traces[int(mark)]
            if not len(trace):
                continue
            own = np.searchsorted(numbers, trace.frames)
            at = np.arange(own[0], len(numbers)) if fill else own
            source = np.searchsorted(own, at, side="right") - 1
            has_row = own[source] == at
            seen = has_row & (trace.states[source] == VISIBLE)
            hider = np.where(has_row & ~seen, trace.hidden_by[source], 0)
            parts.append((np.full(len(at), owner), at, seen, source, trace.boxes[source], trace.areas[source],
                          trace.scores[source], trace.colors[source], hider))  # fmt: skip
        shapes: list[tuple[int, ...]] = [(0,), (0,), (0,), (0,), (0, 4), (0,), (0,), (0, 11), (0,)]
        columns = (
            [np.concatenate(c) for c in zip(*parts, strict=True)] if parts else [np.zeros(s) for s in shapes]
        )
        owner_, frame, seen_, source_, boxes, areas, scores, colors, hidden_by = columns
        return cls(
            history=history,
            marks=marks,
            clock=clock,
            frame_numbers=numbers,
            owner=owner_.astype(np.int64),
            frame=frame.astype(np.int64),
            seen=seen_.astype(bool),
            boxes=boxes.astype(np.float64),
            areas=areas.astype(np.float64),
            scores=scores.astype(np.float64),
            shares=colors.astype(np.float64),
            source=source_.astype(np.int64),
            hidden_by=np.where(np.isin(hidden_by, marks), hidden_by, 0).astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def diagonal(self) -> float:
        """Of the picture, in pixels."""
        return max(float(np.hypot(*self.history.size)), 1.0)

    @cached_property
    def times(self) -> Floats:
        """Seconds of each row, `[R] float64`."""
        return self.clock[self.frame]

    @cached_property
    def step(self) -> float:
        """Usual time between frames in seconds; 0 where there is but one."""
        return float(np.median(np.diff(self.clock))) if len(self.clock) > 1 else 0.0

    @cached_property
    def centres(self) -> Floats:
        """Box centres in source pixels, `[R, 2] float64`."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @cached_property
    def span_ids(self) -> Ints:
        """Number of the span of sights that each row belongs to, `[R] int64`; -1 where not seen."""
        ids = np.full(len(self), -1, np.int64)
        rows = np.flatnonzero(self.seen)
        owner = self.owner[rows]
        starts = breaks(self.frame[rows], self.times[rows]) | (np.diff(owner, prepend=-1) != 0)
        ids[rows] = np.cumsum(starts) - 1
        return ids

    @cached_property
    def velocities(self) -> Floats:
        """Motion in picture diagonals a second, `[R, 2] float64`, x and y.

        Taken over half a second around each sight, inside its span, from the side of the box that moved
        least, and none where opposite sides do not move the same way: a hand in front of a thing, or a mask
        that frays, moves one side only or one much more than the other. A side at the border of the picture
        tells nothing and the other one counts alone, but only of a mark that is `_elsewhere` at times. The
        motion of the camera is not taken off: with a moving
        camera everything moves.
        """
        velocity = np.zeros((len(self), 2))
        reach = max(0.25, 1.01 * self.step)
        for rows in rows_of(self.span_ids):
            t = self.times[rows]
            if t[-1] <= t[0]:
                continue
            before, after = np.maximum(t - reach, t[0]), np.minimum(t + reach, t[-1])
            moved = np.empty((4, len(rows)))
            for side in range(4):
                x = smooth(self.boxes[rows, side], t, 0.1)
                moved[side] = np.interp(after, t, x) - np.interp(before, t, x)
            for axis in (0, 1):
                extent = self.history.size[axis]
                low_cut = self.boxes[rows, axis] <= 0.01 * extent
                high_cut = self.boxes[rows, axis + 2] >= 0.99 * extent
                along = _common(moved[axis], moved[axis + 2], low_cut, high_cut)
                unsure = (low_cut | high_cut) & (along != 0)
                if unsure.any() and not self._elsewhere(int(self.owner[rows[0]])):
                    along[unsure] = 0.0
                velocity[rows, axis] = along / (after - before) / self.diagonal
        return velocity

    @cached_property
    def speeds(self) -> Floats:
        """Picture diagonals a second, `[R] float64`."""
        return np.asarray(np.hypot(self.velocities[:, 0], self.velocities[:, 1]))

    @cached_property
    def steady_shares(self) -> Floats:
        """Colour shares averaged over half a second around each row, `[R, 11] float64`, percent."""
        steady = self.shares.copy()
        for rows in rows_of(self.span_ids):
            for term in np.flatnonzero(self.shares[rows].any(axis=0)):
                steady[rows, term] = smooth(self.shares[rows, term], self.times[rows], 0.25)
        return steady

    @cached_property
    def _elsewhere(self) -> Callable[[int], bool]:
        """Whether a mark, by its index, is at times where its largest mask is not.

        What stands still and is covered in part, now here and now there, never leaves the mask that it has
        when it is covered least. Told from a few masks spread over its sights.
        """

        @cache
        def found(owner: int) -> bool:
            rows = np.flatnonzero(self.seen & (self.owner == owner))
            few = rows[np.linspace(0, len(rows) - 1, min(_LOOKS, len(rows))).astype(int)]
            largest = self.mask(int(rows[self.areas[rows].argmax()]))
            ever = largest.copy()
            for row in few:
                ever |= self.mask(int(row))
            return bool(largest.sum() < _KEPT * ever.sum() or not ever.any())

        return found

    def mask(self, row: int) -> Bools:
        """The mask of a row, `[h, w] bool` at `History.mask_size`; empty where it was not stored."""
        mask: Bools = self._decode(row)
        return mask

    @cached_property
    def _decode(self) -> Callable[[int], Bools]:
        history, owner, source, marks = self.history, self.owner, self.source, self.marks

        @lru_cache(maxsize=64)
        def decoded(row: int) -> Bools:
            return decode(history.traces[int(marks[owner[row]])].rles[int(source[row])], history.mask_size)

        return decoded


def rows_of(groups: Ints) -> list[Ints]:
    """Rows of each group number, in row order; -1 is no group."""
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def smooth(values: Floats, times: Floats, reach: float) -> Floats:
    """Mean over `reach` seconds to either side, the window shrunk alike on both sides at the ends.

    Args:
        values: `[n] float64`.
        times: ascending seconds, `[n] float64`.
        reach: seconds.
    """
    reach_here = np.minimum(reach, np.minimum(times - times[0], times[-1] - times)) + 1e-9
    low = np.searchsorted(times, times - reach_here, side="left")
    high = np.searchsorted(times, times + reach_here, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[high] - total[low]) / (high - low))


def spans(table: Table, rows: Ints) -> list[tuple[float, float]]:
    """Seconds of the first and last of each stretch of rows of one mark; short gaps are closed."""
    return stretches(table.frame[rows], table.times[rows])


def _common(low: Floats, high: Floats, low_cut: Bools, high_cut: Bools) -> Floats:
    """What the low and the high side of a box moved in common; a side that is cut off does not count."""
    least = np.where(np.abs(low) < np.abs(high), low, high)
    most = np.maximum(np.abs(low), np.abs(high))
    both = np.where((low * high > 0) & (np.abs(least) >= _ALIKE * most), least, 0.0)
    alone = np.where(low_cut, high, low)
    return np.where(low_cut & high_cut, 0.0, np.where(low_cut | high_cut, alone, both))


def _frames(history: History) -> tuple[Ints, Floats]:
    """Numbers and times of all frames, those that only a trace tells of included."""
    numbers = np.concatenate([history.frames, *(trace.frames for trace in history.traces.values())]).astype(
        np.int64
    )
    times = np.concatenate([history.times, *(trace.times for trace in history.traces.values())])
    unique, first = np.unique(numbers, return_index=True)
    return unique, np.asarray(times[first], np.float64)
