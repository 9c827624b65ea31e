"""How a model sees a picture: the size to which it is brought before anything looks at it.

Marks are drawn on the frame at that size. A label drawn at the source's size and shrunk away by the model's
own preprocessing is what makes the published way illegible to small models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from som_agent.errors import InputError

__all__ = ["LEAST_PX", "MOST_PX", "View"]

LEAST_PX, MOST_PX = 16, 16_384
"""Shortest and longest long side on which marks are drawn."""


@dataclass(frozen=True)
class View:
    """What a vision-language model sees of a picture: one beyond any of the limits is shrunk by the model.

    Attributes:
        name: the family of models.
        long_px: longest long side.
        short_px: longest short side, None for any.
        pixels: most pixels, None for any.
        enlarge: a smaller picture is enlarged to the limits, but at most this many times: digits get their
            height without covering more of their object, and the picture costs more tokens.
        marks: most marks that are drawn in one picture for it.
    """

    name: str
    long_px: int
    short_px: int | None = None
    pixels: int | None = None
    enlarge: float = 2.0
    marks: int = 20

    def __post_init__(self) -> None:
        if self.long_px < LEAST_PX:
            raise InputError(
                f"a picture of {self.long_px} px is too small to draw marks on; {LEAST_PX} px or more"
            )
        if self.long_px > MOST_PX:
            raise InputError(f"a picture of {self.long_px} px is too large to draw; {MOST_PX} px or less")
        if self.marks < 1:
            raise InputError(f"a view of {self.marks} marks shows nothing; 1 or more")

    @classmethod
    def of_side(cls, long_px: int) -> View:
        """A view of exactly `long_px` pixels on the long side."""
        return cls(f"{long_px} px", long_px, enlarge=math.inf)

    def size(self, source: tuple[int, int]) -> tuple[int, int]:
        """Width and height at which a picture of the `source`'s width and height is seen."""
        return self._fitted(source, self.enlarge)

    def shrunk(self, size: tuple[int, int]) -> tuple[int, int]:
        """What the model itself makes of a picture of this width and height: it never enlarges one."""
        return self._fitted(size, 1.0)

    def _fitted(self, size: tuple[int, int], enlarge: float) -> tuple[int, int]:
        w, h = size
        scale = min(enlarge, self.long_px / max(w, h))
        if self.short_px is not None:
            scale = min(scale, self.short_px / min(w, h))
        if self.pixels is not None:
            scale = min(scale, math.sqrt(self.pixels / (w * h)))
        return max(round(w * scale), 1), max(round(h * scale), 1)
