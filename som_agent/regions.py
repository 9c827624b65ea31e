"""Regions: the segments of one frame, overlapping or nested, in one compact exact form.

Masks that overlap cut the picture into *atoms*, the largest pieces that no mask divides. One label map
of atoms and one small membership table say everything that a stack of full-frame masks says, and every
question (area, box, overlap with other regions, warping by a flow) costs one pass over the label map,
however many regions there are. Exclusive label maps and trees of nested segments are special cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from som_kernels import PackedMasks, label_overlap, mask_boxes, pack_labels, region_stats
from som_kernels._jit import compiled

__all__ = ["BoolArray", "FloatArray", "IntArray", "Regions"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Regions:
    """`N` regions of one frame of `h` × `w` pixels, made of `A` atoms.

    Attributes:
        atoms: atom of each pixel, `[h, w] int32`, 1 to A; 0 where no region is.
        members: `[N, A + 1] bool`; `members[i, a]` is true where region `i` contains atom `a`.
            Column 0 is false: the ground belongs to nothing.
        scores: the segmenter's own confidence, `[N] float32`, 0 to 1.
        levels: granularity, `[N] int32`, 0 the coarsest.
        parents: index of the region that this one is a part of, `[N] int32`, -1 for none.
        proposed: `[N] bool`; true where the segmenter puts the region forward as an object of its own.
            The others are alternative cuts of the same picture: a tracker may follow an object into
            one of them, but never starts a track there.
    """

    atoms: IntArray
    members: BoolArray
    scores: FloatArray
    levels: IntArray
    parents: IntArray
    proposed: BoolArray

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        h, w = self.atoms.shape
        return f"Regions({len(self)} regions of {self.members.shape[1] - 1} atoms, {w}x{h} px)"

    @classmethod
    def from_atoms(cls, atoms: IntArray, members: BoolArray, **fields: Any) -> Regions:
        """Regions of the given atoms; `fields` sets scores, levels, parents or proposed."""
        n = len(members)
        return cls(
            atoms=np.ascontiguousarray(atoms, dtype=np.int32),
            members=members,
            scores=fields.pop("scores", np.ones(n, np.float32)),
            levels=fields.pop("levels", np.zeros(n, np.int32)),
            parents=fields.pop("parents", np.full(n, -1, np.int32)),
            proposed=fields.pop("proposed", np.ones(n, bool)),
            **fields,
        )

    @classmethod
    def from_labels(cls, labels: npt.NDArray[Any], **fields: Any) -> Regions:
        """Regions of an exclusive label map `[h, w]` of integers ≥ 0, 0 for the ground, in label order."""
        ids, inverse = np.unique(labels, return_inverse=True)
        if len(ids) == 0 or ids[0] != 0:
            ids, inverse = np.concatenate([[0], ids]), inverse + 1
        members = np.eye(len(ids), dtype=bool)[1:]
        return cls.from_atoms(inverse.reshape(labels.shape).astype(np.int32), members, **fields)

    @classmethod
    def from_masks(cls, masks: BoolArray, **fields: Any) -> Regions:
        """Regions of masks `[N, h, w] bool`, in the same order; they may overlap, none may be empty."""
        n, h, w = masks.shape
        atoms, members = np.zeros((h, w), np.int32), np.zeros((n, 1), bool)
        areas = np.array([h * w + 1])  # of the atoms; no mask covers the whole ground, which may be nowhere
        boxes = mask_boxes(torch.from_numpy(masks)).tolist() if n and masks.size else []
        for i, (x0, y0, x1, y1) in enumerate(boxes):
            mask, crop = masks[i, y0:y1, x0:x1], atoms[y0:y1, x0:x1]
            shared = label_overlap(
                torch.from_numpy(crop), torch.from_numpy(mask.astype(np.int32)), len(areas) - 1, 1
            ).numpy()[:, 1]
            # Atoms that lie only partly in the mask are divided: the part in it becomes a new one.
            divided = np.flatnonzero((shared > 0) & (shared < areas))
            name = np.arange(len(areas), dtype=np.int32)
            name[divided] = len(areas) + np.arange(len(divided))
            np.copyto(crop, name[crop], where=mask)
            members = np.concatenate([members, members[:, divided]], axis=1)
            members[i, name[shared > 0]] = True
            areas[divided] -= shared[divided]
            areas = np.concatenate([areas, shared[divided]])
        return cls.from_atoms(atoms, members, **fields)

    @property
    def has_one_cut(self) -> bool:
        """Whether all regions are proposed: the segmenter offers no other cut, and means every border."""
        return bool(self.proposed.all())

    @property
    def atom_areas(self) -> npt.NDArray[np.int64]:
        """Pixels of each atom, `[A + 1] int64`."""
        return self._atom_stats[0]

    @property
    def atom_boxes(self) -> IntArray:
        """Tight box of each atom, `[A + 1, 4] int32` as x0, y0, x1, y1; absent atoms have zeros."""
        return self._atom_stats[1]

    @property
    def atom_centroids(self) -> FloatArray:
        """Mean x, y of each atom's pixels, `[A + 1, 2] float32`; -1 for absent atoms."""
        return self._atom_stats[2]

    @cached_property
    def _atom_stats(self) -> tuple[npt.NDArray[np.int64], IntArray, FloatArray]:
        """Areas, boxes and centroids of the atoms, one pass for all."""
        n = self.members.shape[1]
        if not self.atoms.size:
            return np.zeros(n, np.int64), np.zeros((n, 4), np.int32), np.full((n, 2), -1, np.float32)
        # The ground is an atom too: counted up by one, it is no longer left out.
        stats = region_stats(torch.from_numpy(self.atoms + 1), None, n)
        return stats.areas.numpy(), stats.boxes.numpy(), stats.centroids.numpy()

    @cached_property
    def touching(self) -> BoolArray:
        """Which atoms share a side of a pixel, `[A + 1, A + 1] bool`, symmetric; the ground is atom 0."""
        n = self.members.shape[1]
        table = np.zeros((n, n), bool)
        _touch(self.atoms, table)
        return table

    @cached_property
    def areas(self) -> npt.NDArray[np.int64]:
        """Pixels of each region, `[N] int64`."""
        return self.members @ self.atom_areas

    @cached_property
    def boxes(self) -> IntArray:
        """Tight boxes, `[N, 4] int32` as x0, y0, x1, y1 with x1 and y1 one past the last pixel."""
        boxes = np.zeros((len(self), 4), np.int32)
        for i, row in enumerate(self.members & (self.atom_areas > 0)):
            own = self.atom_boxes[row]
            if len(own):
                boxes[i, :2], boxes[i, 2:] = own[:, :2].min(axis=0), own[:, 2:].max(axis=0)
        return boxes

    def packed(self) -> PackedMasks:
        """All masks, one bit a pixel."""
        return pack_labels(torch.from_numpy(self.atoms), torch.from_numpy(self.members))

    def mask(self, i: int) -> BoolArray:
        """The mask of region `i`, `[h, w] bool`."""
        mask: BoolArray = self.members[i][self.atoms]
        return mask

    def crop(self, i: int) -> BoolArray:
        """The mask of region `i` inside its box, `[y1 - y0, x1 - x0] bool`."""
        x0, y0, x1, y1 = self.boxes[i]
        crop: BoolArray = self.members[i][self.atoms[y0:y1, x0:x1]]
        return crop

    def select(self, indices: npt.ArrayLike) -> Regions:
        """The regions of `indices`, in that order, on the same atoms; parents left out become -1."""
        chosen = np.asarray(indices, dtype=np.int64)
        position = np.full(len(self) + 1, -1, np.int32)  # the last entry answers for parent -1
        position[chosen] = np.arange(len(chosen), dtype=np.int32)
        return self.regroup(
            self.members[chosen],
            scores=self.scores[chosen],
            levels=self.levels[chosen],
            parents=position[self.parents[chosen]],
            proposed=self.proposed[chosen],
        )

    def regroup(self, members: BoolArray, **fields: Any) -> Regions:
        """Other regions of the same atoms, `members` as in the class; what is known of the atoms is kept."""
        other = Regions.from_atoms(self.atoms, members, **fields)
        if "_atom_stats" in self.__dict__:
            other.__dict__["_atom_stats"] = self._atom_stats
        return other

    def visible(self) -> IntArray:
        """The topmost region of each pixel, smaller ones on top, `[h, w] int32`: index + 1, 0 for none.

        Smallest first with the overlaps taken away is the mark allocation order of Set-of-Mark
        prompting (arXiv 2310.11441, algorithm 1).
        """
        top = np.zeros(self.members.shape[1], np.int32)
        for i in np.argsort(-self.areas, kind="stable"):  # the largest is painted first
            top[self.members[i]] = i + 1
        return top[self.atoms]


@compiled
def _touch(atoms: IntArray, table: BoolArray) -> None:
    h, w = atoms.shape
    for y in range(h):
        for x in range(w):
            a = atoms[y, x]
            if x + 1 < w and atoms[y, x + 1] != a:
                table[a, atoms[y, x + 1]] = table[atoms[y, x + 1], a] = True
            if y + 1 < h and atoms[y + 1, x] != a:
                table[a, atoms[y + 1, x]] = table[atoms[y + 1, x], a] = True
