"""What is known of where one mark is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Bearing"]


@dataclass(frozen=True)
class Bearing:
    """Where one mark is from the camera.

    Angles are level: a camera's known pitch is taken out of them. None says that something is not known.

    Attributes:
        mark: its number.
        label: what is drawn.
        state: "visible" or "occluded"; where occluded, the direction is that of the last sight.
        age_s: seconds since it was seen.
        azimuth_deg: of the middle of its mask, to the right.
        elevation_deg: of the middle of its mask, upwards.
        left_deg, right_deg: azimuths of its two sides.
        top_deg, bottom_deg: elevations of its upper and its lower end.
        cut: whether the picture's border cuts it, so that its far side is not where the mask ends.
        range_m: distance from the camera to its nearest part that is seen, along the line of sight.
        ground_m: the same over the floor: the level part of it.
        range_at_deg: azimuth of that part.
        range_from: "depth", or "floor" where its mask meets a flat floor.
        closing_m_s: how fast the range shrinks; negative where it grows.
        time_to_contact_s: until it is here, if both go on as they do; only where it comes nearer.
        time_to_contact_sd_s: one standard deviation of that, from the scatter of the measurements.
        contact_from: "range" or "looming".
    """

    mark: int
    label: str
    state: str
    age_s: float
    azimuth_deg: float
    elevation_deg: float
    left_deg: float
    right_deg: float
    top_deg: float
    bottom_deg: float
    cut: bool = False
    range_m: float | None = None
    ground_m: float | None = None
    range_at_deg: float | None = None
    range_from: Literal["depth", "floor"] | None = None
    closing_m_s: float | None = None
    time_to_contact_s: float | None = None
    time_to_contact_sd_s: float | None = None
    contact_from: Literal["range", "looming"] | None = None

    @property
    def width_deg(self) -> float:
        """How wide it looks."""
        return self.right_deg - self.left_deg

    def to_json(self) -> dict[str, Any]:
        """Its attributes and `width_deg`, rounded to 0.001."""
        row = asdict(self) | {"width_deg": self.width_deg}
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}
