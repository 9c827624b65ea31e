"""From evidence to a posterior per pixel: log odds add up, neighbours that look alike agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray
from som_agent.tracking.propagators.flow.looks import Codes
from som_agent.tracking.propagators.flow.votes import STEP, Window
from som_kernels._jit import compiled

__all__ = ["agree", "coarse_evidence", "full_evidence", "support_of"]

SAME_FRAME_WEIGHT = 1.0
"""Of the votes of the frame before; the other weights of evidence are relative to it."""
REFERENCE_WEIGHT = 1.0
PRIOR_WEIGHT = 0.3
SUPPORT_WEIGHT = 0.4
MOTION_WEIGHT = 0.5
DOUBT = 0.02
"""Votes that stand for the prior, as a share of what a window of like colours would give."""
HIDDEN_SHARE = 0.5
"""What the remembered shape counts where the object was not seen in the frame before."""
SHAPE_THRESHOLD = 0.4
MOST_SUPPORT, MOST_INSIDE = 4.0, 1.0
"""Far outside its shape an object is unlikely; inside of it, it may well be covered or bent away."""
TIE = 0.6
"""Weight of a neighbour of the same colour, in log odds."""
ROUNDS = 3


_steps = np.linspace(0, 1, 512)
_LOG_ODDS = np.log((_steps + 0.01) / (1.01 - _steps)).astype(np.float32)
_SIGMOID = (1 / (1 + np.exp(-MOST_SUPPORT * (2 * _steps - 1)))).astype(np.float32)


@compiled
def _log_odds(p: float) -> Any:
    """Log odds of a share from 0 to 1, held within 4.6 either way; from a table, as logarithms take long."""
    return _LOG_ODDS[int(p * np.float32(511) + np.float32(0.5))]


@compiled
def support_of(shape: FloatArray, origin: tuple[int, int], back: Any, window: Window) -> FloatArray:
    """The remembered shape in the present, at samples, `[rows, columns] float32`, bilinear.

    Args:
        shape: `[m, n] float32` in the coordinates of the reference.
        origin: x, y of its first pixel.
        back: from the present to the reference, `[2, 3] float64`.
        window: where the samples lie.
    """
    x0, y0, columns, rows = window
    support = np.zeros((rows, columns), np.float32)
    m, n = shape.shape
    for j in range(rows):
        y = y0 + STEP * j
        for i in range(columns):
            x = x0 + STEP * i
            u = back[0, 0] * x + back[0, 1] * y + back[0, 2] - origin[0]
            v = back[1, 0] * x + back[1, 1] * y + back[1, 2] - origin[1]
            a, b = int(np.floor(u)), int(np.floor(v))
            if a < 0 or b < 0 or a >= n - 1 or b >= m - 1:
                continue
            s, t = u - a, v - b
            top = shape[b, a] * (1 - s) + shape[b, a + 1] * s
            support[j, i] = top * (1 - t) + (shape[b + 1, a] * (1 - s) + shape[b + 1, a + 1] * s) * t
    return support


@compiled
def _chamfer(inside: Any, of: bool) -> FloatArray:
    """Distance in samples to the nearest sample that is `of`, by steps of 1 and 1.4, `[rows, columns]`."""
    rows, columns = inside.shape
    far = np.full((rows + 2, columns + 2), np.float32(1e4), np.float32)
    for j in range(rows):
        for i in range(columns):
            best = np.float32(0) if inside[j, i] == of else far[j + 1, i + 1]
            best = min(best, far[j + 1, i] + np.float32(1), far[j, i + 1] + np.float32(1))
            far[j + 1, i + 1] = min(best, far[j, i] + np.float32(1.4), far[j, i + 2] + np.float32(1.4))
    for j in range(rows, 0, -1):
        for i in range(columns, 0, -1):
            best = min(far[j, i], far[j, i + 1] + np.float32(1), far[j + 1, i] + np.float32(1))
            far[j, i] = min(best, far[j + 1, i + 1] + np.float32(1.4), far[j + 1, i - 1] + np.float32(1.4))
    return far[1:-1, 1:-1]


@compiled
def coarse_evidence(
    votes: FloatArray,
    reference_votes: FloatArray,
    carried: FloatArray,
    support: FloatArray,
    cue: FloatArray,
    full_votes: float,
    softness: float,
    found_again: bool,
) -> tuple[FloatArray, FloatArray]:
    """Log odds at samples from everything but the colour tables.

    Args:
        votes: for the object, and all, `[2, rows, columns] float32`, of the frame before.
        reference_votes: the same of the reference.
        carried: the object's share by the flow alone, `[rows, columns] float32`.
        support: the remembered shape, `[rows, columns] float32`.
        cue: see `motion_cue`.
        full_votes: what all votes come to where every colour is the same.
        softness: over how many samples the edge of the remembered shape is undecided.
        found_again: the frame before knows nothing of the object here.

    Returns:
        Log odds `[rows, columns] float32`, and how far the reference agrees, 0 to 1.
    """
    rows, columns = carried.shape
    odds, trust = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    doubt = DOUBT * full_votes
    inside = support > SHAPE_THRESHOLD
    outward, inward = _chamfer(inside, True), _chamfer(inside, False)
    for j in range(rows):
        above, below = max(j - 1, 0), min(j + 1, rows - 1)
        for i in range(columns):
            left, right = max(i - 1, 0), min(i + 1, columns - 1)
            blurred = 4 * carried[j, i] + 2 * (carried[j, left] + carried[j, right])
            blurred += 2 * (carried[above, i] + carried[below, i]) + carried[above, left]
            blurred += carried[above, right] + carried[below, left] + carried[below, right]
            depth = min(max((inward[j, i] - outward[j, i]) / softness, -MOST_SUPPORT), MOST_SUPPORT)
            shape = _SIGMOID[int((depth / MOST_SUPPORT + 1) * 255.5 + 0.5)]
            prior = max(blurred / 16, HIDDEN_SHARE * shape)
            share = prior
            if not found_again:
                share = (votes[0, j, i] + doubt * prior) / (votes[1, j, i] + doubt)
            known = (reference_votes[0, j, i] + 0.5 * doubt) / (reference_votes[1, j, i] + doubt)
            odds[j, i] = (
                SAME_FRAME_WEIGHT * _log_odds(share)
                + REFERENCE_WEIGHT * _log_odds(known)
                + PRIOR_WEIGHT * _log_odds(prior)
                + SUPPORT_WEIGHT * min(depth, MOST_INSIDE)
                + MOTION_WEIGHT * cue[j, i]
            )
            trust[j, i] = known * shape
    return odds, trust


@compiled
def full_evidence(coarse: FloatArray, table: FloatArray, codes: Codes) -> FloatArray:
    """Log odds at every pixel: the samples' between them, and what the colour table says.

    Args:
        coarse: `[rows, columns] float32`, the first sample on the first pixel.
        table: log likelihood ratio of each colour, `[CODES] float32`.
        codes: `[h, w] int16`, at most `STEP` × rows by `STEP` × columns.
    """
    h, w = codes.shape
    rows, columns = coarse.shape
    odds = np.empty((h, w), np.float32)
    for y in range(h):
        j = y // STEP
        t = np.float32(y % STEP) / np.float32(STEP)
        upper, lower = coarse[j], coarse[min(j + 1, rows - 1)]
        for x in range(w):
            i = x // STEP
            k = min(i + 1, columns - 1)
            s = np.float32(x % STEP) / np.float32(STEP)
            top = upper[i] + s * (upper[k] - upper[i])
            bottom = lower[i] + s * (lower[k] - lower[i])
            odds[y, x] = top + t * (bottom - top) + table[codes[y, x]]
    return odds


@compiled
def agree(odds: FloatArray, links: FloatArray, tie: float) -> FloatArray:
    """Posterior of each pixel once neighbours that look alike have talked to each other.

    Mean-field inference in a field of pairs with contrast-sensitive ties (as in Rother et al.'s GrabCut,
    2004), all pixels at once. Its hyperbolic tangent is a cubic that reaches one at 1.5, the last one its
    Padé approximant.

    Args:
        odds: log odds of each pixel alone, `[h, w] float32`.
        links: see `Look.links`, of the same pixels.
        tie: weight of a neighbour of the same colour, in log odds.

    Returns:
        `[h, w] float32`, 0 to 1.
    """
    h, w = odds.shape
    # With a rim, so that the first of each row and column is no case of its own; flat, for long loops.
    belief, odds_half = np.zeros((h + 2, w + 2), np.float32), np.zeros((h + 2, w + 2), np.float32)
    ties = np.zeros((4, h + 2, w + 2), np.float32)
    half, strength = np.float32(0.5), np.float32(0.5 * tie)
    for y in range(h):
        row, out = odds[y], odds_half[y + 1]
        for x in range(w):
            out[x + 1] = half * row[x]
        for k in range(4):
            tie_row, out = links[k, y], ties[k, y + 1]
            for x in range(w):
                out[x + 1] = strength * tie_row[x]
    flat, alone = belief.ravel(), odds_half.ravel()
    size, stride = flat.size, w + 2
    t0, t1, t2, t3 = ties[0].ravel(), ties[1].ravel(), ties[2].ravel(), ties[3].ravel()
    push = np.zeros(size, np.float32)
    top, cubic = np.float32(1.5), np.float32(4 / 27)
    for turn in range(ROUNDS + 1):
        # A tie belongs to the pixel that comes first in raster order. Several loops: before the compiler uses
        # vector instructions it checks arrays for overlap, and gives up where there are too many of them.
        right, below = flat[1:], flat[stride:]
        below_right, below_left, count = flat[stride + 1 :], flat[stride - 1 :], size - stride - 1
        for i in range(count):
            push[i] = alone[i] + t0[i] * right[i] + t1[i] * below[i]
        for i in range(count):
            push[i] += t2[i] * below_right[i] + t3[i] * below_left[i]
        after_right, after_below = push[1:], push[stride:]
        for i in range(count):
            after_right[i] += t0[i] * flat[i]
        for i in range(count):
            after_below[i] += t1[i] * flat[i]
        after_below_right, after_below_left = push[stride + 1 :], push[stride - 1 :]
        for i in range(count):
            after_below_right[i] += t2[i] * flat[i]
        for i in range(count):
            after_below_left[i] += t3[i] * flat[i]
        if turn == ROUNDS:
            break
        for i in range(size):
            u = push[i]
            u = top if u > top else u
            u = -top if u < -top else u
            flat[i] = u - cubic * u * u * u
        for y in range(h + 2):  # nothing lies on the rim
            belief[y, 0], belief[y, w + 1] = 0, 0
        belief[0], belief[h + 1] = 0, 0
    one, last = np.float32(1), push.reshape(h + 2, w + 2)
    posterior = np.empty((h, w), np.float32)
    three, nine, many = np.float32(3), np.float32(9), np.float32(27)
    for y in range(h):
        for x in range(w):
            u = min(max(last[y + 1, x + 1], -three), three)
            square = u * u
            posterior[y, x] = half * (one + u * (many + square) / (many + nine * square))
    return posterior
