"""Pieces of regions: those that no track accounts for, and those of which only a part is a track's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.associate import iou_matrix, totals
from som_agent.tracking.features import Features, likeness
from som_kernels import label_overlap

__all__ = ["divided", "inside_wholes", "rejoin", "stack", "unexplained"]

REJOIN_LIKENESS = 0.5
"""Likeness of colour at which a piece that broke off is taken for a part of the object still."""
SLIVER = 0.05, 0.2
"""Share of a part, and of the rest of an atom, not worth a cut: outlines along an edge keep to the edge."""


def stack(members: list[BoolArray], regions: Regions) -> BoolArray:
    """Sets of atoms of `regions` as one array, `[N, A + 1] bool`."""
    return np.array(members, bool).reshape(len(members), regions.members.shape[1])


def divided(regions: Regions, parts: Regions) -> Regions:
    """The same regions, of atoms that are cut where the outline of a part runs through the middle of them.

    A segmenter that sees the whole picture has no atoms as fine as the parts of an object. What lies on the
    ground, where no region is, stays uncut: nothing is there.

    Args:
        regions: the present regions.
        parts: where the parts are expected, in a picture of the same size.

    Returns:
        The regions in the same order.
    """
    kinds, kind_of = np.unique(parts.members, axis=1, return_inverse=True)
    kind = kind_of.ravel().astype(np.int32)[parts.atoms]  # which parts a pixel is in; 0 for none
    last = regions.members.shape[1] - 1
    shared = label_overlap(
        torch.from_numpy(regions.atoms), torch.from_numpy(kind), last, kinds.shape[1] - 1
    ).numpy()
    areas = regions.atom_areas[:, None]
    cut = (shared > SLIVER[0] * shared.sum(axis=0)) & (areas - shared > SLIVER[1] * areas)
    cut[0], cut[:, 0] = False, False  # what is in no part keeps the atom's name
    names = np.repeat(np.arange(last + 1, dtype=np.int32)[:, None], kinds.shape[1], axis=1)
    atoms, _ = np.nonzero(cut)
    names[cut] = last + 1 + np.arange(len(atoms), dtype=np.int32)
    return Regions.from_atoms(
        names[regions.atoms, kind],
        np.concatenate([regions.members, regions.members[:, atoms]], axis=1),
        scores=regions.scores,
        levels=regions.levels,
        parents=regions.parents,
        proposed=regions.proposed,
    )


def inside_wholes(masks: BoolArray, wholes: Sequence[int], features: Features) -> BoolArray:
    """Parts without what lies beside their whole, unless that is most of it: then the whole is wrong.

    Args:
        masks: sets of atoms, `[N, A + 1] bool`.
        wholes: for each the row of the mask that it is a part of, -1 for none.
        features: of the present frame.
    """
    whole = np.array(wholes, np.int64)
    part = np.flatnonzero(whole >= 0)
    inside = masks[part] & masks[whole[part]]
    good = features.area(inside) > 0.5 * features.area(masks[part])
    result = masks.copy()
    result[part[good]] = inside[good]
    return result


def rejoin(
    kept: BoolArray,
    parts: Sequence[bool],
    shared: npt.NDArray[np.float64],
    looks: FloatArray,
    others: Callable[[int], BoolArray],
    regions: Regions,
    features: Features,
) -> BoolArray:
    """Give pieces back to the tracks that they broke off from.

    A region that nothing explains, and that was mostly one track's in the frame before, is still a part of
    it if it looks like it and touches it (a side of a cup that turned into the shade), unless it is rather
    another's.

    Args:
        kept: the tracks' masks so far, `[N, A + 1] bool`.
        parts: for each track whether it is an adopted part.
        shared: pixels that each track's warped mask shares with each atom, `[N, A + 1]`.
        looks: the tracks' looks, `[N, C + T]`.
        others: gives for a track the atoms that are rather another's, see `claimed`, `[A + 1] bool`.
        regions: the present regions.
        features: of the present frame.
    """
    pieces = regions.members[unexplained(regions, list(kept), parts)]
    if not len(pieces) or not len(kept):
        return kept
    owned = totals(pieces, shared.T).T / features.area(pieces)
    like = likeness(looks, features.looks(pieces))
    whole = kept.copy()
    for piece, owner in enumerate(owned.argmax(axis=0).tolist()):
        touches = regions.touching[whole[owner]][:, pieces[piece]].any()
        if touches and owned[owner, piece] > 0.5 and like[owner, piece] > REJOIN_LIKENESS:
            area, taken = features.area(np.stack([pieces[piece], pieces[piece] & others(owner)]))
            if taken <= 0.5 * area:
                whole[owner] |= pieces[piece]
    return whole


def unexplained(regions: Regions, members: list[BoolArray], parts: Sequence[bool]) -> list[int]:
    """Proposed regions that no track accounts for.

    A region mostly covered by tracks is explained by them, unless it is a proposed part of another
    proposed region (the handle of a mug): then only a track of about the same pixels explains it. Nor do
    adopted parts explain their whole: it must be found again when it was lost and they were not.

    Args:
        regions: the present regions.
        members: the tracks' masks, each `[A + 1] bool`.
        parts: for each track whether it is an adopted part.
    """
    tracks = stack(members, regions)
    whole = tracks[~np.asarray(parts, bool)]
    proposed = np.flatnonzero(regions.proposed)
    areas = np.maximum(regions.areas[proposed], 1)
    own = regions.members[proposed]
    covered = totals(own & whole.any(axis=0), regions.atom_areas[:, None])[:, 0] / areas
    pixels = np.where(own, regions.atom_areas, 0).astype(np.float64)
    alike = iou_matrix(pixels, areas, tracks, regions.atom_areas).max(axis=1, initial=0.0)
    parents = regions.parents[proposed]
    nested = (parents >= 0) & regions.proposed[parents]
    explained = np.where(nested, alike, np.maximum(covered, alike)) >= 0.5
    return [int(j) for j in proposed[~explained]]
