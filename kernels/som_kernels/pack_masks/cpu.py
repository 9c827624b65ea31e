"""Packing on the CPU: NumPy packs the bits; boxes and areas come from the words, an eighth of the bytes."""

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["pack_masks"]

WORD = 64


def pack_masks(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Words, boxes and areas as `som_kernels.PackedMasks` describes them."""
    n, h, w = masks.shape
    n_words = -(-w // WORD)
    words = np.empty((n, h, n_words), np.uint64)
    # Rows padded to whole words pack as one long row, twice as fast as row by row.
    padded = np.zeros((h, n_words * WORD), bool)
    for mask, packed in zip(masks.numpy(), words, strict=True):
        padded[:, :w] = mask
        packed[:] = np.packbits(padded.reshape(-1), bitorder="little").view("<u8").reshape(h, n_words)
    areas = np.bitwise_count(words).reshape(n, h * n_words).sum(axis=1, dtype=np.int64)
    return torch.from_numpy(words.view(np.int64)), torch.from_numpy(_boxes(words, w)), torch.from_numpy(areas)


def _boxes(words: npt.NDArray[np.uint64], width: int) -> npt.NDArray[np.int32]:
    rows = np.bitwise_or.reduce(words, axis=2) != 0  # [N, H]
    words_across = np.bitwise_or.reduce(words, axis=1).astype("<u8", copy=False)
    columns = np.unpackbits(words_across.view(np.uint8), axis=1, count=width, bitorder="little")  # [N, W]
    ends = (
        columns.argmax(axis=1),
        rows.argmax(axis=1),
        width - columns[:, ::-1].argmax(axis=1),
        rows.shape[1] - rows[:, ::-1].argmax(axis=1),
    )
    boxes: npt.NDArray[np.int32] = np.stack(ends, axis=1).astype(np.int32) * rows.any(axis=1)[:, None]
    return boxes
