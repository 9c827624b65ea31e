"""What colours an object has that its surroundings have not: tables of log likelihood ratios."""

from __future__ import annotations

import numpy as np

from som_agent.regions import FloatArray
from som_agent.tracking.propagators.flow.looks import CODES, LEVELS, Codes
from som_agent.tracking.propagators.flow.votes import STEP
from som_kernels._jit import compiled

__all__ = ["CODES", "count_colors", "table_of"]

RARE = 3e-4
"""Share of all pixels below which a colour says nothing."""


@compiled
def count_colors(codes: Codes, soft: FloatArray, trust: FloatArray) -> FloatArray:
    """Colours of an object and of what is around it, `[2, CODES] float32` in pixels.

    Args:
        codes: `[m, n] int16`.
        soft: the object's share of each pixel, `[m, n] float32`; below a half it is surroundings.
        trust: how far the reference agrees that it is the object, one value a sample.
    """
    counts = np.zeros((2, CODES), np.float32)
    for y in range(codes.shape[0]):
        for x in range(codes.shape[1]):
            p = soft[y, x]
            if p > 0.5:
                sure = min(np.float32(2) * p * trust[y // STEP, x // STEP], np.float32(1))
                counts[0, codes[y, x]] += p * sure
            else:
                counts[1, codes[y, x]] += 1 - p
    return counts


@compiled
def table_of(counts: FloatArray, weight: float) -> FloatArray:
    """Log likelihood ratio of each colour, `[CODES] float32`, times a weight; see `count_colors`.

    Neighbouring colours lend each other their counts.
    """
    spread = counts.copy()
    for k in range(2):
        for stride in (1, LEVELS, LEVELS * LEVELS):
            before = spread[k].copy()
            for code in range(CODES):
                place = code // stride % LEVELS
                low = code - stride if place > 0 else code
                high = code + stride if place < LEVELS - 1 else code
                spread[k, code] = np.float32(0.5) * before[code] + np.float32(0.25) * (
                    before[low] + before[high]
                )
        spread[k] /= max(spread[k].sum(), np.float32(1e-6))
    table = np.empty(CODES, np.float32)
    for code in range(CODES):
        table[code] = weight * np.log((spread[0, code] + RARE) / (spread[1, code] + RARE))
    return table
