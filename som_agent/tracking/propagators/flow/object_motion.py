"""How an object moves as a whole: size and shift from one frame to the next, by flow and by looking.

The flow is wrong where a fast object crosses a busy background. An object-level fit survives that: most
pixels agree, the speed of the last frames is a second guess, and points of the object are looked up around
both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_agent.tracking.propagators.flow.votes import STEP, Window
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["LEAST_POINTS", "best_match", "fit_motion", "likeness"]

LEAST_POINTS = 8
POINTS = 100
"""Most points that a fit looks at."""
FIT_ROUNDS = 3
STIFFNESS = 0.5
"""Ridge on the change of size, in units of the object's own spread: sizes change slowly."""
MOST_GROWTH = 0.1
SEARCH_PX, SEARCH_STEP_PX = 6, 3
SEARCH_SCALE = 17.0
"""Difference in colour at which a point counts half as mismatched."""
GOOD_COST = 0.1
"""Share of mismatch up to which a guess is good enough."""
MATCH_SCALE = 15.0


@compiled
def fit_motion(
    now: Image,
    before: Image,
    flow: FloatArray,
    soft: FloatArray,
    trust: FloatArray,
    corner: tuple[int, int],
    window: Window,
) -> tuple[Any, tuple[int, int, int, int]]:
    """Fit size and shift to the flow on an object, and see where the flow carries it.

    Robust least squares, reweighted (Cauchy weights), with a ridge on the change of size. Turning is left
    out: limbs that swing would turn the body with them.

    Args:
        now: colours of the present, `[h, w, 3] uint8`.
        before: those of the frame before.
        flow: from the present to the frame before, `[h, w, 2] float32`.
        soft: the object's share in a box of the frame before, `[m, n] float32`.
        trust: how sure that is, one value a sample of the box.
        corner: x, y of the box.
        window: where to look in the present.

    Returns:
        The fit `[7] float64`: number of points (below `LEAST_POINTS` nothing else of it counts), their middle
        before (x, y in pixels), relative growth, shift of the middle in x and y, what the fit leaves (median,
        in pixels); and the box x0, y0, x1, y1 of what is carried into the present, empty if nothing is.
    """
    x0, y0, columns, rows = window
    h, w = now.shape[:2]
    step = STEP * max(1, int(np.sqrt(columns * rows / (4 * POINTS))))
    p = np.empty((5, (rows * STEP // step + 1) * (columns * STEP // step + 1)))
    n, left, top, right, bottom = 0, w, h, 0, 0
    for y in range(max(y0, 0), min(y0 + STEP * rows, h), step):
        for x in range(max(x0, 0), min(x0 + STEP * columns, w), step):
            u, v = x + flow[y, x, 0], y + flow[y, x, 1]
            a, b = int(np.rint(u)) - corner[0], int(np.rint(v)) - corner[1]
            if a < 0 or b < 0 or a >= soft.shape[1] or b >= soft.shape[0] or soft[b, a] <= 0.3:
                continue
            left, right = min(left, x - step + 1), max(right, x + step)
            top, bottom = min(top, y - step + 1), max(bottom, y + step)
            if soft[b, a] <= 0.5:
                continue
            c, d = min(max(a + corner[0], 0), w - 1), min(max(b + corner[1], 0), h - 1)
            error = 0.0
            for k in range(3):
                error += abs(float(now[y, x, k]) - float(before[d, c, k])) / 15
            p[0, n], p[1, n], p[2, n], p[3, n] = u, v, x - u, y - v
            p[4, n] = (trust[b // STEP, a // STEP] * soft[b, a] + 0.02) / (1 + error * error)
            n += 1
    fit = np.zeros(7)
    if n >= LEAST_POINTS:
        fit[1:] = _robust(p[0, :n], p[1, :n], p[2, :n], p[3, :n], p[4, :n])
    fit[0] = n
    return fit, (left, top, right, bottom)


@compiled
def _robust(
    x: Any, y: Any, dx: Any, dy: Any, weights: Any
) -> tuple[float, float, float, float, float, float]:
    """Middle, growth, shift, and what the fit leaves (median, in px), of points x, y that moved by dx, dy.

    All are `[n] float64`.
    """
    n = len(x)
    total, x_mid, y_mid = 0.0, 0.0, 0.0
    for i in range(n):
        total += weights[i]
        x_mid += weights[i] * x[i]
        y_mid += weights[i] * y[i]
    x_mid, y_mid = x_mid / total, y_mid / total
    spread = 0.0
    for i in range(n):
        spread += weights[i] * ((x[i] - x_mid) ** 2 + (y[i] - y_mid) ** 2)
    unit = 0.0
    ridge = STIFFNESS * spread / total + 4  # 4 px²: specks have no size to measure
    growth, shift_x, shift_y = 0.0, np.median(dx), np.median(dy)
    left = np.empty(n)
    for _ in range(FIT_ROUNDS):
        for i in range(n):
            u, v = dx[i] - growth * (x[i] - x_mid) - shift_x, dy[i] - growth * (y[i] - y_mid) - shift_y
            left[i] = u * u + v * v
        unit = max(np.median(left), 0.05)
        total, sum_x, sum_y, spread = 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            left[i] = weights[i] / (1 + left[i] / unit)
            u, v = x[i] - x_mid, y[i] - y_mid
            total += left[i]
            sum_x += left[i] * (dx[i] - growth * u)
            sum_y += left[i] * (dy[i] - growth * v)
            spread += left[i] * (u * u + v * v)
        shift_x, shift_y, pull = sum_x / total, sum_y / total, 0.0
        for i in range(n):
            u, v = x[i] - x_mid, y[i] - y_mid
            pull += left[i] * (u * (dx[i] - shift_x) + v * (dy[i] - shift_y))
        growth = min(max(pull / (spread + ridge * total), -MOST_GROWTH), MOST_GROWTH)
    return x_mid, y_mid, growth, shift_x, shift_y, np.sqrt(unit)


@compiled
def best_match(
    smooth: Image, points: FloatArray, pose: Any, guess: Any, radius_px: int
) -> tuple[float, float, float]:
    """Shift an object's points to where the picture looks like them.

    Args:
        smooth: blurred colours of the present, `[h, w, 3] uint8`.
        points: x, y, three colours and weight of each, `[n, 6] float32`.
        pose: where the points are expected before any shift, `[2, 3] float64`.
        guess: shifts to look around, `[g, 2] float64`.
        radius_px: how far from each.

    Returns:
        The shift in x and y, a whole number of pixels from one of the guesses; a single one that fits is
        kept. And which share of the points does not look like the picture there.
    """
    best_x, best_y = guess[0, 0], guess[0, 1]
    least = _cost(smooth, points, pose, best_x, best_y)
    if least < GOOD_COST and len(guess) == 1:
        return best_x, best_y, least
    for k in range(len(guess)):
        for dy in range(-radius_px, radius_px + 1, SEARCH_STEP_PX):
            for dx in range(-radius_px, radius_px + 1, SEARCH_STEP_PX):
                cost = _cost(smooth, points, pose, guess[k, 0] + dx, guess[k, 1] + dy)
                cost += 5e-4 * (dx * dx + dy * dy)
                if cost < least:
                    least, best_x, best_y = cost, guess[k, 0] + dx, guess[k, 1] + dy
    x, y = best_x, best_y
    for dy in range(1 - SEARCH_STEP_PX, SEARCH_STEP_PX):
        for dx in range(1 - SEARCH_STEP_PX, SEARCH_STEP_PX):
            cost = _cost(smooth, points, pose, x + dx, y + dy) + 5e-4 * (dx * dx + dy * dy)
            if cost < least:
                least, best_x, best_y = cost, x + dx, y + dy
    return best_x, best_y, least


@compiled
def _cost(smooth: Image, points: FloatArray, pose: Any, dx: float, dy: float) -> float:
    """How much of the points' weight is mismatched, 0 to 1; points outside count 0.8."""
    h, w = smooth.shape[:2]
    cost = 0.0
    for i in range(len(points)):
        x = int(np.rint(pose[0, 0] * points[i, 0] + pose[0, 1] * points[i, 1] + pose[0, 2] + dx))
        y = int(np.rint(pose[1, 0] * points[i, 0] + pose[1, 1] * points[i, 1] + pose[1, 2] + dy))
        if x < 0 or y < 0 or x >= w or y >= h:
            cost += 0.8 * points[i, 5]
            continue
        p, q = smooth[y, x, 0] - points[i, 2], smooth[y, x, 1] - points[i, 3]
        r = smooth[y, x, 2] - points[i, 4]
        apart = p * p + q * q + r * r
        cost += points[i, 5] * apart / (apart + SEARCH_SCALE * SEARCH_SCALE)
    return cost


@compiled
def likeness(
    smooth: Image, points: FloatArray, pose: Any, shifts: Any, owners: IntArray, own: int
) -> FloatArray:
    """How much the picture looks like an object where it would be.

    Args:
        smooth: blurred colours of the present, `[h, w, 3] uint8`.
        points: x, y, three colours and weight of each, `[n, 6] float32`.
        pose: from the points' coordinates to pixels of the present, `[2, 3] float64`.
        shifts: added to that, `[s, 2] float64` in pixels.
        owners: which object each pixel belongs to, `[h, w] int32`; those of others match nothing.
        own: this object in that map; 0 there is nobody.

    Returns:
        `[s] float32`, 0 to 1.
    """
    h, w = smooth.shape[:2]
    result = np.zeros(len(shifts), np.float32)
    sharp = 1 / (2 * MATCH_SCALE * MATCH_SCALE)
    for k in range(len(shifts)):
        score = 0.0
        for i in range(len(points)):
            x = int(
                np.rint(pose[0, 0] * points[i, 0] + pose[0, 1] * points[i, 1] + pose[0, 2] + shifts[k, 0])
            )
            y = int(
                np.rint(pose[1, 0] * points[i, 0] + pose[1, 1] * points[i, 1] + pose[1, 2] + shifts[k, 1])
            )
            if x < 0 or y < 0 or x >= w or y >= h or (owners[y, x] != 0 and owners[y, x] != own):
                continue
            p, q = smooth[y, x, 0] - points[i, 2], smooth[y, x, 1] - points[i, 3]
            r = smooth[y, x, 2] - points[i, 4]
            score += points[i, 5] * np.exp(-sharp * (p * p + q * q + r * r))
        result[k] = score
    return result
