"""What a mark's colour has to stand out from: its object, what lies round it, and the objects beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from som_agent.marks.palette import Rgb
from som_agent.regions import Regions
from som_agent.video.frame import Image
from som_kernels import region_stats

__all__ = ["Surroundings", "surroundings"]

_AROUND = 3
"""So many of the largest pieces that touch a region stand for what lies round it."""


@dataclass(frozen=True)
class Surroundings:
    """What one region stands in.

    Attributes:
        ground: mean colour of the region itself, then those of the largest pieces that touch it.
        neighbours: rows of the regions that touch or overlap it.
    """

    ground: list[Rgb]
    neighbours: list[int]


def surroundings(image: Image, regions: Regions, rows: Sequence[int]) -> list[Surroundings]:
    """The surroundings of some regions, for `palette.choose_color`; one pass over the picture for all.

    Args:
        image: the picture that was segmented, `[h, w, 3] uint8` RGB, of the regions' size.
        regions: all regions of the frame.
        rows: those that are asked about, new marks for example.
    """
    if len(rows) == 0:
        return []
    n = regions.members.shape[1]
    # The ground is an atom too: counted up by one, it is no longer left out.
    stats = region_stats(torch.from_numpy(regions.atoms + 1), torch.from_numpy(image), n)
    areas, means = stats.areas.numpy().astype(np.float64), stats.colours.numpy().astype(np.float64)
    own = regions.members[list(rows)]
    touched = (own.astype(np.float32) @ regions.touching.astype(np.float32)) > 0
    beside = ((own | touched).astype(np.float32) @ regions.members.T.astype(np.float32)) > 0
    found = []
    for i, row in enumerate(rows):
        around = np.flatnonzero(touched[i] & ~own[i])
        around = around[np.argsort(-areas[around], kind="stable")][:_AROUND]
        mean = (areas[own[i]] @ means[own[i]]) / max(areas[own[i]].sum(), 1)
        found.append(
            Surroundings(
                ground=[_rgb(color) for color in (mean, *means[around])],
                neighbours=[int(j) for j in np.flatnonzero(beside[i]) if j != row],
            )
        )
    return found


def _rgb(color: npt.NDArray[np.float64]) -> Rgb:
    r, g, b = (round(float(v)) for v in color)
    return r, g, b
