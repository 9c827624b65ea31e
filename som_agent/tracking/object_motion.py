"""How an object moves as a whole: size and shift from one frame to the next, by flow and by looking.

The flow is wrong where a fast object crosses a busy background. An object-level fit survives that: most
pixels agree, the speed of the last frames is a second guess, and points of the object are looked up around
both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_agent.tracking.votes import STEP, Window
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["LEAST_POINTS", "best_match", "fit_ground", "fit_motion", "likeness", "motion_cue"]

LEAST_POINTS = 8
POINTS = 100
"""Most points that a fit looks at."""
FIT_ROUNDS = 3
GROUND_ROUNDS = 2
STIFFNESS = 0.5
"""Ridge on the change of size, in units of the object's own spread: sizes change slowly."""
MOST_GROWTH = 0.1
SEARCH_PX, SEARCH_STEP_PX = 6, 3
SEARCH_SCALE = 17.0
"""Difference in colour at which a point counts half as mismatched."""
GOOD_COST = 0.1
"""Share of mismatch up to which a guess is good enough."""
MATCH_SCALE = 15.0
MOTION_SCALE_PX = 1.5
"""Differences in flow below this say nothing."""


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


@compiled
def fit_ground(flow: FloatArray, ground: FloatArray, window: Window) -> tuple[bool, Any]:
    """The motion of what is around an object: an affine field, fitted robustly.

    Args:
        flow: from the present to the frame before, `[h, w, 2] float32`.
        ground: the object's share at samples of the present, `[rows, columns] float32`; below 0.05 is ground.
        window: where those samples lie.

    Returns:
        Whether there was enough ground, and the field `[2, 3] float64` from samples' column and row to flow.
    """
    x0, y0, columns, rows = window
    h, w = flow.shape[:2]
    field = np.zeros((2, 3))
    stride = max(1, int(np.sqrt(columns * rows / POINTS)))
    p = np.empty((4, (rows // stride + 1) * (columns // stride + 1)))
    n = 0
    for j in range(0, rows, stride):
        for i in range(0, columns, stride):
            x, y = x0 + STEP * i, y0 + STEP * j
            if ground[j, i] < 0.05 and 0 <= x < w and 0 <= y < h:
                p[0, n], p[1, n], p[2, n], p[3, n] = i, j, flow[y, x, 0], flow[y, x, 1]
                n += 1
    if n < 3 * LEAST_POINTS:
        return False, field
    left = np.empty(n)
    field[0, 2], field[1, 2] = np.median(p[2, :n]), np.median(p[3, :n])
    normal, right = np.empty((3, 3)), np.empty((3, 2))
    for _ in range(GROUND_ROUNDS):
        for k in range(n):
            u = p[2, k] - field[0, 0] * p[0, k] - field[0, 1] * p[1, k] - field[0, 2]
            v = p[3, k] - field[1, 0] * p[0, k] - field[1, 1] * p[1, k] - field[1, 2]
            left[k] = u * u + v * v
        unit = max(np.median(left), 0.1)
        normal[:], right[:] = 0, 0
        normal[0, 0], normal[1, 1] = 1, 1
        for k in range(n):
            weight = 1 / (1 + left[k] / unit)
            i, j, u, v = p[0, k], p[1, k], weight * p[2, k], weight * p[3, k]
            normal[0, 0] += weight * i * i
            normal[0, 1] += weight * i * j
            normal[0, 2] += weight * i
            normal[1, 1] += weight * j * j
            normal[1, 2] += weight * j
            normal[2, 2] += weight
            right[0, 0] += u * i
            right[1, 0] += u * j
            right[2, 0] += u
            right[0, 1] += v * i
            right[1, 1] += v * j
            right[2, 1] += v
        field = _solve(normal, right)
    return True, field


@compiled
def _solve(normal: Any, right: Any) -> Any:
    """Cramer's rule for two right-hand sides of a symmetric 3 × 3 system, its upper half given, `[2, 3]`."""
    a, b, c = normal[0, 0], normal[0, 1], normal[0, 2]
    d, e, f = normal[1, 1], normal[1, 2], normal[2, 2]
    inverse = np.empty((3, 3))
    inverse[0, 0], inverse[0, 1], inverse[0, 2] = d * f - e * e, c * e - b * f, b * e - c * d
    inverse[1, 1], inverse[1, 2], inverse[2, 2] = a * f - c * c, b * c - a * e, a * d - b * b
    inverse[1, 0], inverse[2, 0], inverse[2, 1] = inverse[0, 1], inverse[0, 2], inverse[1, 2]
    scale = 1 / (a * inverse[0, 0] + b * inverse[0, 1] + c * inverse[0, 2])
    result = np.zeros((2, 3))
    for k in range(2):
        for r in range(3):
            for s in range(3):
                result[k, r] += scale * inverse[r, s] * right[s, k]
    return result


@compiled
def motion_cue(flow: FloatArray, field: Any, back: Any, window: Window) -> FloatArray:
    """Whether samples move with the object or with the ground around it.

    The log of the ratio of two heavy-tailed likelihoods (Student's, with one degree of freedom).

    Args:
        flow: from the present to the frame before, `[h, w, 2] float32`.
        field: the ground's motion, see `fit_ground`.
        back: the object's motion from the present to the frame before, `[2, 3] float64`.
        window: where the samples lie.

    Returns:
        `[rows, columns] float32`, positive where they move with the object, at most 2 either way.
    """
    x0, y0, columns, rows = window
    h, w = flow.shape[:2]
    cue = np.zeros((rows, columns), np.float32)
    unit = MOTION_SCALE_PX * MOTION_SCALE_PX
    for j in range(rows):
        for i in range(columns):
            x, y = x0 + STEP * i, y0 + STEP * j
            if x < 0 or y < 0 or x >= w or y >= h:
                continue
            u, v = flow[y, x, 0], flow[y, x, 1]
            from_ground = (u - field[0, 0] * i - field[0, 1] * j - field[0, 2]) ** 2
            from_ground += (v - field[1, 0] * i - field[1, 1] * j - field[1, 2]) ** 2
            from_object = (u - (back[0, 0] * x + back[0, 1] * y + back[0, 2] - x)) ** 2
            from_object += (v - (back[1, 0] * x + back[1, 1] * y + back[1, 2] - y)) ** 2
            log = np.log((unit + from_ground) / (unit + from_object))
            cue[j, i] = min(max(log, -2.0), 2.0)
    return cue
