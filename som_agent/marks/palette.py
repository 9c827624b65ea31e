"""The colour of a mark: fixed for each number, and far from the colours that it must not be mistaken for.

Method: the candidates are strong colours on a grid of OKLCh (the polar form of OKLab, in which equal
distances look about equally different): 48 hues at four lightnesses, each as colourful as sRGB allows
up to a limit. They are put in an order once: the first is given, and each next one is the candidate
whose nearest colour so far is farthest away. Colours count for less the longer ago they were taken, so
that the order goes on when the space is full: numbers near each other, which are the ones seen together,
stay apart. Numbers beyond the list start it again.

That is all that can be done where nothing but the number is known. Where the object is seen, `choose_color`
takes from the list a colour that stands out from it and from its surroundings, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Rgb", "choose_color", "color_of", "oklab"]

Rgb: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

_HUES = 48
_LIGHTNESSES = (0.62, 0.71, 0.80, 0.89)
_MAX_CHROMA = 0.21  # beyond it screens glow and video encoders bleed
_MIN_CHROMA = 0.115  # below it a colour reads as grey on a photo
_FORGET = 12  # a colour taken this many numbers ago seems twice as far away as it is


# OKLab distances at which a colour is far enough from what it must not be mistaken for; a larger one gains
# nothing. A mark's own ground hides it, a neighbour of the same colour takes its label; the colours of other
# marks elsewhere only need to be told apart in a list.
_FROM_GROUND = 0.18
_FROM_NEIGHBOURS = 0.18
_FROM_USED = 0.10
_USED = 24  # so many of the colours used last count

_Floats = npt.NDArray[np.float64]

# Björn Ottosson's OKLab: linear sRGB → cone responses → (cube root) → lightness, green-red, blue-yellow.
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB)


def color_of(number: int) -> Rgb:
    """The colour of mark `number` (from 1) where nothing else is known, RGB 0 to 255."""
    table = _table()
    return table[(number - 1) % len(table)]


def choose_color(
    number: int, ground: Sequence[Rgb] = (), neighbours: Sequence[Rgb] = (), used: Sequence[Rgb] = ()
) -> Rgb:
    """The colour for a new mark; `color_of(number)` wherever that one is far enough from everything.

    A colour is worth its smallest distance in OKLab, each as a share of what is enough: 0.18 to the ground
    and to neighbours, 0.10 to colours used before, and less the longer ago that was. The most worth is
    taken; of equals the first in the list from the number's own on.

    Args:
        number: the mark, from 1.
        ground: mean colours of its object and of what surrounds it.
        neighbours: colours of the marks on objects beside it.
        used: colours of other marks, the last one used at the end; the last 24 count.

    Returns:
        RGB 0 to 255.
    """
    table = np.roll(_table_lab(), -((number - 1) % len(_table())), axis=0)
    used = used[-_USED:]
    age = np.arange(len(used), 0, -1)
    others = oklab(np.array([*ground, *neighbours, *used], np.float64).reshape(-1, 3))
    enough = np.concatenate(
        [
            np.full(len(ground), _FROM_GROUND),
            np.full(len(neighbours), _FROM_NEIGHBOURS),
            _FROM_USED / (1 + age / _FORGET),
        ]
    )
    share = np.linalg.norm(table[:, None] - others, axis=-1) / enough
    best = int(np.argmax(np.round(share.min(axis=1, initial=1), 5)))
    return color_of(number + best)


def oklab(rgb: npt.ArrayLike) -> _Floats:
    """OKLab coordinates `[..., 3] float64` (L, a, b) of sRGB colours `[..., 3]`, 0 to 255."""
    srgb = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab: _Floats = np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T
    return lab


def _linear_rgb(lab: _Floats) -> _Floats:
    """Linear sRGB `[..., 3]`, 0 to 1 where the screen can show the colour."""
    rgb: _Floats = (lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T
    return rgb


def _candidates() -> _Floats:
    """The strong colours to choose from, OKLab `[C, 3]`."""
    hue = np.arange(_HUES) * (2 * np.pi / _HUES)
    direction = np.stack([np.cos(hue), np.sin(hue)], axis=-1)
    found = []
    for lightness in _LIGHTNESSES:
        chroma = np.linspace(_MIN_CHROMA, _MAX_CHROMA, 40)
        lab = np.empty((_HUES, len(chroma), 3))
        lab[..., 0] = lightness
        lab[..., 1:] = direction[:, None] * chroma[:, None]
        rgb = _linear_rgb(lab)
        showable = ((rgb >= 0) & (rgb <= 1)).all(axis=-1)
        strongest = np.where(showable, np.arange(len(chroma)), -1).max(axis=1)
        found.append(lab[np.arange(_HUES), strongest][strongest >= 0])
    return np.concatenate(found)


@lru_cache(maxsize=1)
def _table_lab() -> _Floats:
    """OKLab of the list, `[C, 3] float64`."""
    return oklab(_table())


@lru_cache(maxsize=1)
def _table() -> tuple[Rgb, ...]:
    lab = _candidates()
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    red = np.argmin(np.linalg.norm(lab - oklab((235, 50, 50)), axis=-1))
    order = [int(red)]
    while len(order) < len(lab):
        age = np.arange(len(order), 0, -1)
        apart = (distance[:, order] * (1 + age / _FORGET)).min(axis=1)
        apart[order] = -1
        # Rounded, so that the last bits of another machine's arithmetic cannot change the order.
        order.append(int(np.argmax(np.round(apart, 5))))
    linear = np.clip(_linear_rgb(lab[order]), 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple((int(r), int(g), int(b)) for r, g, b in np.round(srgb * 255))
