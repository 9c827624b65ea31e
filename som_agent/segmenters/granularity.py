"""One dial for all segmenters, from 0 (coarse) to 1 (fine), and what it means for each of them.

| segmenter | 0 | 1 |
| --- | --- | --- |
| `hierarchy` | a cut of at most 8 regions, strong borders only | of at most 128, weak borders too |
| SAM and its kin | 16 points a side, of each the whole thing | 64 a side, parts and their parts, too |
| networks with classes | only what the network is sure of | much that it is not sure of |
| `semantic-sam:` | level 1, the coarsest | all six levels |
| `dial:` | SEEM, then the levels of Semantic-SAM | SAM |

Without a number a segmenter works as its authors had it; for `hierarchy` that is the middle of the dial.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from som_agent.errors import InputError
from som_agent.segmenters.parents import with_parents

if TYPE_CHECKING:
    from som_agent.regions import Regions

__all__ = [
    "EverythingMeans",
    "Stage",
    "checked",
    "class_threshold",
    "everything_means",
    "finer",
    "semantic_sam_levels",
    "slider",
    "stage",
]

Stage = Literal["seem", "semantic-sam", "sam"]
"""What the slider of Set-of-Mark's own tool chooses among, coarse to fine."""

FIRST, LAST = 1.5, 2.5
"""Below the first number of the slider SEEM works, above the second SAM, between them Semantic-SAM."""
LEVEL_STEP = 0.14
"""Semantic-SAM's levels follow each other after so much of the slider."""
LEVELS = (1, 2, 3, 4, 5, 6)


def checked(granularity: float | None) -> float | None:
    """The number as it was given.

    Raises:
        InputError: it is neither None nor from 0 to 1.
    """
    if granularity is None:
        return None
    if not (isinstance(granularity, int | float) and 0 <= granularity <= 1):
        raise InputError(f"granularity is a number from 0 (coarse) to 1 (fine), got {granularity!r}")
    return float(granularity)


def slider(granularity: float) -> float:
    """The dial as the slider of Set-of-Mark's own tool, which goes from 1 to 3."""
    return 1 + 2 * granularity


def stage(granularity: float) -> Stage:
    """Which of the three segmenters Set-of-Mark's own tool takes there."""
    at = slider(granularity)
    if at < FIRST:
        return "seem"
    return "sam" if at > LAST else "semantic-sam"


def semantic_sam_levels(granularity: float | None) -> tuple[int, ...]:
    """Semantic-SAM's levels, 1 (coarse) to 6 (fine), in the order in which Set-of-Mark's tool asks for them.

    Steps of 0.14 of the dial are the levels 1, 2, 3, 4, 5 and 6, one at a time; from 0.84 on it is all six,
    the finest first. None takes all six, coarse to fine.
    """
    granularity = checked(granularity)
    if granularity is None:
        return LEVELS
    # The slider's own comparisons are of sums such as 1.5 + 0.42, which are not exact.
    step = math.floor(granularity / LEVEL_STEP + 1e-9)
    return (LEVELS[step],) if step < len(LEVELS) else (6, 1, 2, 3, 4, 5)


def finer(granularity: float, times: float) -> float:
    """A factor that grows from 1 / `times` at 0 over 1 in the middle to `times` at 1, at an even rate."""
    return float(times ** (2 * granularity - 1))


@dataclass(frozen=True)
class EverythingMeans:
    """How the everything mode of a promptable network asks, and what it keeps.

    Attributes:
        points_per_side: points along each side of the grid; None for the authors' own.
        masks: which of a point's three masks are taken: 2 the whole thing, 1 a part, 0 a part of that.
        least_share: masks below this share of the picture are left out.
    """

    points_per_side: int | None = None
    masks: tuple[int, ...] = (0, 1, 2)
    least_share: float = 0.0

    @property
    def grid(self) -> dict[str, int]:
        """The rule of everything mode that it sets, if any; see `rules.Everything`."""
        return {} if self.points_per_side is None else {"points_per_side": self.points_per_side}

    def of(self, count: int) -> list[int]:
        """Which of a point's masks are taken where the network gives `count` of them; of fewer, all."""
        return list(self.masks) if count == 3 else list(range(count))

    def kept(self, regions: Regions) -> Regions:
        """The regions that are large enough, parts linked to their wholes."""
        large = np.flatnonzero(regions.areas >= self.least_share * regions.atoms.size)
        return with_parents(regions if len(large) == len(regions) else regions.select(large))


def everything_means(granularity: float | None) -> EverythingMeans:
    """The grid has 16 to 64 points a side, 32 in the middle as the authors have it.

    Below a third of the dial only whole things are taken, below two thirds their parts as well. A point's
    three masks run from the smallest to the whole thing in the networks that SAM's authors trained.

    Args:
        granularity: 0 to 1; None takes everything.

    Raises:
        InputError: another number.
    """
    granularity = checked(granularity)
    if granularity is None:
        return EverythingMeans()
    masks = (2,) if granularity < 1 / 3 else (1, 2) if granularity < 2 / 3 else (0, 1, 2)
    return EverythingMeans(round(16 * 4**granularity), masks, 0.005 * (1 - granularity) ** 2)


def class_threshold(granularity: float) -> float:
    """How sure a network with classes must be of a segment, and how much of it visible: from 0.95 to 0.05."""
    return 0.95 - 0.9 * granularity
