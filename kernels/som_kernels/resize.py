"""How a network's small maps become the size of the picture: bilinear steps, folded into one.

Segment Anything's decoder answers at 256 × 256. Its masks are resized to the padded square that the network
saw, cut to the picture's part of it, and resized to the picture. Each step is linear along the rows and
along the columns, so the whole is one sparse matrix an axis, with two to four numbers a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from som_kernels import _check

__all__ = ["Resize", "Taps"]


@dataclass(frozen=True, eq=False)
class Taps:
    """One axis of a resizing: output `i` is the sum of `weights[i, k] * input[start[i] + k]`.

    Attributes:
        start: `[out] int32`, never decreasing; `start + K` never exceeds the input.
        weights: `[out, K] float32`; rows may end in zeros.
    """

    start: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of_matrix(cls, matrix: npt.NDArray[np.float64]) -> Taps:
        """The taps of a matrix `[out, in]` whose rows have their entries close together."""
        used = matrix != 0
        first = used.argmax(axis=1)
        last = matrix.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
        k = int((last - first).max()) + 1
        start = np.minimum(first, matrix.shape[1] - k)
        weights = np.take_along_axis(matrix, start[:, None] + np.arange(k), axis=1)
        return cls(torch.from_numpy(start.astype(np.int32)), torch.from_numpy(weights.astype(np.float32)))

    def to(self, device: torch.device) -> Taps:
        """The same taps on a device."""
        return Taps(self.start.to(device), self.weights.to(device))


@dataclass(frozen=True, eq=False)
class Resize:
    """A bilinear resizing, in one or several steps, of maps of one size to pictures of another.

    Every backend forms the sums in this order, in float32 and without fused multiply-adds, so that they
    agree on which side of a cutoff a pixel is: first over the rows' taps, then over the columns'.

    Attributes:
        source: height and width of the maps.
        size: height and width of the picture.
        rows: taps of the rows.
        columns: taps of the columns.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    rows: Taps
    columns: Taps

    @classmethod
    def steps(
        cls,
        source: Sequence[int],
        *steps: tuple[Sequence[int], Sequence[int]],
    ) -> Resize:
        """Resize to a size, cut from the top left corner, resize again, and so on.

        Each resizing is that of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.

        Args:
            source: height and width of the maps.
            steps: of each step the size to resize to and the part of it to keep, both as height and width.

        Raises:
            TypeError: a size that is not two whole numbers, or a step that is not two sizes.
            ValueError: a size below 1, or a part larger than the whole.
        """
        size = first = _check.size("source", source)
        rows, columns = (np.eye(side) for side in size)
        for step in steps:
            whole, part = (_check.size("steps", side) for side in _check.pair("steps", step, "sizes"))
            if part[0] > whole[0] or part[1] > whole[1]:
                msg = f"`steps` must keep a part of at most {_plain(whole)}, got {_plain(part)}"
                raise ValueError(msg)
            rows = _bilinear(size[0], whole[0])[: part[0]] @ rows
            columns = _bilinear(size[1], whole[1])[: part[1]] @ columns
            size = part
        return cls(first, size, Taps.of_matrix(rows), Taps.of_matrix(columns))

    @classmethod
    def sam(
        cls, source: Sequence[int], padded: Sequence[int], inner: Sequence[int], size: Sequence[int]
    ) -> Resize:
        """The way of Segment Anything (2023): to the padded square, the picture's part of it, the picture.

        Sizes and errors are those of `steps`.
        """
        padded, inner, size = (
            _check.size("padded", padded),
            _check.size("inner", inner),
            _check.size("size", size),
        )
        return cls.steps(source, (padded, inner), (size, size))

    def to(self, device: torch.device) -> Resize:
        """The same resizing with its numbers on a device."""
        return Resize(self.source, self.size, self.rows.to(device), self.columns.to(device))


def _bilinear(source: int, size: int) -> npt.NDArray[np.float64]:
    """The matrix of one bilinear resizing, `[size, source]`."""
    # Torch works the positions out in float32; rounding them likewise puts the same pixels on each side.
    scale, half = np.float32(source / size), np.float32(0.5)
    position = np.maximum(scale * (np.arange(size, dtype=np.float32) + half) - half, 0)
    left = np.minimum(position.astype(np.int64), source - 1)
    right = np.minimum(left + 1, source - 1)
    share = position.astype(np.float64) - left
    matrix = np.zeros((size, source))
    row = np.arange(size)
    np.add.at(matrix, (row, left), 1 - share)
    np.add.at(matrix, (row, right), share)
    return matrix


def _plain(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
