"""What was seen: the mark table and each mark's observations over time.

A live session fills one as it goes; a run directory is read back into one. Everything that answers a
question works on a `History`, so that a stored run answers without being segmented again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.regions import BoolArray

__all__ = [
    "GONE",
    "OCCLUDED",
    "STATES",
    "VISIBLE",
    "History",
    "MarkInfo",
    "Observation",
    "Trace",
    "traces",
]

STATES = ("visible", "occluded", "gone")
VISIBLE, OCCLUDED, GONE = range(3)


@dataclass(frozen=True)
class MarkInfo:
    """A row of the mark table. A number once given never names another object; its colour never changes.

    Attributes:
        mark: the number, from 1.
        label: what is drawn, "3", "C" or "3a".
        color: RGB, 0 to 255.
        parent: the mark that this one is a part of, None for none; it may be gone by now.
        made_of: what a mark that was made of others is, "3 ∪ 4" for example, in their labels; else None.
    """

    mark: int
    label: str
    color: tuple[int, int, int]
    parent: int | None = None
    made_of: str | None = None


@dataclass(frozen=True)
class Trace:
    """The observations of one mark, `K` rows in time order; columns as in `tracks.parquet`.

    Attributes:
        frames: source frame numbers, `[K] int32`.
        times: seconds, `[K] float64`.
        states: index into `STATES`, `[K] int8`; geometry is that of the last sight where not visible.
        boxes: x0, y0, x1, y1 in source pixels, `[K, 4] float32`.
        areas: source pixels, `[K] int32`.
        anchors: x, y of the drawn mark in source pixels, `[K, 2] float32`.
        scores: how well the mask agrees with the one expected, `[K] float32`, 0 to 1.
        colors: share of the mask's pixels that each basic colour term names, in percent, `[K, 11] uint8`,
            in the order of `som_agent.colors.COLOR_TERMS`.
        rles: COCO compressed RLE counts of the mask at `History.mask_size`; "" where not visible.
        hidden_by: where occluded, the mark that came over this one and that it goes with, `[K] int32`; it may
            be hidden itself. 0 for none, and everywhere if left out.
    """

    frames: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64]
    states: npt.NDArray[np.int8]
    boxes: npt.NDArray[np.float32]
    areas: npt.NDArray[np.int32]
    anchors: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    colors: npt.NDArray[np.uint8]
    rles: list[str]
    hidden_by: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def __post_init__(self) -> None:
        if not len(self.hidden_by):
            object.__setattr__(self, "hidden_by", np.zeros(len(self.frames), np.int32))

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Observation:
    """One mark in one frame: a row of a `Trace`, whose attributes these are."""

    mark: int
    frame: int
    time: float
    state: int
    box: tuple[float, float, float, float]
    area: int
    anchor: tuple[float, float]
    score: float
    colors: bytes
    rle: str
    hidden_by: int = 0


@dataclass
class History:
    """Every mark and what was seen of it.

    Attributes:
        size: width and height of the source in pixels.
        frames: numbers of the frames that were looked at, `[F] int32`, ascending.
        times: their times in seconds, `[F] float64`.
        marks: mark → its row of the mark table.
        traces: mark → its observations; every mark of the table has one.
        segmenter: name of the segmenter.
        mask_size: width and height of the pictures that the masks belong to; the source's unless given.
        sharpness: how sharp each frame is, `[F] float32`, in no unit; empty where it was not measured.
    """

    size: tuple[int, int]
    frames: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64]
    marks: dict[int, MarkInfo] = field(default_factory=dict)
    traces: dict[int, Trace] = field(default_factory=dict)
    segmenter: str = ""
    mask_size: tuple[int, int] = (0, 0)
    sharpness: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        if self.mask_size == (0, 0):
            self.mask_size = self.size

    def mask(self, mark: int, time: float | None = None) -> BoolArray:
        """The mask of a mark, `[H, W] bool` at the size of the source.

        Args:
            mark: its number.
            time: seconds; the frame nearest to it that was looked at counts. None takes its last sight.

        Raises:
            InputError: there is no such mark, or it is not visible then.
        """
        from som_agent.rle import decode
        from som_agent.scaling import resize_labels

        if mark not in self.traces:
            known = ", ".join(map(str, sorted(self.traces))) or "none"
            raise InputError(f"there is no mark {mark}; the marks are {known}")
        trace = self.traces[mark]
        rows = np.flatnonzero(trace.states == VISIBLE)
        if time is not None:
            frame = self.frames[np.abs(self.times - time).argmin()]
            rows = rows[trace.frames[rows] == frame]
        if not len(rows):
            when = "" if time is None else f" at {time:g} s"
            raise InputError(f"mark {mark} is not visible{when}, so it has no mask there")
        mask = decode(trace.rles[rows[-1]], self.mask_size)
        return resize_labels(mask.astype(np.int32), self.size) > 0


def traces(observations: Iterable[Observation]) -> dict[int, Trace]:
    """Sort observations, given in time order, into one trace a mark."""
    by_mark: dict[int, list[Observation]] = {}
    for row in observations:
        by_mark.setdefault(row.mark, []).append(row)
    return {mark: _trace(rows) for mark, rows in sorted(by_mark.items())}


def _trace(rows: list[Observation]) -> Trace:
    colors: npt.NDArray[np.uint8] = np.frombuffer(b"".join(row.colors for row in rows), np.uint8)
    return Trace(
        frames=np.array([row.frame for row in rows], np.int32),
        times=np.array([row.time for row in rows], np.float64),
        states=np.array([row.state for row in rows], np.int8),
        boxes=np.array([row.box for row in rows], np.float32),
        areas=np.array([row.area for row in rows], np.int32),
        anchors=np.array([row.anchor for row in rows], np.float32),
        scores=np.array([row.score for row in rows], np.float32),
        colors=colors.reshape(len(rows), -1),
        rles=[row.rle for row in rows],
        hidden_by=np.array([row.hidden_by for row in rows], np.int32),
    )
