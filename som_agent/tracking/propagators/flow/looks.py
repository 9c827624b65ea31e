"""What is kept of a frame to compare it with the next: colours, their codes, and where its edges are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.regions import FloatArray
from som_agent.tracking.flow import flow_size
from som_agent.tracking.propagators.flow.coarse import HALF
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["CODES", "LEVELS", "SIDE_PX", "Codes", "Look", "Looks", "flow_between", "look"]

Codes = npt.NDArray[np.int16]

LEVELS = 16
"""Steps of each colour channel in a colour table."""
CODES = LEVELS**3
SIDE_PX = 480
"""Long side of the working size."""
FLOW_SIDE_PX, FAST_FLOW_SIDE_PX = 384, 256
"""Long side at which the flow is computed, and where there are so many objects that time is short."""
BLUR_PX = 5
LIGHTNESS_WEIGHT = 0.7
"""Lightness changes with the light, hue hardly does."""
LINK_CONTRAST = 7.0
"""Difference in colour at which the tie between neighbours falls to about 0.6."""


@dataclass(frozen=True)
class Look:
    """A frame at working size, `w` × `h`.

    Attributes:
        lab: CIELAB in OpenCV's 8-bit units, lightness weighted down, `[h, w, 3] uint8`.
        smooth: the same, blurred, for comparing single points.
        codes: which entry of a colour table each pixel has, `[h, w] int16`, 0 to `CODES` - 1.
        links: how alike each pixel is to its neighbour on the right, below, below right and below left, 0 to
            1, `[4, h, w] float32`; 0 where the picture ends.
        gray: what the flow is computed on, `[h', w'] uint8`.
    """

    lab: Image
    smooth: Image
    codes: Codes
    links: FloatArray
    gray: Image

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.codes.shape[0], self.codes.shape[1]


def look(image: Image, flow_side_px: int = FLOW_SIDE_PX) -> Look:
    """Take what is needed from a picture.

    Args:
        image: `[h, w, 3] uint8` RGB of working size.
        flow_side_px: long side at which the flow to and from it is computed.
    """
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)
    lab = np.asarray(cv2.LUT(lab, _LIGHTNESS), np.uint8)
    smooth = np.asarray(cv2.blur(lab, (BLUR_PX, BLUR_PX)), np.uint8)
    h, w = lab.shape[:2]
    scale = min(1.0, flow_side_px / max(h, w))
    size = flow_size(round(w * scale), round(h * scale))
    lightness = cv2.extractChannel(smooth if scale < 1 else lab, 0)
    gray = np.asarray(cv2.resize(lightness, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return Look(lab, smooth, _codes(lab, *_STEPS), _links(lab), gray)


class Looks:
    """A frame at working size and, if anyone asks, at half of it.

    Args:
        image: `[h, w, 3] uint8` RGB of working size.
        flow_side_px: see `look`.
    """

    def __init__(self, image: Image, flow_side_px: int) -> None:
        self._image = image
        self.fine = look(image, flow_side_px)

    def at(self, scale: int) -> Look:
        """The frame at one pixel for every `scale` of the working size, 1 or `HALF`."""
        return self.fine if scale == 1 else self._coarse

    @cached_property
    def _coarse(self) -> Look:
        h, w = self.fine.shape
        even = cv2.copyMakeBorder(self._image, 0, h % HALF, 0, w % HALF, cv2.BORDER_REPLICATE)
        size = even.shape[1] // HALF, even.shape[0] // HALF
        return look(np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8))


def _dis(fast: bool) -> cv2.DISOpticalFlow:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if fast:
        flow.setPatchStride(4)
        flow.setGradientDescentIterations(12)
    # Half of its time, and on moving animals and cars it carried masks no better.
    flow.setVariationalRefinementIterations(0)
    return flow


def flow_between(now: Look, before: Look) -> FloatArray:
    """Where each pixel of the present was before: displacement in x and y, `[h, w, 2] float32` in pixels.

    Dense inverse search (Kroeger et al., ECCV 2016).
    """
    h, w = now.shape
    then = before.gray
    if then.shape != now.gray.shape:
        then = np.asarray(cv2.resize(then, now.gray.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    fast = max(now.gray.shape) <= FAST_FLOW_SIDE_PX
    flow = _dis(fast).calc(now.gray, then, np.zeros((*now.gray.shape, 2), np.float32))
    scale = np.array([w / now.gray.shape[1], h / now.gray.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow * scale, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


_values = np.arange(256)
_LIGHTNESS = np.stack([np.rint(LIGHTNESS_WEIGHT * _values), _values, _values], axis=-1)[None].astype(np.uint8)
# Colours of real pictures fill the middle half of the two hue axes.
_hues = np.clip((_values - 64) // 8, 0, LEVELS - 1)
_lightnesses = np.minimum(_values / LIGHTNESS_WEIGHT // 16, LEVELS - 1)
_STEPS = [
    steps.astype(np.int16)
    for steps in (_lightnesses * LEVELS * LEVELS, _hues * LEVELS, _hues.astype(np.float64))
]


@compiled
def _codes(lab: Image, lightness: Codes, hue_a: Codes, hue_b: Codes) -> Codes:
    """Which entry of a colour table each pixel has, from what each channel adds to it, `[256] int16`."""
    h, w = lab.shape[:2]
    codes = np.empty((h, w), np.int16)
    for y in range(h):
        for x in range(w):
            codes[y, x] = lightness[lab[y, x, 0]] + hue_a[lab[y, x, 1]] + hue_b[lab[y, x, 2]]
    return codes


@compiled
def _links(lab: Image) -> FloatArray:
    """Likeness of neighbours, a Gaussian as in `vote`; see `Look.links`."""
    h, w = lab.shape[:2]
    links = np.zeros((4, h, w), np.float32)
    sharp, zero, one = np.float32(1 / (16 * LINK_CONTRAST * LINK_CONTRAST)), np.float32(0), np.float32(1)
    planes = np.empty((3, h, w), np.float32)
    for y in range(h):
        for x in range(w):
            for c in range(3):
                planes[c, y, x] = lab[y, x, c]
    for k in range(4):
        down = 0 if k == 0 else 1
        first, second = (1, 0) if k == 3 else (0, 0 if k == 1 else 1)
        count = w if k == 1 else w - 1
        # Diagonal neighbours are farther away.
        most = np.float32(1.0 if k < 2 else 0.7)
        for y in range(h - down):
            l0, a0, b0 = (
                planes[0, y, first : first + count],
                planes[1, y, first : first + count],
                planes[2, y, first : first + count],
            )
            l1, a1, b1 = (
                planes[0, y + down, second : second + count],
                planes[1, y + down, second : second + count],
                planes[2, y + down, second : second + count],
            )
            tie = links[k, y, first : first + count]
            for x in range(count):
                p, q, r = l0[x] - l1[x], a0[x] - a1[x], b0[x] - b1[x]
                alike = one - (p * p + q * q + r * r) * sharp
                alike = alike if alike > zero else zero
                alike *= alike
                alike *= alike
                tie[x] = most * alike * alike
    return links
