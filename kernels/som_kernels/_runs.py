"""Label maps in compiled functions: runs of equal labels, the CPU twins' shortcut, and their range.

A label map of real things has a few thousand runs where it has a hundred thousand pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from som_kernels._jit import compiled
from som_kernels._words import first_bit

__all__ = [
    "changes",
    "extremes",
    "run_ends",
]


@intrinsic
def changes(context, labels, at):
    """Which of 32 numbers of a flat array, from index `at` > 0 on, differ from the one before: a `uint32`."""

    def build(context, builder, signature, arguments):
        data, place = arguments
        data = context.make_array(signature.args[0])(context, builder, data).data
        vector = ir.VectorType(data.type.pointee, 32)

        def load(index):
            value = builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()))
            value.align = 1
            return value

        before = builder.sub(place, ir.Constant(place.type, 1))
        return builder.bitcast(builder.icmp_unsigned("!=", load(place), load(before)), ir.IntType(32))

    return types.uint32(labels, types.intp), build


@compiled
def run_ends(labels: npt.NDArray[np.int32], begin: int, end: int, ends: npt.NDArray[np.int32]) -> int:
    """Find the runs of equal numbers in a stretch of a flat array.

    Writes one past the last pixel of each, counted from `begin`, to `ends`; returns how many there are.
    """
    n_runs, x = 0, begin + 1
    while x + 32 <= end:
        word = changes(labels, x)
        while word:
            ends[n_runs] = x - begin + first_bit(word)
            n_runs += 1
            word &= word - np.uint32(1)
        x += 32
    while x < end:
        if labels[x] != labels[x - 1]:
            ends[n_runs] = x - begin
            n_runs += 1
        x += 1
    ends[n_runs] = end - begin
    return n_runs + 1


@compiled
def extremes(labels: npt.NDArray[np.int32]) -> tuple[int, int]:
    """The smallest and the largest number of a flat array."""
    low = high = labels[0]
    for i in range(len(labels)):
        low, high = min(low, labels[i]), max(high, labels[i])
    return low, high
