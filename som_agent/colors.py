"""Which of the eleven basic colour terms names a pixel.

The terms are those that Berlin and Kay ("Basic Color Terms", 1969) found in every language with a full set
of colour words. A pixel is named from its CIE 1976 L*a*b* coordinates (sRGB, D65): by hue angle, lightness
and *purity*, which here is C* / (L* + 16). Shading multiplies X, Y and Z alike, and above the linear toe of
CIELAB that multiplies C* and L* + 16 alike: hue angle and purity of a surface stay as they are from its lit
to its dim side, so a cup in the shade is as red as the lit one. A highlight adds white: purity falls,
lightness rises. The borders between terms were set by us between the focal colours of the naming surveys
(red near 30°, orange 65°, yellow 95°, green 145°, blue 265°, purple 315°, pink 0° with high lightness), and
the blue-purple border leans with purity because CIELAB's lines of constant hue bend there (Hung and Berns,
1995).

Not perfect, and meant not to be mistaken for it: naming is per pixel, without knowledge of the light.
Skin, for which the list has no word, comes out as pink, brown or orange by its lightness and the light,
hardly ever as red; wood as brown or orange; teal as green or blue.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from som_kernels import label_overlap

__all__ = ["COLOR_TERMS", "color_counts", "name_pixels"]

COLOR_TERMS: tuple[str, ...] = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
"""The basic colour terms; a colour is written as an index into this tuple."""

_BLACK, _WHITE, _GREY, _RED, _ORANGE, _YELLOW, _GREEN, _BLUE, _PURPLE, _PINK, _BROWN = range(11)


def name_pixels(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Name every pixel.

    Args:
        image: `[..., 3] uint8`, RGB.

    Returns:
        `[...] uint8`, indices into `COLOR_TERMS`.
    """
    red, green, blue = (image[..., channel].astype(np.uint16) for channel in range(3))
    red &= 0xF8
    green &= 0xF8
    blue >>= 3
    red <<= 7
    green <<= 2
    red |= green
    red |= blue
    return np.asarray(_table().take(red))


def color_counts(atoms: npt.NDArray[np.int32], n: int, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Pixels of each colour term in each label; counts of labels add up to the counts of their union.

    Args:
        atoms: label of each pixel, `[h, w] int32`, 0 to `n` - 1.
        n: number of labels.
        image: `[h, w, 3] uint8`, RGB.

    Returns:
        `[n, 11] int64`, columns in the order of `COLOR_TERMS`.
    """
    names = torch.from_numpy(name_pixels(image).astype(np.int32))
    return label_overlap(torch.from_numpy(atoms), names, n - 1, len(COLOR_TERMS) - 1).numpy()


@cache
def _table() -> npt.NDArray[np.uint8]:
    """Term of every colour of 5 bits a channel, `[32768] uint8`, indexed by red, green, blue bits."""
    level = (np.arange(32) * 8 + 4) / 255.0
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    return _name_lab(_lab(rgb))


def _lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIE L*a*b* under D65 of sRGB values in 0 to 1, `[n, 3]` to `[n, 3]` (IEC 61966-2-1, CIE 15)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    delta = 6 / 29
    f = np.where(relative > delta**3, np.cbrt(relative), relative / (3 * delta**2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _name_lab(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Term of each L*a*b* colour, `[n, 3]` to `[n] uint8`."""
    light = lab[:, 0]
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    purity = chroma / (light + 16)

    # Light of changing warmth moves white things along yellow and blue, so more tint is forgiven there.
    warm, cool = _bump(hue, 80, 45), _bump(hue, 265, 50)
    tint = 0.12 + 0.07 * warm + 0.02 * cool + 0.10 * np.clip((40 - light) / 30, 0, 1)  # noise tints the dark
    neutral = (purity < tint) | ((light > 88) & (chroma < 9 + 11 * warm))
    dark = (light < 12) & (purity < 0.75) | (light < 20) & (purity < 0.45) | (light < 28) & (purity < 0.22)

    to_green = np.where(light > 80, 113, np.where(light < 58, 98, 108))  # dim yellow is olive, a green
    to_red = 0.60 + 0.25 * np.clip((hue - 25) / 18, 0, 1)  # towards orange there is skin, never this pure
    to_orange = 52 - 30 * np.clip(purity - 0.6, 0, 0.4)
    to_pink = np.where(light > 58, 330, 345)
    pale = (light > 50) | (purity < 0.62) & (light > 33)  # a pink thing keeps its purity in the shade
    rules: list[tuple[npt.NDArray[np.bool_], int]] = [
        (dark, _BLACK),
        (neutral & (light < 27), _BLACK),
        (neutral & (light < 80), _GREY),
        (neutral, _WHITE),
        # Red that is lighter and less pure is pink, darker and less pure is brown.
        ((hue < 12) & pale, _PINK),
        ((hue < 43) & (purity < 0.66) & (light >= 50), _PINK),
        ((hue < 43) & (purity < to_red), _BROWN),
        (hue < 43, _RED),
        # Brown is orange that is darker or duller than orange can be; pale orange is peach, a pink.
        ((hue < 58) & (purity < 0.60) & (light > 65), _PINK),
        ((hue < 77) & ((light < to_orange) | (purity < 0.72) & (light < 65)), _BROWN),
        ((hue < 92) & (purity < 0.48) & (light < 85), _BROWN),
        ((hue < 77) & (purity < 0.30), _PINK),
        (hue < 77, _ORANGE),
        ((hue < 92) & (light < 50), _BROWN),
        (hue < to_green, _YELLOW),
        (hue < 195, _GREEN),
        (hue < 298 + 4.5 * purity, _BLUE),
        (hue < to_pink, _PURPLE),
        (pale, _PINK),
    ]
    names = [np.full(hue.shape, name, np.uint8) for _, name in rules]
    return np.select([where for where, _ in rules], names, default=np.uint8(_RED))


def _bump(hue: npt.NDArray[np.float64], centre: float, width: float) -> npt.NDArray[np.float64]:
    """1 at `centre` degrees, falling to 0 at `width` degrees from it."""
    away = np.abs((hue - centre + 180) % 360 - 180)
    return np.clip(1 - away / width, 0, 1)
