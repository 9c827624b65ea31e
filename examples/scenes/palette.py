"""The eleven basic colour terms and how objects of these colours are painted."""

from __future__ import annotations

__all__ = ["PAINTS"]

PAINTS: dict[str, tuple[int, int, int]] = {
    "black": (30, 30, 33),
    "white": (238, 238, 234),
    "grey": (128, 129, 130),
    "red": (205, 28, 34),
    "orange": (248, 126, 18),
    "yellow": (250, 208, 30),
    "green": (36, 140, 58),
    "blue": (32, 82, 198),
    "purple": (122, 52, 164),
    "pink": (244, 132, 176),
    "brown": (112, 66, 36),
}
"""Colour term → RGB."""
