"""The drawn label: text on a plate in the mark's colour, made once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from som_agent.marks.style import MarkStyle
from som_agent.regions import FloatArray
from som_agent.video.frame import Image

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["luminance", "plate_size", "plate_sizes", "sprite"]

_SIDE = 0.45  # plate left and right of the digits, in their heights: its edge must not join on to a 3 or a 1
_FINE = 8  # labels are drawn this many times larger and averaged down: even edges at any size


def luminance(color: tuple[int, int, int]) -> float:
    """Relative luminance of an sRGB colour, 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def plate_sizes(
    labels: Sequence[str],
    style: MarkStyle,
    picture: tuple[int, int],
    placed_on: tuple[int, int] | None = None,
) -> FloatArray:
    """Sizes for `place`: width and height of each label at each of the style's sizes, `[n, S, 2] float32`.

    Args:
        labels: the texts.
        style: sets the digits' heights.
        picture: width and height of the picture that will be drawn on.
        placed_on: width and height of the label map given to `place`, where it is another: the sizes are in
            its pixels, with half a picture pixel on each side for rounding.
    """
    glyphs = style.glyphs(picture)
    sizes = np.array([[plate_size(label, glyph) for glyph in glyphs] for label in labels], np.float32)
    sizes = sizes.reshape(len(labels), len(glyphs), 2)
    if placed_on is None or placed_on == picture:
        return sizes
    return (sizes + 1) * np.array([placed_on[0] / picture[0], placed_on[1] / picture[1]], np.float32)


@lru_cache(maxsize=4096)
def plate_size(label: str, glyph: int) -> tuple[int, int]:
    """Width and height of a label's plate for digits of `glyph` pixels, in pixels."""
    font, cap = _font(glyph)
    # Every digit or letter gets the same room, so that plates of the same length are of the same size.
    cell = font.getlength("0") / cap
    width = max(len(label) * cell, font.getlength(label) / cap) * glyph
    return round(width + 2 * _SIDE * glyph), glyph + 2 * _pad(glyph)


@lru_cache(maxsize=4096)
def sprite(label: str, color: tuple[int, int, int], glyph: int) -> Image:
    """The drawn label, `[h, w, 3] uint8` RGB, of `plate_size(label, glyph)`; it must not be changed."""
    import PIL.Image
    from PIL import ImageDraw

    w, h = plate_size(label, glyph)
    font, _ = _font(glyph)
    # A plain rectangle: a rounded one, or one with a rim, makes ③ of 3 and ④ of 4 for who reads text.
    canvas = PIL.Image.new("RGB", (w * _FINE, h * _FINE), color)
    draw = ImageDraw.Draw(canvas)
    ink = (0, 0, 0) if luminance(color) > 0.18 else (255, 255, 255)  # the stronger contrast
    middle = (w * _FINE / 2, (h - _pad(glyph)) * _FINE)
    bold = round(0.035 * glyph * _FINE)
    draw.text(middle, label, font=font, anchor="ms", fill=ink, stroke_width=bold, stroke_fill=ink)
    return np.asarray(cv2.resize(np.asarray(canvas), (w, h), interpolation=cv2.INTER_AREA), np.uint8)


def _pad(glyph: int) -> int:
    """Plate above and below the digits."""
    return max(2, round(0.25 * glyph))


@lru_cache(maxsize=64)
def _font(glyph: int) -> tuple[FreeTypeFont, float]:
    """The font at the fine scale and the height of its capitals there, which is `glyph` fine pixels."""
    cap_share = _cap_height(_load(1000)) / 1000
    font = _load(glyph * _FINE / cap_share)
    return font, glyph * _FINE


def _load(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _cap_height(font: FreeTypeFont) -> float:
    _, top, _, bottom = font.getbbox("1", anchor="ls")
    return bottom - top
