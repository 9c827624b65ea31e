"""A mark as one picture shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Mark"]


@dataclass(frozen=True)
class Mark:
    """One mark on one frame.

    Attributes:
        mark: the number, from 1; it never names another object.
        label: what is drawn, "3" or "C".
        color: RGB, 0 to 255.
        anchor: x, y of a point on the object, in source pixels: the middle of the drawn label, or the
            foot of its leader line where the label stands beside the object.
        plate: x0, y0, x1, y1 of the drawn label in pixels of the written picture; None where not drawn.
        box: x0, y0, x1, y1 of the object in source pixels.
        area: pixels of the object in the source.
        shown: whether the label is drawn.
        reason: why the label is not drawn, or not on its object; None where it is.
        score: the segmenter's or tracker's confidence, 0 to 1.
    """

    mark: int
    label: str
    color: tuple[int, int, int]
    anchor: tuple[float, float]
    plate: tuple[int, int, int, int] | None
    box: tuple[float, float, float, float]
    area: int
    shown: bool = True
    reason: str | None = None
    score: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The object that `som-agent mark --json` prints for this mark."""
        return {
            "mark": int(self.mark),
            "label": self.label,
            "anchor": [round(float(v), 1) for v in self.anchor],
            "plate": None if self.plate is None else [int(v) for v in self.plate],
            "box": [round(float(v), 1) for v in self.box],
            "area": int(self.area),
            "shown": bool(self.shown),
            "reason": self.reason,
        }
