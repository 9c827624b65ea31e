"""What the metrics of identity remember of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from som_agent.evaluation.contingency import Contingency

__all__ = ["Numbers", "Pairs"]

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """The objects that show in one frame against the marks that have a pixel there.

    Attributes:
        objects: true objects, `[G] int64`.
        marks: marks, `[P] int64`.
        ious: intersection over union of each pair, `[G, P] float64`.
    """

    objects: Numbers
    marks: Numbers
    ious: npt.NDArray[np.float64]

    @classmethod
    def of(cls, seen: Contingency) -> Pairs:
        """Leave out the objects that do not show, and marks without a pixel."""
        rows, columns = np.flatnonzero(seen.mark_areas), np.flatnonzero(seen.object_areas)
        return cls(
            objects=np.array(seen.objects, np.int64)[columns],
            marks=np.array(seen.marks, np.int64)[rows],
            ious=seen.ious[np.ix_(rows, columns)].T,
        )
