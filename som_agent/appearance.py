"""A colour space in which two pixels of one surface stay close, lit or in the shade."""

from __future__ import annotations

import cv2
import numpy as np

from som_agent.regions import FloatArray
from som_agent.video.frame import Image

__all__ = ["surface_colors"]

LIGHTNESS_WEIGHT = 0.6
CHROMA_SCALE = 60.0
TOE = 16.0
"""The offset of CIELAB's lightness: shading scales L* + 16 and chroma alike, above its linear toe."""


def surface_colors(image: Image) -> FloatArray:
    """Colours for comparing surfaces: lightness weighted down, and chroma relative to lightness.

    Distances are of the order of CIE Lab's for colours of middle lightness.

    Args:
        image: `[h, w, 3] uint8` RGB.

    Returns:
        `[h, w, 3] float32`: lightness, green to red, blue to yellow.
    """
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    purity = CHROMA_SCALE / (lab[..., 0] + TOE)
    lab[..., 0] *= LIGHTNESS_WEIGHT
    lab[..., 1] *= purity
    lab[..., 2] *= purity
    return lab
