"""How the marks of one frame lie on its true objects, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from som_agent.regions import Regions
from som_kernels import label_overlap

__all__ = ["Contingency", "contingency"]

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contingency:
    """One frame: `M` marks against `N` true objects. What is measured over time needs no more than this.

    Attributes:
        marks: the marks that are visible, each once.
        objects: the true objects, those that do not show in this frame included.
        shared: pixels that a mark and an object share, `[M, N] int64`; marks may lie on one another.
        mark_areas: pixels of each mark, `[M] int64`.
        object_areas: pixels of each object, `[N] int64`; 0 where it does not show.
        topmost: every pixel once, by the topmost mark there (the smaller one is on top) and the object there,
            `[M + 1, N + 1] int64`; row 0 is under no mark, column 0 on no object.
    """

    marks: tuple[int, ...]
    objects: tuple[int, ...]
    shared: _Counts
    mark_areas: _Counts
    object_areas: _Counts
    topmost: _Counts

    @cached_property
    def ious(self) -> npt.NDArray[np.float64]:
        """Intersection over union, `[M, N] float64`; 0 where both are empty."""
        union = self.mark_areas[:, None] + self.object_areas - self.shared
        ious: npt.NDArray[np.float64] = self.shared / np.maximum(union, 1)
        return ious


def contingency(
    marks: Sequence[int], regions: Regions, truth: npt.NDArray[np.integer], objects: Sequence[int]
) -> Contingency:
    """Count the pixels of one frame.

    Args:
        marks: the marks that are visible.
        regions: their regions, in the same order; they may overlap, or be empty.
        truth: true object of each pixel, `[h, w]`, of the regions' size; labels that are not among the
            objects count as background.
        objects: the labels of the true objects, each above 0.
    """
    m, n = len(regions), len(objects)
    column = np.zeros(max(int(truth.max(initial=0)), *objects, 0) + 1, np.int32)
    column[list(objects)] = np.arange(1, n + 1)
    columns = torch.from_numpy(column[truth])
    by_atom = label_overlap(torch.from_numpy(regions.atoms), columns, regions.members.shape[1] - 1, n).numpy()
    shared = regions.members.astype(np.int64) @ by_atom
    return Contingency(
        marks=tuple(marks),
        objects=tuple(objects),
        shared=shared[:, 1:],
        mark_areas=shared.sum(axis=1),
        object_areas=by_atom.sum(axis=0)[1:],
        topmost=label_overlap(torch.from_numpy(regions.visible()), columns, m, n).numpy(),
    )
