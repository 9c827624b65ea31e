"""When a mark is seen: sights joined to stretches of time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from som_agent.history import VISIBLE, Trace

__all__ = ["GAP_S", "breaks", "stretches", "visible_intervals"]

GAP_S = 0.5
"""Sights of a mark that are no more than this many seconds apart belong to one stretch."""


def breaks(looks: npt.NDArray[np.int64], times: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where a sight does not go on from the one before, `[n] bool`; true for the first.

    Two sights belong together when nothing was looked at between them, or when no more than `GAP_S` lies
    between them: a hand that passes in front does not end what one would call a sight.

    Args:
        looks: which of all the frames that were looked at each sight is in, `[n] int64`, ascending.
        times: their seconds, `[n] float64`.
    """
    apart = np.ones(len(looks), bool)
    apart[1:] = (np.diff(looks) > 1) & (np.diff(times) > GAP_S)
    return apart


def stretches(looks: npt.NDArray[np.int64], times: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Seconds of the first and last sight of each stretch, in time order; arguments as in `breaks`."""
    first = breaks(looks, times)
    last = np.roll(first, -1)  # a stretch ends before the next one starts
    return [(float(a), float(b)) for a, b in zip(times[first], times[last], strict=True)]


def visible_intervals(trace: Trace, frames: npt.NDArray[np.int32]) -> list[tuple[float, float]]:
    """The stretches of time in which a mark is visible, both ends seen, in time order.

    Args:
        trace: the observations of the mark.
        frames: numbers of all frames that were looked at, ascending, `History.frames`.
    """
    seen = np.flatnonzero(trace.states == VISIBLE)
    return stretches(np.searchsorted(frames, trace.frames[seen]), trace.times[seen])
