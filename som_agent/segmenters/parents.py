"""Which region is a part of which, where a segmenter finds masks and no tree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from som_agent.regions import IntArray, Regions

__all__ = ["CONTAINED", "parents_of", "with_parents"]

CONTAINED = 0.9
"""A region is a part of another that holds at least this share of it: outlines of networks fray a little."""


def with_parents(regions: Regions, *, contained: float = CONTAINED) -> Regions:
    """The same regions, each linked to the smallest larger one that holds it; see `parents_of`.

    Order, scores, levels and what is proposed stay as they are; earlier links are replaced.
    """
    linked = replace(regions, parents=parents_of(regions, contained=contained))
    for known in ("_atom_stats", "areas", "boxes", "touching"):  # they do not depend on the links
        if known in regions.__dict__:
            linked.__dict__[known] = regions.__dict__[known]
    return linked


def parents_of(regions: Regions, *, contained: float = CONTAINED) -> IntArray:
    """For each region the smallest one with more pixels that holds most of it, `[N] int32`, -1 for none.

    Among holders of one size the one that holds more of it wins, then the first. Regions of equal size are
    never linked, even where they are the same, so links always lead to larger regions and never in a circle.

    Args:
        regions: of one frame, in any order.
        contained: the least share of a region that its parent holds, above 0 to 1.
    """
    n = len(regions)
    parents = np.full(n, -1, np.int32)
    if n == 0:
        return parents
    child, holder, shared = _overlaps(regions)
    areas = regions.areas
    # Rounding must not cut a share that is met exactly: 0.9 of 10 pixels are 9.
    holds = (areas[holder] > areas[child]) & (shared >= contained * areas[child] - 1e-6)
    child, holder, shared = child[holds], holder[holds], shared[holds]
    order = np.lexsort((holder, -shared, areas[holder], child))
    first = np.unique(child[order], return_index=True)[1]
    chosen = order[first]
    parents[child[chosen]] = holder[chosen]
    return parents


def _overlaps(
    regions: Regions,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All pairs of regions that share pixels, `[P]` each: one, the other, and how many pixels.

    An atom is in few regions, so the table of who holds what is sparse, and its product with itself cheap.
    """
    from scipy import sparse

    members = sparse.csr_array(regions.members.astype(np.int64))
    shared = ((members * regions.atom_areas) @ members.T).tocoo()
    row, column = shared.coords
    return row.astype(np.int64), column.astype(np.int64), shared.data
