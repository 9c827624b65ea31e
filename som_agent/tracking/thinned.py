"""Large pictures are tracked on every second pixel, or fewer."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, IntArray, Regions
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["enlarged", "step_of", "thinned", "thinned_image", "thinned_mask"]

FINE_PX = 480
"""A picture whose longer side is at most this is worked on pixel by pixel."""


def step_of(size: tuple[int, ...]) -> int:
    """Pixels from one that is worked on to the next, in a picture of height and width `size`."""
    return -(-max(size) // FINE_PX)


def thinned_image(image: Image, step: int) -> Image:
    """A picture `[h, w, 3] uint8` of as many pixels, each the mean of those around it."""
    if step == 1:
        return image
    h, w = -(-image.shape[0] // step), -(-image.shape[1] // step)
    return np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA), np.uint8)


def thinned_mask(mask: BoolArray, step: int) -> BoolArray:
    """Every `step`-th pixel; what falls between them keeps one."""
    thin = mask[::step, ::step]
    if not thin.any():
        thin = thin.copy()
        y, x = np.argwhere(mask)[0] // step
        thin[min(y, thin.shape[0] - 1), min(x, thin.shape[1] - 1)] = True
    return thin


def thinned(regions: Regions, step: int) -> Regions:
    """The same regions on every `step`-th pixel; what falls between them keeps one."""
    if step == 1:
        return regions
    atoms = np.ascontiguousarray(regions.atoms[::step, ::step])
    _keep_one(regions.atoms, step, atoms, np.full(regions.members.shape[1], -1, np.int64))
    return replace(regions, atoms=atoms)


@compiled
def _keep_one(fine: IntArray, step: int, atoms: IntArray, first: npt.NDArray[np.int64]) -> None:
    """Put each atom that fell between the pixels where its first pixel is."""
    h, w = fine.shape
    for y in range(h):
        for x in range(w):
            if first[fine[y, x]] < 0:
                first[fine[y, x]] = y * w + x
    for row in atoms:
        for atom in row:
            first[atom] = -1
    for atom in range(len(first)):
        if first[atom] >= 0:
            atoms[first[atom] // w // step, first[atom] % w // step] = atom


def enlarged(thin: Regions, like: Regions) -> Regions:
    """Regions of a thinned picture at the size of the regions `like`."""
    h, w = like.atoms.shape
    step = step_of((h, w))
    atoms = np.repeat(np.repeat(thin.atoms, step, axis=0), step, axis=1)[:h, :w]
    return replace(thin, atoms=np.ascontiguousarray(atoms))
