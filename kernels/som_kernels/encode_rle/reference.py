"""Run-length encoding in plain torch: where the transposed mask changes, then COCO's characters."""

from itertools import pairwise

import torch

from som_kernels.pack_masks import PackedMasks

__all__ = ["compress", "encode_rle"]


def compress(counts: list[int]) -> str:
    """COCO's characters for the lengths of runs.

    From the fourth on a count is the difference to the one two before. It is cut into five bits at a time,
    lowest first, in two's complement; a sixth bit says that more follow, and 48 makes it printable.
    """
    text = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text.append(chr((bits | more << 5) + 48))
            if not more:
                break
    return "".join(text)


def encode_rle(masks: PackedMasks) -> list[str]:
    """See `som_kernels.encode_rle`."""
    encoded = []
    for mask in masks.unpack():
        line = mask.T.flatten()
        ground = line.new_zeros(1)
        changes = (torch.cat([ground, line[:-1]]) != line).nonzero()[:, 0].tolist()
        edges = [0, *changes, len(line)]
        encoded.append(compress([end - begin for begin, end in pairwise(edges)]))
    return encoded
