"""One object's way into the next frame, as one compiled call: its motion, its place, the odds of each pixel.

An object that is partly or wholly hidden keeps moving as it last did. Where next to nothing of it is seen,
places around are tried for its looks, farther every frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.regions import FloatArray, IntArray
from som_agent.tracking.propagators.flow.ground_motion import fit_ground, motion_cue
from som_agent.tracking.propagators.flow.looks import Codes
from som_agent.tracking.propagators.flow.object_motion import (
    LEAST_POINTS,
    SEARCH_PX,
    best_match,
    fit_motion,
    likeness,
)
from som_agent.tracking.propagators.flow.poses import follow, inverse, joined, moved, widened
from som_agent.tracking.propagators.flow.posteriors import agree, coarse_evidence, full_evidence, support_of
from som_agent.tracking.propagators.flow.shape_memory import Box, box_of
from som_agent.tracking.propagators.flow.votes import (
    STEP,
    Window,
    all_votes,
    past_by_flow,
    past_by_pose,
    vote,
)
from som_agent.video.frame import Image
from som_kernels._jit import compiled

__all__ = ["LOST_SHARE", "advance", "evidence"]

COLOR_SCALE, REFERENCE_COLOR_SCALE = 8.0, 10.0
"""Of the votes of the frame before and of the reference, in units of colour."""
LEAST_REACH, MOST_REACH, REACH_SHARE = 2, 4, 0.06
"""Radius of the votes' window in samples, and as a share of the object's size in pixels."""
SOFTNESS_SHARE, SOFTNESS_PX = 0.08, 1.5
"""Over which share of the object's size, and at least, the edge of its remembered shape is undecided."""
STRAY_PX = 0.5
"""Where the flow strays that far from the object's motion as a whole, both are asked."""
STRANGE = 0.85
"""Share of an object's points from which it cannot be it: the light went out, or the scene was cut."""
LOST_SHARE = 0.4
"""Share of the remembered shape below which it is looked for elsewhere too."""
SLOWING = 0.95
"""What is left of the velocity of an object that is not seen, a frame later."""
SEARCH_GROWTH_PX, SEARCH_MOST_SHARE, LOOK_STEP_PX, FAR_PX, TURNS = 4, 0.35, 4, 48, 3
ACCEPTED, BETTER = 0.6, 1.2
"""A place is taken for the object's if it looks that much like it, and that much more than where it was."""


@compiled
def advance(
    now: Image,
    before: Image,
    smooth: Image,
    codes: Codes,
    links: FloatArray,
    flow: FloatArray,
    owners: IntArray,
    soft: FloatArray,
    trust: FloatArray,
    corner: tuple[int, int],
    box: Box,
    points: FloatArray,
    pose: Any,
    velocity: Any,
    shape: FloatArray,
    given_lab: Image,
    given_soft: FloatArray,
    origin: tuple[int, int],
    given_points: FloatArray,
    table: FloatArray,
    numbers: Any,
) -> Any:
    """Bring an object into the next frame.

    Args:
        now: colours of the next frame, see `Look.lab`.
        before: those of the frame that the object is in.
        smooth: `Look.smooth` of the next frame.
        codes: `Look.codes` of it.
        links: `Look.links` of it.
        flow: see `flow_between`.
        owners: numbers of the objects in the frame before, `[h, w] int32`; 0 for none.
        soft: see `Carried`, like all that follow.
        trust: likewise.
        corner: likewise.
        box: likewise.
        points: likewise.
        pose: likewise; changed in place.
        velocity: likewise; changed in place.
        shape: likewise.
        given_lab: of the reference.
        given_soft: of the reference.
        origin: of the reference.
        given_points: of the reference.
        table: likewise.
        numbers: visible share, usual match, frames lost, own number, tie and size of the reference,
            and confidence, `[7] float64`.

    Returns:
        The new `soft` (as if the object were alone), `trust`, `support` and corner; how much the frame looks
        like the object where it is, and for how many frames it has been lost.
    """
    visible, usual, lost, own, tie, given_size, confidence = numbers
    h, w = codes.shape
    motion, carried_box, stray, changed = _motion(
        now,
        before,
        smooth,
        flow,
        soft,
        trust,
        corner,
        box,
        points,
        velocity,
        confidence,
    )
    follow(pose, motion)
    found, match, lost = _look_around(smooth, given_points, pose, owners, int(own), visible, usual, lost)
    expected = moved(box_of(shape, origin, 0.5), pose)
    if expected[2] <= 0 or expected[3] <= 0 or expected[0] >= w or expected[1] >= h:
        velocity[:] = 0  # what left the picture waits at its border: mostly it comes back there
    x0, y0, x1, y1 = joined(carried_box, expected)
    x0, y0, x1, y1 = widened(x0, y0, x1, y1, h, w)
    if x1 <= x0 or y1 <= y0:  # it is outside the picture
        nothing = np.zeros((0, 0), np.float32)
        return nothing, nothing, nothing, (0, 0), match, lost
    size = pose[0, 0] * given_size
    reach = min(max(int(np.rint(REACH_SHARE * size)), LEAST_REACH), MOST_REACH)
    window = (x0, y0, (x1 - x0 + STEP - 1) // STEP, (y1 - y0 + STEP - 1) // STEP)
    odds, trust, support = evidence(
        now, before, flow, soft, corner, motion, shape, given_lab, given_soft, origin, pose, window, reach,
        max(SOFTNESS_SHARE * size, SOFTNESS_PX) / STEP, found, stray,
    )  # fmt: skip
    if changed > STRANGE:
        return np.zeros((y1 - y0, x1 - x0), np.float32), trust, support, (x0, y0), match, lost
    full = full_evidence(odds, table, codes[y0:y1, x0:x1])
    return agree(full, links[:, y0:y1, x0:x1], tie), trust, support, (x0, y0), match, lost


@compiled
def evidence(
    lab: Image,
    before: Image,
    flow: FloatArray,
    soft: FloatArray,
    corner: tuple[int, int],
    motion: Any,
    shape: FloatArray,
    given_lab: Image,
    given_soft: FloatArray,
    origin: tuple[int, int],
    pose: Any,
    window: Window,
    reach: int,
    softness: float,
    found: bool,
    stray: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log odds, trust and support at the samples of a window; arguments as in `advance`."""
    x0, y0, columns, rows = window
    rim, scale = reach, 0.625 * reach  # the scale leaves little outside the window
    now = np.zeros((3, rows + 2 * rim, columns + 2 * rim), np.float32)
    for j in range(rows):
        for i in range(columns):
            for c in range(3):
                now[c, j + rim, i + rim] = lab[y0 + STEP * j, x0 + STEP * i, c]
    wide = (x0 - STEP * rim, y0 - STEP * rim, columns + 2 * rim, rows + 2 * rim)
    votes, known = np.zeros((2, wide[3], wide[2]), np.float32), np.zeros((2, wide[3], wide[2]), np.float32)
    flown = past_by_flow(before, soft, corner, flow, wide)
    vote(now, flown, reach, COLOR_SCALE, scale, votes[0], votes[1])
    motion_back, back = inverse(motion), inverse(pose)
    if stray > STRAY_PX:  # else the object's own motion would say the same
        posed = past_by_pose(before, (0, 0), soft, corner, motion_back, wide)
        vote(now, posed, reach, COLOR_SCALE, scale, votes[0], votes[1])
    posed = past_by_pose(given_lab, origin, given_soft, origin, back, wide)
    vote(now, posed, reach, REFERENCE_COLOR_SCALE, scale, known[0], known[1])
    carried = flown[3, rim:-rim, rim:-rim]
    support = support_of(shape, origin, back, window)
    enough, field = fit_ground(flow, carried, window)
    cue = motion_cue(flow, field, motion_back, window) if enough else np.zeros((rows, columns), np.float32)
    odds, trust = coarse_evidence(
        votes[:, rim:-rim, rim:-rim], known[:, rim:-rim, rim:-rim], carried, support, cue,
        all_votes(reach, scale), softness, found,
    )  # fmt: skip
    return odds, trust, support


@compiled
def _motion(
    now: Image,
    before: Image,
    smooth: Image,
    flow: FloatArray,
    soft: FloatArray,
    trust: FloatArray,
    corner: tuple[int, int],
    box: Box,
    points: FloatArray,
    velocity: Any,
    confidence: float,
) -> tuple[Any, Box, float, float]:
    """The object's motion into the present, `[2, 3] float64`, and the box of what the flow carries there.

    Then how far the flow strays from that motion, in pixels (median), and which share of the object's points
    does not look like it did.

    The less was visible, the more the velocity stands in for what is measured.
    """
    h, w = flow.shape[:2]
    middle_x, middle_y, growth, shift_x, shift_y = 0.0, 0.0, 0.0, velocity[0], velocity[1]
    carried, stray, changed = (0, 0, 0, 0), 0.0, 0.0
    measured = False
    if box[2] > box[0]:
        dx, dy = int(np.rint(velocity[0])), int(np.rint(velocity[1]))
        x0, y0, x1, y1 = widened(box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy, h, w)
        window = (x0, y0, max(x1 - x0 + STEP - 1, 0) // STEP, max(y1 - y0 + STEP - 1, 0) // STEP)
        fit, carried = fit_motion(now, before, flow, soft, trust, corner, window)
        measured = fit[0] >= LEAST_POINTS
        if measured:
            middle_x, middle_y, growth, shift_x, shift_y = fit[1], fit[2], confidence * fit[3], fit[4], fit[5]
            stray = fit[6] + abs(1 - confidence) * (abs(shift_x - velocity[0]) + abs(shift_y - velocity[1]))
    motion = np.zeros((2, 3))
    motion[0, 0], motion[1, 1] = 1 + growth, 1 + growth
    motion[0, 2], motion[1, 2] = -growth * middle_x, -growth * middle_y
    if measured:
        guesses = np.empty((2, 2))
        guesses[0, 0], guesses[0, 1], guesses[1] = shift_x, shift_y, velocity
        apart = max(abs(velocity[0] - shift_x), abs(velocity[1] - shift_y))
        x, y, changed = best_match(smooth, points, motion, guesses[: 2 if apart > 2 else 1], SEARCH_PX)
        # Points are whole pixels; within half of one the flow knows better.
        shift_x = x + min(max(shift_x - x, -0.5), 0.5)
        shift_y = y + min(max(shift_y - y, -0.5), 0.5)
        shift_x = confidence * shift_x + (1 - confidence) * velocity[0]
        shift_y = confidence * shift_y + (1 - confidence) * velocity[1]
        velocity[0] += 0.5 * confidence * (shift_x - velocity[0])
        velocity[1] += 0.5 * confidence * (shift_y - velocity[1])
    if not measured:
        velocity *= SLOWING
    motion[0, 2] += shift_x
    motion[1, 2] += shift_y
    return motion, carried, stray, changed


@compiled
def _look_around(
    smooth: Image,
    points: FloatArray,
    pose: Any,
    owners: IntArray,
    own: int,
    visible: float,
    usual: float,
    lost: float,
) -> tuple[bool, float, float]:
    """Move a hidden object's pose to where it has come into sight, if anywhere.

    Returns:
        Whether it was moved, how much the picture looks like it there, and for how many frames it has been
        lost.
    """
    here = likeness(smooth, points, pose, np.zeros((1, 2)), owners, own)[0]
    if visible >= LOST_SHARE:
        return False, here, 0.0
    h, w = owners.shape
    radius = min(2 * LOOK_STEP_PX + SEARCH_GROWTH_PX * int(lost), int(SEARCH_MOST_SHARE * max(h, w)))
    step, late_x, late_y = LOOK_STEP_PX, 0, 0
    if radius > FAR_PX:
        # Far searches take long: objects take turns, look at every other place, and at those between later.
        turn = int(lost) + own
        if turn % TURNS:
            return False, here, lost + 1
        step = 2 * LOOK_STEP_PX
        late_x, late_y = turn // TURNS % 2 * LOOK_STEP_PX, turn // (2 * TURNS) % 2 * LOOK_STEP_PX
    side = 2 * (radius // step) + 1
    shifts = np.empty((side * side, 2))
    for k in range(side * side):
        shifts[k, 0] = (k % side - side // 2) * step + late_x
        shifts[k, 1] = (k // side - side // 2) * step + late_y
    score = likeness(smooth, points, pose, shifts, owners, own)
    best, most = 0, -1.0
    for k in range(len(score)):
        near = np.exp(-0.5 * (shifts[k, 0] ** 2 + shifts[k, 1] ** 2) / radius**2)
        if score[k] * near > most:
            best, most = k, score[k] * near
    if most <= ACCEPTED * usual or most <= BETTER * here:
        return False, here, lost + 1
    pose[0, 2] += shifts[best, 0]
    pose[1, 2] += shifts[best, 1]
    return True, score[best], 0.0
