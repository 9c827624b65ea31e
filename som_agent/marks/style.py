"""How marks look: what is drawn, how strong, how large."""

from __future__ import annotations

from dataclasses import dataclass

from som_agent.errors import InputError

__all__ = ["PARTS", "MarkStyle", "parse_draw"]

PARTS = ("mark", "mask", "box", "contour")


@dataclass(frozen=True)
class MarkStyle:
    """What is drawn for each mark.

    Attributes:
        draw: any of "mark" (the label on its plate), "mask" (a tint), "box" and "contour".
        alpha: strength of the tint, 0 to 1.
        glyph_px: height of the label's digits in pixels of the picture; None chooses it from the picture's
            size so that it can still be read when a model looks at the picture shrunk to some 336 pixels.
    """

    draw: tuple[str, ...] = ("mark", "mask", "contour")
    alpha: float = 0.12
    glyph_px: int | None = None

    def __post_init__(self) -> None:
        parse_draw(",".join(self.draw))
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}, but must be from 0 (no tint) to 1 (opaque)")
        if self.glyph_px is not None and self.glyph_px < 5:
            raise InputError(f"glyph_px is {self.glyph_px}, but digits need at least 5 pixels to be read")

    def glyph(self, size: tuple[int, int]) -> int:
        """Height of the digits in a picture of `size` (width, height), in pixels."""
        return self.glyph_px or max(11, round(0.025 * max(size)))

    def line(self, size: tuple[int, int]) -> int:
        """Thickness of contours, boxes and leader lines in a picture of `size` (width, height), in pixels."""
        return min(3, max(1, round(max(size) / 560)))


def parse_draw(text: str) -> tuple[str, ...]:
    """The parts named in a list such as "mark,mask,contour"."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise InputError(f"cannot draw {unknown[0]!r}; known: {', '.join(PARTS)}")
    return parts
