"""Which frames to show: few enough for a prompt, and together showing every mark."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError
from som_agent.history import VISIBLE, History

__all__ = ["choose_frames", "frames_for_marks", "named_times"]


_NEAR_S = 0.5
"""A frame is sharp or blurred beside those within this many seconds: what they show is much the same."""
_RELEVANT = 4.0
"""How much more a mark counts that a question names than one that has nothing to do with it."""


def choose_frames(
    history: History,
    budget: int,
    times: Sequence[tuple[float, float]] = (),
    weights: Mapping[int, float] | None = None,
) -> list[int]:
    """Choose the frames that show every mark well, then spread what is left of the budget over the time.

    Greedy: each frame taken is the one that shows the marks not yet covered most clearly (large, well
    segmented, in a frame that is sharp beside its neighbours), and those first that matter most. That is
    within 1 - 1/e of the best choice, and the same for the same history.

    Args:
        history: what was seen.
        budget: most frames.
        times: intervals in seconds that the question is about; frames outside are not taken. Where no frame
            lies in an interval, the one nearest to it stands for it.
        weights: mark → how much the question is about it, 0 to 1; 0 where left out.

    Returns:
        Source frame numbers, ascending; fewer than `budget` only where there are no more.

    Raises:
        InputError: the budget is below one.
    """
    if budget < 1:
        raise InputError(f"the budget of frames must be at least 1, got {budget}")
    if len(history.frames) == 0:
        return []
    groups = [_frames_in(history, interval) for interval in times] or [np.arange(len(history.frames))]
    candidates = np.unique(np.concatenate(groups))
    clarity = _clarity(history)[:, candidates]
    relevant = np.array([(weights or {}).get(mark, 0.0) for mark in sorted(history.traces)])
    clarity *= (1 + _RELEVANT * relevant[:, None]).astype(np.float32)
    when = history.times[candidates]
    uncovered = np.ones(len(clarity), bool)
    waiting = [set(group.tolist()) for group in groups]
    distance = np.full(len(candidates), np.inf)
    taken: list[int] = []
    for _ in range(min(budget, len(candidates))):
        gain = clarity[uncovered].sum(axis=0)
        gain[taken] = -1
        if gain.max() <= 0:
            gain = _spread(when, distance, [np.isin(candidates, list(group)) for group in waiting])
            gain[taken] = -1
        best = int(gain.argmax())
        taken.append(best)
        uncovered &= clarity[:, best] == 0
        waiting = [group for group in waiting if int(candidates[best]) not in group]
        distance = np.minimum(distance, np.abs(when - when[best]))
    return sorted(int(history.frames[candidates[i]]) for i in taken)


def frames_for_marks(
    history: History,
    most: int,
    pictures: int,
    marks: int,
    times: Sequence[tuple[float, float]] = (),
    weights: Mapping[int, float] | None = None,
) -> list[int]:
    """As `choose_frames`, but fewer frames where these need several pictures each, for they show many marks.

    Args:
        history: what was seen.
        most: most frames.
        pictures: most pictures of all the frames together.
        marks: most marks in a picture.
        times: intervals in seconds that the question is about.
        weights: as in `choose_frames`.

    Returns:
        Source frame numbers, ascending. Two frames stay where they are to be had, so that what changes can be
        told; their marks may then not all find room.

    Raises:
        InputError: no frame or no picture is allowed.
    """
    count = min(most, pictures)
    chosen = choose_frames(history, count, times, weights)
    while count > 2 and sum(-(-max(_visible(history, frame), 1) // marks) for frame in chosen) > pictures:
        count -= 1
        chosen = choose_frames(history, count, times, weights)
    return chosen


def _visible(history: History, frame: int) -> int:
    """How many marks are visible in a source frame."""
    return sum(
        bool((trace.states[trace.frames == frame] == VISIBLE).any()) for trace in history.traces.values()
    )


def _frames_in(history: History, interval: tuple[float, float]) -> npt.NDArray[np.int64]:
    """Positions in `history.frames` of the frames inside an interval, or of the one nearest to it."""
    start, end = sorted(interval)
    inside = np.flatnonzero((history.times >= start) & (history.times <= end))
    if len(inside):
        return inside
    outside = np.maximum(start - history.times, history.times - end)
    return np.array([outside.argmin()])


def _clarity(history: History) -> npt.NDArray[np.float32]:
    """How clearly each frame shows each mark, `[M, F] float32`: 0 where not visible, else 0.5 to 1."""
    clarity = np.zeros((len(history.traces), len(history.frames)), np.float32)
    sharp = _sharp(history)
    for row, mark in enumerate(sorted(history.traces)):
        trace = history.traces[mark]
        seen = np.flatnonzero((trace.states == VISIBLE) & np.isin(trace.frames, history.frames))
        if len(seen) == 0:
            continue
        size = np.sqrt(trace.areas[seen] / max(1, int(trace.areas[seen].max())))
        column = np.searchsorted(history.frames, trace.frames[seen])
        good = np.nan_to_num(trace.scores[seen]).clip(0, 1) * sharp[column]
        clarity[row, column] = 0.5 + 0.5 * size * good
    return clarity


def _sharp(history: History) -> npt.NDArray[np.float32]:
    """How sharp each frame is beside the sharpest one around it, `[F] float32`, 0 to 1."""
    sharp = np.ones(len(history.frames), np.float32)
    if len(history.sharpness) == len(sharp):
        first = np.searchsorted(history.times, history.times - _NEAR_S)
        last = np.searchsorted(history.times, history.times + _NEAR_S, side="right")
        for k, (a, b) in enumerate(zip(first, last, strict=True)):
            sharp[k] = history.sharpness[k] / max(float(history.sharpness[a:b].max()), 1e-6)
    return sharp


def _spread(
    when: npt.NDArray[np.float64], distance: npt.NDArray[np.float64], waiting: list[npt.NDArray[np.bool_]]
) -> npt.NDArray[np.float64]:
    """Worth of each candidate once all marks are covered: far from those taken, empty intervals first."""
    if np.isinf(distance).all():  # nothing was taken yet: the middle of the video
        return np.asarray(1 / (1 + np.abs(when - (when[0] + when[-1]) / 2)))
    worth = distance + 1e-9
    for group in waiting:
        worth = np.where(group, worth + (when[-1] - when[0] + 1), worth)
    return np.asarray(worth)


_CLOCK = re.compile(r"(?<![\d:.])(?:(\d{1,2}):)?(\d{1,2}):([0-5]\d(?:\.\d+)?)(?![\d:])")
_MINUTES = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*(?:min|minutes?)\b", re.I)
_SECONDS = r"(\d+(?:\.\d+)?)"
_S = r"\s*(?:s|secs?|seconds?)\b"
_BETWEEN = re.compile(rf"\b(?:between|from)\s+{_SECONDS}(?:{_S})?\s+(?:and|to|until)\s+{_SECONDS}{_S}", re.I)
_AT = re.compile(rf"\b(?:at|around|about|near)\s+(?:second\s+{_SECONDS}\b|{_SECONDS}{_S})", re.I)
_AFTER = re.compile(rf"\b(after|before|until|since)\s+{_SECONDS}{_S}", re.I)
_FIRST = re.compile(rf"\b(first|last)\s+{_SECONDS}{_S}", re.I)
_EDGE = re.compile(r"\b(?:at|in|by|near|towards?)\s+the\s+(?:very\s+)?(start|beginning|end)\b", re.I)


def named_times(question: str, start: float, end: float) -> list[tuple[float, float]]:
    """The intervals of time that a question names, in seconds; empty where it names none.

    Args:
        question: "between 2 and 4 s", "at 3.2 seconds", "at 1:05", "after 2 minutes", "in the last 2 s", "at
            the end" are understood.
        start: first time that was looked at.
        end: last time that was looked at.
    """
    question = _CLOCK.sub(_seconds_of_clock, question)
    question = _MINUTES.sub(lambda m: f"{60 * float(m[1]):g} s", question)
    found = [(float(m[1]), float(m[2])) for m in _BETWEEN.finditer(question)]
    found += [(float(m[1] or m[2]),) * 2 for m in _AT.finditer(question)]
    for m in _AFTER.finditer(question):
        found.append((float(m[2]), end) if m[1].lower() in {"after", "since"} else (start, float(m[2])))
    for m in _FIRST.finditer(question):
        span = float(m[2])
        found.append((start, start + span) if m[1].lower() == "first" else (end - span, end))
    for m in _EDGE.finditer(question):
        found.append((end, end) if m[1].lower() == "end" else (start, start))
    return [(min(a, b), max(a, b)) for a, b in found]


def _seconds_of_clock(match: re.Match[str]) -> str:
    """What "1:05" or "1:02:05" is in seconds."""
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return f"{3600 * hours + 60 * minutes + seconds:g} s"
