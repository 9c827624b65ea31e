"""Packed masks of logits on the CPU: stretches of bits where a cell is decided, pixels where it is not."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._threads import in_parts
from som_kernels._words import set_bits
from som_kernels.measure_logits.cpu import (
    Floats,
    LineTaps,
    above,
    average,
    below,
    corners,
    line_taps,
    maps_and_indices,
    reach,
    value_at,
)
from som_kernels.pack_masks import WORD
from som_kernels.pack_masks.cpu import summarise
from som_kernels.resize import Resize

__all__ = ["threshold_logits"]


def threshold_logits(
    logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize, cutoff: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    (maps, which), (h, w) = maps_and_indices(logits, chosen), resize.size
    words = np.zeros((len(which), h, -(-w // WORD)), np.uint32)
    boxes, areas = np.empty((len(which), 4), np.int32), np.empty(len(which), np.int64)
    taps = line_taps(resize)

    def threshold(begin: int, end: int) -> None:
        _threshold(maps, which, begin, end, taps, np.float32(cutoff), words)
        summarise(words[begin:end], boxes[begin:end], areas[begin:end])

    in_parts(threshold, len(which))
    return torch.from_numpy(words.view(np.int32)), torch.from_numpy(boxes), torch.from_numpy(areas)


@compiled
def _threshold(
    maps: Floats,
    which: npt.NDArray[np.int64],
    begin: int,
    end: int,
    taps: LineTaps,
    cutoff: np.float32,
    words: npt.NDArray[np.uint32],
) -> None:
    """Set the bits of pixels above the cutoff in words that are zero."""
    rows, row_weights, _, weights, cells = taps
    n_taps = weights.shape[1]
    h, w = maps.shape[1:]
    first, last, line = np.empty(h, np.int32), np.empty(h, np.int32), np.empty(w, np.float32)
    for i in range(begin, end):
        finite = reach(maps[which[i]], cutoff, first, last)
        for y in range(len(rows)):
            c0, c1 = average(maps[which[i]], rows[y], row_weights[y], first, last, n_taps, line)
            row = words[i, y]
            for c in range(c0, c1):
                a, b = cells[c], cells[c + 1]
                if a == b:
                    continue
                least, most = corners(line, c, n_taps, finite)
                if below(most, cutoff):
                    continue
                if above(least, cutoff):
                    set_bits(row, a, b)
                    continue
                for x in range(a, b):
                    if value_at(line, c, weights, x) > cutoff:
                        row[x // 32] |= np.uint32(1) << np.uint32(x % 32)
