"""Masks of labels on the CPU: each run of a label sets its bits in the masks that have the label."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import run_ends
from som_kernels._words import set_bits
from som_kernels.pack_masks import WORD
from som_kernels.pack_masks.cpu import summarise

__all__ = ["pack_labels"]


def pack_labels(
    labels: torch.Tensor, members: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, (h, w) = len(members), labels.shape
    words = np.zeros((n, h, -(-w // WORD)), np.uint32)
    # The masks of each label, one label after the other, and where each label's begin.
    label, owner = np.nonzero(members.numpy().T)
    begins = np.searchsorted(label, np.arange(members.shape[1] + 1))
    _fill(np.ascontiguousarray(labels.numpy()), begins, owner, words)
    boxes, areas = np.empty((n, 4), np.int32), np.empty(n, np.int64)
    summarise(words, boxes, areas)
    return torch.from_numpy(words.view(np.int32)), torch.from_numpy(boxes), torch.from_numpy(areas)


@compiled
def _fill(
    labels: npt.NDArray[np.int32],
    begins: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint32],
) -> None:
    h, w = labels.shape
    flat = labels.reshape(-1)
    ends = np.empty(w, np.int32)
    for y in range(h):
        x0 = 0
        for x1 in ends[: run_ends(flat, y * w, (y + 1) * w, ends)]:
            label = labels[y, x0]
            for i in owner[begins[label] : begins[label + 1]]:
                set_bits(words[i, y], x0, x1)
            x0 = x1
