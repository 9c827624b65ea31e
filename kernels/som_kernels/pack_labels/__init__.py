"""Packed masks that are unions of the labels of a label map."""

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.pack_masks import PackedMasks

__all__ = ["pack_labels"]


def pack_labels(
    labels: torch.Tensor, members: torch.Tensor, *, backend: Backend | None = None
) -> PackedMasks:
    """Make a mask of each set of labels, without a picture a mask on the way.

    Args:
        labels: `[H, W] int32`, labels 0 to `A`.
        members: `[N, A + 1] bool`, on the same device; mask `i` has the pixels of all labels `a` for which
            `members[i, a]` is true, the background's too if label 0 is among them.
        backend: force an implementation; None chooses by device.

    Returns:
        `N` masks, on the same device.

    Raises:
        TypeError: `labels` is not a tensor of int32, or `members` not of bool.
        ValueError: other shapes, two devices, or a label that `members` has no column for.
    """
    _check.tensor("labels", labels, torch.int32, "H, W")
    _check.tensor("members", members, torch.bool, "N, A + 1")
    _check.same("device", ("labels", "members"), (labels.device, members.device))
    _check.label_range("labels", labels, "members.shape[1] - 1", members.shape[1] - 1)
    words, boxes, areas = implementation(__name__, backend, labels.device).pack_labels(labels, members)
    return PackedMasks(words, boxes, areas, width=labels.shape[1])
