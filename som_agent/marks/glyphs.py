"""The drawn label: text on a rounded plate in the mark's colour, made once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.marks.style import MarkStyle
from som_agent.regions import FloatArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Sprite", "luminance", "plate_size", "plate_sizes", "sprite"]

_FINE = 8  # labels are drawn this many times larger and averaged down: even edges at any size


@dataclass(frozen=True)
class Sprite:
    """A label ready to be laid over a picture: `picture * (255 - alpha) / 255 + color`.

    Attributes:
        color: `[h, w, 3] uint16` RGB, already multiplied by alpha.
        hidden: 255 - alpha, `[h, w, 1] uint16`.
    """

    color: npt.NDArray[np.uint16]
    hidden: npt.NDArray[np.uint16]


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
    """Sizes for `place`: width and height of each label, `[n, 2] float32`.

    Args:
        labels: the texts.
        style: sets the digits' height.
        picture: width and height of the picture that will be drawn on.
        placed_on: width and height of the label map given to `place`, where it is another: the sizes are in
            its pixels, with half a picture pixel on each side for rounding.
    """
    glyph = style.glyph(picture)
    sizes = np.array([plate_size(label, glyph) for label in labels], np.float32).reshape(-1, 2)
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
    pad = _pad(glyph)
    return max(round(width + 2.2 * pad), round(0.85 * (glyph + 2 * pad))), glyph + 2 * pad


@lru_cache(maxsize=4096)
def sprite(label: str, color: tuple[int, int, int], glyph: int) -> Sprite:
    """The drawn label, of `plate_size(label, glyph)`."""
    from PIL import Image, ImageDraw

    w, h = plate_size(label, glyph)
    font, _ = _font(glyph)
    rim = max(1, round(glyph / 18)) * _FINE
    canvas = Image.new("RGBA", (w * _FINE, h * _FINE))
    draw = ImageDraw.Draw(canvas)
    frame = (0, 0, w * _FINE - 1, h * _FINE - 1)
    radius = 0.28 * h * _FINE
    draw.rounded_rectangle(frame, radius, fill=(0, 0, 0, 200))
    inset = (rim, rim, w * _FINE - 1 - rim, h * _FINE - 1 - rim)
    draw.rounded_rectangle(inset, radius - rim, fill=(*color, 255))
    ink = (0, 0, 0, 255) if luminance(color) > 0.18 else (255, 255, 255, 255)  # the stronger contrast
    middle = (w * _FINE / 2, (h - _pad(glyph)) * _FINE)
    bold = round(0.035 * glyph * _FINE)
    draw.text(middle, label, font=font, anchor="ms", fill=ink, stroke_width=bold, stroke_fill=ink)
    fine = np.asarray(canvas, np.float32)
    fine[..., :3] *= fine[..., 3:] / 255
    small = cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA)
    rounded = np.round(small).astype(np.uint16)
    return Sprite(rounded[..., :3].copy(), 255 - rounded[..., 3:])


def _pad(glyph: int) -> int:
    return max(2, int(0.27 * glyph))


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
