"""How sharp a picture is, to tell a blurred frame from its sharp neighbours."""

from __future__ import annotations

import cv2
import numpy as np

from som_agent.video.frame import Image

__all__ = ["sharpness"]


def sharpness(image: Image) -> float:
    """The variance of the picture's Laplacian (Pech-Pacheco et al., ICPR 2000), in squared grey values.

    It depends on what the picture shows as well: only frames of about the same view can be compared.

    Args:
        image: `[H, W, 3] uint8` RGB.
    """
    _, deviation = cv2.meanStdDev(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_16S))
    return float(np.square(deviation[0, 0]))
