"""When a mark is seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from som_agent.history import VISIBLE, Trace

__all__ = ["visible_intervals"]


def visible_intervals(
    trace: Trace, max_gap: float = 0.5, frames: npt.NDArray[np.int32] | None = None
) -> list[tuple[float, float]]:
    """The stretches of time in which a mark is visible, both ends seen, in time order.

    Two sights belong to one stretch when nothing was looked at between them, or when less than `max_gap` lies
    between them: a hand that passes in front does not end what one would call a sight.

    Args:
        trace: the observations of the mark.
        max_gap: seconds.
        frames: numbers of all frames that were looked at, ascending, `History.frames`. Without them the
            rows of the trace itself stand for it, which is right where every look left a row.
    """
    seen = np.flatnonzero(trace.states == VISIBLE)
    if len(seen) == 0:
        return []
    times = trace.times[seen]
    looks = seen if frames is None else np.searchsorted(frames, trace.frames[seen])
    apart = (np.diff(looks) > 1) & (np.diff(times) >= max_gap)
    starts = np.concatenate([[0], np.flatnonzero(apart) + 1])
    ends = np.concatenate([np.flatnonzero(apart), [len(seen) - 1]])
    return [(float(times[a]), float(times[b])) for a, b in zip(starts, ends, strict=True)]
