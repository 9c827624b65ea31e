"""How a mark moves, from the sides of its box: a side that something cuts off tells nothing."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["WINDOW_S", "Edges", "Motion", "speed_of"]

WINDOW_S = 0.4
"""Seconds over which a speed is measured, at most."""
_LEAST_S = 0.24
_SHORT_S, _SHORT_LEAST_S = 0.2, 0.12  # to know soon that something moves at all
_KEPT_S = 1.2
_ALIKE = 0.4  # how far one side of a box must go, as a part of what the other goes, to move with it

Edges = tuple[float | None, float | None, float | None, float | None]
"""x0, y0, x1, y1 in pixels; None where the side is cut off."""


class Motion:
    """The last second of the sides of one mark's box.

    Args:
        blur_px: what a side may be off though nothing moves.
        still_px_s: slower is standing still.
        moving_px_s: faster is moving; between the two it goes on as it was.
    """

    def __init__(self, blur_px: float, still_px_s: float, moving_px_s: float) -> None:
        self._blur, self._still, self._moving = blur_px, still_px_s, moving_px_s
        self._kept: deque[tuple[float, Edges]] = deque()
        self._anchor: tuple[float, Edges] | None = None  # where it has stood still, since when
        self._stands = True  # it is at that place in the newest frame, as far as can be seen
        self._left: float | None = None  # when it left that place
        self._velocity: tuple[float | None, float | None] | None = (None, None)

    def add(self, time_s: float, edges: Edges) -> None:
        """Take in where the sides are; a second time for the same frame puts them right."""
        kept = self._kept
        if kept and kept[-1][0] >= time_s:
            kept.pop()
        kept.append((time_s, edges))
        while time_s - kept[0][0] > _KEPT_S:
            kept.popleft()
        self._velocity = None
        self._judge()

    @property
    def velocity(self) -> tuple[float | None, float | None]:
        """Pixels a second, x and y, over the last 0.4 s; None where too little is known."""
        if self._velocity is None:
            self._velocity = self._measured()
        return self._velocity

    @property
    def speed(self) -> float | None:
        """Pixels a second over the last 0.4 s; None where too little is known."""
        return speed_of(self.velocity)

    @property
    def still_since(self) -> float | None:
        """When it came to stand where it is; None while it moves or nothing is known yet."""
        return self._anchor[0] if self._anchor is not None and self._stands else None

    @property
    def left_at(self) -> float | None:
        """When it left the place where it stood; None where it stands or was never seen to stand."""
        return self._left

    def _judge(self) -> None:
        newest, blur = self._kept[-1], self._blur
        if self._anchor is not None:
            away = _at_least(self._anchor[1], newest[1])
            self._stands = away <= 1.5 * blur
            if away > 3 * blur:
                self._left = self._since(self._anchor[1], inside=False)
                self._anchor = None
            elif self._rests(_SHORT_S):
                # A creep below the limit goes on standing: the place is where it is now.
                self._anchor = self._anchor[0], newest[1]
        if self._anchor is None and self._rests(_LEAST_S) and self._rests(_SHORT_LEAST_S):
            self._anchor = self._since(newest[1], inside=True), newest[1]
            self._left, self._stands = None, True

    def _rests(self, span_s: float) -> bool:
        """Whether it is about where it was so long ago; cheap, as it is asked of every mark."""
        end, edges = self._kept[-1]
        for time_s, before in reversed(self._kept):
            if end - time_s >= span_s - 1e-6:
                away = _apart(before, edges)
                return away is not None and away < max(self._still * (end - time_s), self._blur)
        return False

    def _since(self, place: Edges, *, inside: bool) -> float:
        """Since when, without a break until now, it has been within a blur of a place, or off it."""
        since = self._kept[-1][0]
        for time_s, edges in reversed(self._kept):
            away = _apart(place, edges)
            if away is None:
                if inside and _at_least(place, edges) > 1.5 * self._blur:
                    break  # what is known of it is elsewhere
            elif (away <= 1.5 * self._blur) != inside:
                break
            since = time_s
        return since

    def _measured(self) -> tuple[float | None, float | None]:
        """Velocity x and y by Theil's incomplete method (1950): the median of slopes from half to half."""
        return self._over(WINDOW_S, _LEAST_S)

    def _over(self, window_s: float, least_s: float) -> tuple[float | None, float | None]:
        end = self._kept[-1][0]
        recent = [row for row in self._kept if end - row[0] <= window_s + 1e-6]
        times = [time_s for time_s, _ in recent]
        sides = zip(*(edges for _, edges in recent), strict=True)
        x0, y0, x1, y1 = (_slope(times, side, least_s) for side in sides)
        return _common(x0, x1), _common(y0, y1)

    @property
    def speed_by_now(self) -> float | None:
        """Pixels a second over the last 0.2 s, known sooner and less exactly; None where it is not."""
        return speed_of(self._over(_SHORT_S, _SHORT_LEAST_S))

    def is_moving(self) -> bool | None:
        """Whether it moves; None where that is not known, or it is neither fast nor still."""
        speed = self.speed_by_now
        if speed is None:
            return None
        return True if speed >= self._moving else False if speed < self._still else None


def _slope(times: list[float], values: tuple[float | None, ...], least_s: float) -> float | None:
    """Median of the slopes from the first half to the second; None where too little is known, or not now."""
    if values[-1] is None:
        return None
    known = values
    if None in values:
        times = [time_s for time_s, value in zip(times, values, strict=True) if value is not None]
        known = tuple(value for value in values if value is not None)
    n = len(known)
    if n < 3 or times[-1] - times[0] < least_s:
        return None
    if known.count(known[0]) == n:
        return 0.0
    half = n // 2
    pairs = zip(known, known[half:], times, times[half:], strict=False)
    slopes = sorted((b - a) / (end - start) for a, b, start, end in pairs)  # type: ignore[operator]
    middle = len(slopes) // 2
    return slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2


def speed_of(velocity: tuple[float | None, float | None]) -> float | None:
    """Length of a velocity; None where a part of it is not known."""
    x, y = velocity
    return None if x is None or y is None else math.hypot(x, y)


def _apart(a: Edges, b: Edges) -> float | None:
    """How far a box is from another one in pixels, by the sides that both know."""
    if None not in a and None not in b and a == b:
        return 0.0
    return speed_of(_moved(a, b))


def _at_least(a: Edges, b: Edges) -> float:
    """How far at least a box is from another one in pixels: what is not known did not move."""
    x, y = _moved(a, b)
    return math.hypot(x or 0.0, y or 0.0)


def _moved(a: Edges, b: Edges) -> tuple[float | None, float | None]:
    moved = [None if p is None or q is None else q - p for p, q in zip(a, b, strict=True)]
    return _common(moved[0], moved[2]), _common(moved[1], moved[3])


def _common(low: float | None, high: float | None) -> float | None:
    """What both sides moved in common; a hand in front of a thing moves one side only."""
    if low is None or high is None:
        return high if low is None else low
    least, most = (low, high) if abs(low) < abs(high) else (high, low)
    return least if low * high > 0 and abs(least) >= _ALIKE * abs(most) else 0.0
