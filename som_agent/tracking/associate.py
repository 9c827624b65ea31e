"""Which region of this frame is which track: overlap after warping, one to one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment

from som_agent.regions import BoolArray, Regions
from som_kernels import label_overlap
from som_kernels._jit import compiled

__all__ = ["atom_overlap", "best_pairs", "disentangle", "iou_matrix", "snap", "totals"]

Counts = npt.NDArray[np.float64]


def atom_overlap(a: Regions, b: Regions) -> Counts:
    """Pixels that region `i` of `a` and atom `k` of `b` share, `[len(a), atoms of b + 1]`.

    One contingency table of the atoms: a single pass over the pixels, however many regions there are,
    overlapping and nested ones included.
    """
    table = label_overlap(
        torch.from_numpy(a.atoms),
        torch.from_numpy(b.atoms),
        a.members.shape[1] - 1,
        b.members.shape[1] - 1,
    )
    return totals(a.members, table.numpy())


def totals(members: BoolArray, values: npt.NDArray[Any]) -> Counts:
    """Sums of `values` over each set of atoms: `[N, A + 1] bool` and `[A + 1, K]` give `[N, K] float64`.

    Few atoms belong to a region: a dense product would be larger, and start threads for little.
    """
    sums = np.zeros((len(members), values.shape[1]))
    _add_up(np.ascontiguousarray(members), np.ascontiguousarray(values, np.float64), sums)
    return sums


@compiled
def _add_up(members: BoolArray, values: Counts, sums: Counts) -> None:
    for i in range(members.shape[0]):
        for a in range(members.shape[1]):
            if members[i, a]:
                for k in range(values.shape[1]):
                    sums[i, k] += values[a, k]


def iou_matrix(
    shared: Counts, areas: npt.NDArray[np.int64], members: BoolArray, atom_areas: npt.NDArray[np.int64]
) -> Counts:
    """Intersection over union of `N` masks of the past with `M` sets of present atoms, `[N, M]`.

    Args:
        shared: `atom_overlap` of the past masks with the present atoms, `[N, A + 1]`.
        areas: pixels of the past masks, `[N]`.
        members: the sets of atoms, `[M, A + 1] bool`.
        atom_areas: pixels of the present atoms, `[A + 1]`.
    """
    inter = totals(members, shared.T).T
    union = areas[:, None] + (members @ atom_areas)[None] - inter
    return inter / np.maximum(union, 1)


def snap(shared: Counts, regions: Regions) -> BoolArray:
    """The present atoms that lie mostly inside each past mask, one connected piece of them.

    A mask that the flow tore in two would otherwise put one number on two things.

    Args:
        shared: `atom_overlap` of the past masks with the atoms of `regions`, `[N, A + 1]`.
        regions: the present regions.

    Returns:
        `[N, A + 1] bool`: the piece around the atom that shares most with the mask; may be empty.
    """
    inside = shared > 0.5 * regions.atom_areas
    inside[:, 0] = False
    piece = np.zeros_like(inside)
    rows = np.flatnonzero(inside.any(axis=1))
    piece[rows, np.argmax(np.where(inside, shared, -1), axis=1)[rows]] = True
    _grow(piece, inside, regions.touching)
    return piece


@compiled
def _grow(piece: BoolArray, inside: BoolArray, touching: BoolArray) -> None:
    """Add to each row of `piece` the atoms of `inside` that it reaches from atom to touching atom."""
    n, atoms = piece.shape
    waiting = np.empty(atoms, np.int64)
    for i in range(n):
        count = 0
        for a in range(atoms):
            if piece[i, a]:
                waiting[count] = a
                count += 1
        while count:
            count -= 1
            a = waiting[count]
            for b in range(atoms):
                if touching[a, b] and inside[i, b] and not piece[i, b]:
                    piece[i, b] = True
                    waiting[count] = b
                    count += 1


def best_pairs(score: npt.NDArray[Any], least: float) -> list[tuple[int, int]]:
    """The one-to-one assignment of rows to columns with the highest total score (Kuhn 1955).

    Args:
        score: `[N, M]`, higher is better.
        least: pairs below it are left unassigned.
    """
    # Clearing hopeless pairs first keeps them from displacing possible ones.
    rows, columns = linear_sum_assignment(np.where(score >= least, score, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if score[i, j] >= least]


def disentangle(members: BoolArray, warped: BoolArray, shared: Counts) -> BoolArray:
    """Part masks that overlap now and did not overlap before: each atom goes where it came from.

    Args:
        members: present masks as sets of atoms, `[N, A + 1] bool`.
        warped: the same tracks' masks before, as sets of the past's atoms, `[N, B + 1] bool`.
        shared: `atom_overlap` of the past masks with the present atoms, `[N, A + 1]`.

    Returns:
        `[N, A + 1] bool`; a mask may have lost all its atoms.
    """
    result = members.copy()
    for k in np.flatnonzero(members.sum(axis=0) > 1):
        owners = np.flatnonzero(result[:, k])
        best = owners[np.argmax(shared[owners, k])]
        for i in owners:
            if i != best and not (warped[i] & warped[best]).any():
                result[i, k] = False
    return result
