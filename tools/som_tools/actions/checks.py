"""What a model wrote, checked: times, numbers and marks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError
from som_agent.history import STATES, VISIBLE, History
from som_tools.actions.words import labels, printable

__all__ = ["check_seconds", "frame_at", "known_mark", "newest_sight", "number", "whole_span"]


def number(name: str, value: float, least: float, most: float) -> float:
    """A number in its bounds.

    Raises:
        InputError: it is none, or out of them.
    """
    if not least <= value <= most:
        raise InputError(f"{name} must be from {least:g} to {most:g}, got {value}")
    return value


def check_seconds(**times: float | None) -> None:
    """Make sure that all that are given are seconds from 0 on, and that a start is not after its end.

    Raises:
        InputError: one is not.
    """
    for name, value in times.items():
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} must be seconds from 0 on, got {value:g}")
    start, end = times.get("start_s"), times.get("end_s")
    if start is not None and end is not None and end < start:
        raise InputError(f"end_s must not be before start_s, got {start:g} to {end:g} s")


def frame_at(history: History, time_s: float | None) -> int:
    """Index of the frame nearest to a time, of the newest one for None.

    Raises:
        InputError: nothing was seen yet, or not around that time.
    """
    first, last, slack = _seen(history)
    if time_s is None:
        return len(history.times) - 1
    check_seconds(time_s=time_s)
    if not first - slack <= time_s <= last + slack:
        raise InputError(
            f"{time_s:g} s was not seen: it was watched from {first:.2f} to {last:.2f} s; play goes on"
        )
    return int(np.abs(history.times - time_s).argmin())


def whole_span(history: History, start_s: float | None, end_s: float | None) -> npt.NDArray[np.bool_]:
    """The frames of a stretch of time, `[F] bool`; the one nearest to it where none lies in it.

    Raises:
        InputError: nothing was seen yet, no such times, or nothing of them was seen.
    """
    first, last, slack = _seen(history)
    check_seconds(start_s=start_s, end_s=end_s)
    start, end = first if start_s is None else start_s, last if end_s is None else end_s
    if start > last + slack or end < first - slack:
        raise InputError(
            f"nothing from {start:g} to {end:g} s was seen: it was watched from {first:.2f} to {last:.2f} s; "
            "play goes on"
        )
    chosen = (history.times >= start - 1e-6) & (history.times <= end + 1e-6)
    if not chosen.any():
        chosen[np.abs(history.times - (start + end) / 2).argmin()] = True
    return np.asarray(chosen)


def known_mark(history: History, mark: int | str) -> int:
    """The number of a mark that is named by its label or number, "3", "[3]" or "3a".

    Raises:
        InputError: there is no such mark.
    """
    wanted = str(mark).strip().removeprefix("[").removesuffix("]").strip()
    for named in (
        {info.label.casefold(): number for number, info in history.marks.items()},
        {str(number): number for number in history.marks},
    ):
        if wanted.casefold() in named:
            return named[wanted.casefold()]
    known = labels([info.label for info in history.marks.values()])
    raise InputError(f'there is no mark "{printable(wanted, 40)}"; the marks are {known}')


def newest_sight(history: History, mark: int) -> int:
    """The row of a mark's sight in the newest frame, in its trace.

    Raises:
        InputError: it is not visible in it.
    """
    now = frame_at(history, None)
    trace, label = history.traces[mark], history.marks[mark].label
    if len(trace) and trace.frames[-1] == history.frames[now] and trace.states[-1] == VISIBLE:
        return len(trace) - 1
    state = STATES[trace.states[-1]] if len(trace) and trace.states[-1] != VISIBLE else "gone"
    seen = np.flatnonzero(trace.states == VISIBLE)
    last = f"{trace.times[seen[-1]]:.2f} s" if len(seen) else "no time that is remembered"
    raise InputError(
        f"mark [{label}] is {state} now ({history.times[now]:.2f} s) and must be visible; it was "
        f"last seen at {last}: play on until it comes back, or open the video again with end_s at that time, "
        "where marks are numbered anew"
    )


def _seen(history: History) -> tuple[float, float, float]:
    """First and last second that was seen, and how far beside a frame counts as at it."""
    if not len(history.times):
        raise InputError("no frame was looked at yet")
    step = float(np.median(np.diff(history.times))) if len(history.times) > 1 else 0.0
    return float(history.times[0]), float(history.times[-1]), max(step, 0.05)
