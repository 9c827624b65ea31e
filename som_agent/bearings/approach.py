"""What was measured of one mark over a short while, and how fast it comes nearer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

from som_agent.bearings.bearing import Bearing
from som_agent.bearings.looming import fit_line
from som_agent.bearings.ranges import Range

__all__ = ["Approach"]

SAMPLES = 32
SPAN = 0.25
"""Share of the window that measurements must span."""
SHRUNK = 0.85
"""A size that falls to this share from one frame to the next: something came over the thing."""
RESHAPED = 0.15
"""A thing that only comes nearer keeps its proportions; one that something uncovers changes them."""


@dataclass(frozen=True)
class _Size:
    """1 / size and its noise at a time; `shape` is width / height of the box and how sure that is."""

    time: float
    inverse: float
    noise: float
    shape: float
    shape_noise: float


@dataclass
class Approach:
    """The measurements of one mark; give it each frame's in turn."""

    window_s: float
    last: Bearing | None = None
    seen_s: float = 0.0
    _sizes: deque[_Size] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _ranges: deque[tuple[float, Range]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def hide(self) -> None:
        """It is out of sight: what comes after is measured anew."""
        self._sizes.clear()
        self._ranges.clear()

    def see(
        self,
        time: float,
        bearing: Bearing,
        size: float,
        noise: float,
        box_px: tuple[float, float],
        found: Range | None,
    ) -> Bearing:
        """Take the measurements of a frame; returns the bearing with what follows from them.

        Args:
            time: seconds.
            bearing: what is known of the frame alone.
            size: see `looming.size_of`.
            noise: its least standard deviation.
            box_px: width and height of the mask.
            found: its range.
        """
        first = time - self.window_s  # a frame may be given again, with marks that were made since
        self._sizes = deque((s for s in self._sizes if first <= s.time < time), SAMPLES)
        self._ranges = deque((r for r in self._ranges if first <= r[0] < time), SAMPLES)
        if bearing.cut:
            self._sizes.clear()
        else:
            shape = box_px[0] / box_px[1]
            self._add(_Size(time, 1 / size, noise / size**2, shape, shape * 2 / min(box_px)))
        if found is None or (self._ranges and self._ranges[-1][1].by != found.by):
            self._ranges.clear()
        if found is not None:
            bearing = replace(
                bearing,
                range_m=found.metres,
                ground_m=found.ground_m,
                range_at_deg=found.at_deg,
                range_from=found.by,
            )
            self._ranges.append((time, found))
        self.last, self.seen_s = self._approach(bearing), time
        return self.last

    def _add(self, now: _Size) -> None:
        if self._sizes and now.inverse > self._sizes[-1].inverse / SHRUNK:
            self._sizes.clear()
        while self._sizes:
            before = self._sizes[0]
            free = RESHAPED * before.shape + max(before.shape_noise, now.shape_noise)
            if abs(now.shape - before.shape) <= free:
                break
            self._sizes.popleft()
        self._sizes.append(now)

    def _approach(self, bearing: Bearing) -> Bearing:
        least_s = SPAN * self.window_s
        ways: list[tuple[float, float, Literal["range", "looming"]]] = []
        sizes = fit_line(
            [s.time for s in self._sizes],
            [s.inverse for s in self._sizes],
            [s.noise for s in self._sizes],
            least_s,
        )
        if sizes is not None and (zero := sizes.zero_s()) is not None:
            ways.append((*zero, "looming"))
            if bearing.range_m is not None:
                bearing = replace(bearing, closing_m_s=bearing.range_m / zero[0])
        ranges = fit_line(
            [time for time, _ in self._ranges],
            [r.metres for _, r in self._ranges],
            [r.noise_m for _, r in self._ranges],
            least_s,
        )
        if ranges is not None:
            bearing = replace(bearing, closing_m_s=-ranges.slope)
            if (zero := ranges.zero_s()) is not None:
                ways.append((*zero, "range"))
        if not ways:
            return bearing
        seconds, sd, way = min(ways, key=lambda known: known[1])
        return replace(bearing, time_to_contact_s=seconds, time_to_contact_sd_s=sd, contact_from=way)
