"""Parts of the picture that conditions name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from som_agent.errors import InputError

__all__ = ["Zone", "numbers"]


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A part of the picture: either a box or a polygon.

    Attributes:
        box: x0, y0, x1, y1.
        polygon: its corners, x and y, three or more.
        name: what it is called in sentences, "the door" for example.

    Raises:
        InputError: neither or both, or a shape without an area.
    """

    box: tuple[float, float, float, float] | None = None
    polygon: tuple[tuple[float, float], ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.box is None) == (self.polygon is None):
            raise InputError("a zone is either a box or a polygon, and not both")
        if not isinstance(self.name, str):
            raise InputError(f"the name of a zone is a text, got {self.name!r}")
        if self.box is not None:
            box = numbers("box", self.box)
            if len(box) != 4 or box[0] >= box[2] or box[1] >= box[3]:
                raise InputError(f"box must be x0, y0, x1, y1 with x0 < x1 and y0 < y1, got {list(box)}")
            object.__setattr__(self, "box", box)
        if self.polygon is not None:
            if not isinstance(self.polygon, (list, tuple)):
                raise InputError(f"polygon must be a list of points, got {self.polygon!r}")
            points = tuple(numbers("polygon", point) for point in self.polygon)
            if len(points) < 3 or any(len(point) != 2 for point in points) or not _area(points):
                raise InputError(f"polygon must be three points x, y or more, got {list(map(list, points))}")
            object.__setattr__(self, "polygon", points)

    @property
    def corners(self) -> tuple[tuple[float, ...], ...]:
        """Its corners, x and y."""
        if self.box is None:
            return self.polygon or ()
        x0, y0, x1, y1 = self.box
        return (x0, y0), (x1, y0), (x1, y1), (x0, y1)

    @property
    def called(self) -> str:
        """How a sentence names it."""
        return self.name or "the zone"


def numbers(name: str, values: Any) -> Any:
    """Finite numbers as a tuple of floats."""
    if not isinstance(values, (list, tuple)):
        raise InputError(f"{name} must be a list of numbers, got {values!r}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InputError(f"{name} must be a number, got {value!r}")
    return tuple(float(value) for value in values)


def _area(points: tuple[Any, ...]) -> float:
    turned = (*points[1:], *points[:1])
    return float(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, turned, strict=True)))
