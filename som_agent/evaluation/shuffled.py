"""True masks whose order says nothing about which object is which."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from som_agent.regions import Regions
from som_agent.segmenters.labels import LabelsSegmenter
from som_agent.video.frame import Frame

__all__ = ["ShuffledLabels", "in_any_order"]


class ShuffledLabels:
    """The segmenter `labels:DIR` with its regions, and their atoms, in an order of chance in each frame.

    `labels` alone gives the objects in the order of their ids, so that an object's place in the row would
    tell a tracker who it is. The order comes from the seed and the frame's number: the same in every run.

    Args:
        folder: the folder of masks.
        seed: another one gives other orders.

    Raises:
        SegmenterError: there is no such folder, or no mask in it.
    """

    ready_made = True

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self._labels = LabelsSegmenter(folder)
        self._seed = seed
        self.name = self._labels.name

    def segment(self, frame: Frame) -> Regions:
        """The regions of the frame's mask file; see `Segmenter`."""
        return in_any_order(self._labels.segment(frame), self._seed, frame.index)


def in_any_order(regions: Regions, seed: int, index: int) -> Regions:
    """The same regions, and their atoms, in an order that comes from a seed and a frame's number."""
    chance = np.random.default_rng((seed, index))
    rows = chance.permutation(len(regions))
    atoms = np.concatenate([[0], 1 + chance.permutation(regions.members.shape[1] - 1)])
    number = np.empty(len(atoms), np.int32)
    number[atoms] = np.arange(len(atoms), dtype=np.int32)
    return Regions.from_atoms(number[regions.atoms], regions.members[rows][:, atoms])
