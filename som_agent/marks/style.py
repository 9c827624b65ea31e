"""How marks look: what is drawn, how strong, how large."""

from __future__ import annotations

from dataclasses import dataclass

from som_agent.errors import InputError

__all__ = ["PARTS", "MarkStyle", "parse_draw"]

PARTS = ("mark", "mask", "box", "contour")


_SMALLER = (1.0, 0.75, 0.55)
"""Heights of digits to choose from, as parts of the wanted one."""
_LEAST_PX = 9
"""Digits that are lower than this are not drawn smaller still: they could not be read."""


@dataclass(frozen=True)
class MarkStyle:
    """What is drawn for each mark.

    Attributes:
        draw: any of "mark" (the label on its plate), "mask" (a tint), "box" and "contour".
        alpha: strength of the tint, 0 to 1.
        glyph_px: height of the label's digits in pixels of the picture, the same for all; None chooses it
            from the picture's size and, where objects are small, from theirs.
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

    def glyphs(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Heights of digits in a picture of `size` (width, height): the wanted one first."""
        if self.glyph_px is not None:
            return (self.glyph_px,)
        wanted = max(12, round(0.026 * max(size)))
        return tuple(max(_LEAST_PX, round(part * wanted)) for part in _SMALLER)

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
