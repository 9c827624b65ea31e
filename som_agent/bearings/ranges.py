"""One range and where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """How far a mark is.

    Attributes:
        metres: along the line of sight.
        ground_m: over the floor.
        at_deg: azimuth of the part that is so far.
        by: where it is from.
        noise_m: its least standard deviation.
    """

    metres: float
    ground_m: float
    at_deg: float
    by: Literal["depth", "floor"]
    noise_m: float
