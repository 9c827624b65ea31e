"""Time to contact: from how a thing grows in the picture, or from how its range shrinks.

Lee ("A theory of visual control of braking based on information about time-to-collision", Perception 5,
1976): a thing of size s in the picture that grows by ds/dt is here after tau = s / (ds/dt), whatever its size
and distance. At a constant speed 1/s falls on a straight line, so the line is fitted and tau read where it
meets zero; a range does the same. The slope is the median of all pairs' slopes (Theil 1950, Sen 1968), so
that single bad masks do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Line", "fit_line", "size_of"]

LEAST_SAMPLES = 4
SURE = 2.0
"""A slope counts where it is so many of its standard deviations away from 0."""
MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Line:
    """A fitted line: its value at the newest time, its slope a second, and the deviation of either."""

    value: float
    slope: float
    value_sd: float
    slope_sd: float

    def zero_s(self) -> tuple[float, float] | None:
        """Seconds until the line meets zero and their standard deviation; None where it surely does not."""
        if self.value <= 0 or -self.slope <= SURE * self.slope_sd or self.slope >= 0:
            return None
        seconds = self.value / -self.slope
        return seconds, seconds * float(np.hypot(self.slope_sd / self.slope, self.value_sd / self.value))


def fit_line(
    times: Sequence[float], values: Sequence[float], noise: Sequence[float], least_s: float
) -> Line | None:
    """A robust line through a few measurements.

    Args:
        times: seconds, ascending, `[n]`.
        values: `[n]`.
        noise: the least standard deviation of each; more is taken where they scatter more, `[n]`.
        least_s: seconds that the measurements must span.

    Returns:
        The line, or None where they are too few or span too little.
    """
    t, y = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if len(t) < LEAST_SAMPLES or t[-1] - t[0] < least_s:
        return None
    first, second = np.triu_indices(len(t), 1)
    apart = t[second] - t[first]
    first, second, apart = first[apart > 0], second[apart > 0], apart[apart > 0]
    slope = float(np.median((y[second] - y[first]) / apart))
    now = t - t[-1]
    value = float(np.median(y - slope * now))
    rest = y - value - slope * now
    # Of n measurements two are used up by the line.
    scatter = MAD_TO_SD * float(np.median(np.abs(rest))) * float(np.sqrt(len(t) / (len(t) - 2)))
    sd = max(scatter, float(np.median(noise)))
    slope_sd = sd / float(np.sqrt(((t - t.mean()) ** 2).sum()))
    return Line(value, slope, float(np.hypot(sd / np.sqrt(len(t)), slope_sd * -now.mean())), slope_sd)


def size_of(solid_angle: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The size s of a thing that covers a solid angle (steradian): the sine of half the angle of its cone.

    For a ball it is radius / distance exactly, wherever in the picture it is; a camera that only turns
    changes nothing of it.
    """
    cosine = 1 - np.asarray(solid_angle, np.float64) / (2 * np.pi)
    return np.asarray(np.sqrt(np.clip(1 - cosine**2, 0.0, 1.0)))
