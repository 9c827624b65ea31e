"""When things of a drawn scene go out of sight and come back, and how long they stand; for `watch_truth`.

Two thresholds take the place of one wherever a person who sees the true masks could argue: what holds by the
strict one has to be told, what does not even hold by the loose one must not be, and the rest is not sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from som_agent.evaluation.watch_facts import Bools, Facts
from som_agent.evaluation.watch_happens import Expected

__all__ = ["coming_back", "leaving", "need_frames", "standing"]

NOTHING_PX, SLIVER_PX, SLIVER = 4, 12, 0.03
HALF, CLEAR, SOME = 0.5, 0.35, 0.2
PLACE_PX, SAME_PX = 2.5, 0.5
SEEN_S = 0.4
NUMBERED = 3


def need_frames(fps: float) -> int:
    """Frames for which a change must last to be told, as is promised: two or more, 0.06 s apart."""
    return max(math.ceil(0.06 * fps - 1e-6), 1) + 1


def _runs(values: Bools) -> list[tuple[int, int]]:
    """First frame and the one after the last of each stretch in which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _longest(values: Bools) -> tuple[int, int]:
    return max(_runs(values), key=lambda run: run[1] - run[0], default=(0, 0))


def _absences(facts: Facts, thing: int) -> Iterator[tuple[int, int, int, str]]:
    """Stretches in which at most a sliver is seen: first frame, the one after the last, the first of nothing.

    And why it is not sure that it is out of sight. What is too short for the promise is none.
    """
    seen, pixels, need = facts.seen[:, thing], facts.visible[:, thing], need_frames(facts.scene.fps)
    there = np.flatnonzero(pixels >= SLIVER_PX)
    if not len(there):
        return
    sliver = (pixels < SLIVER_PX) | (seen < SLIVER)
    sliver[: there[0]] = False  # what was never there cannot leave
    last = 0
    for a, b in _runs(sliver):
        if b - a < need and b < len(sliver):
            continue
        none = _longest(pixels[a:b] < NOTHING_PX)
        why = ""
        if not (seen[:a] >= HALF).any():
            why = "it was never seen well"
        elif none[1] - none[0] < need:
            why = "a sliver of it is seen, or it is brief"
        elif (seen[last:a] >= CLEAR).sum() < need:
            why = "it was hardly seen meanwhile"
        yield a, b, a + none[0], why
        last = b


def leaving(facts: Facts, thing: int, start: int, how: str | None) -> list[Expected]:
    """When it goes out of sight; `how` only if "gone" or "hidden"."""
    early, told, need = round(0.3 * facts.scene.fps), [], need_frames(facts.scene.fps)
    for a, b, nothing, doubt in _absences(facts, thing):
        why = doubt
        if b <= start:
            continue
        if how is not None:
            kind, unclear = _how(facts, thing, a)
            if kind != how and not unclear:
                continue
            why = why or ("it is at the border" if unclear else "")
        if a > start:
            told.append(Expected((thing,), nothing, a - early, b, why=why))
        else:
            held = bool((facts.visible[max(start - need, a) : start + 1, thing] < NOTHING_PX).all())
            why = why or ("" if held and start - a >= need else "it leaves as the watch is set")
            told.append(Expected((thing,), max(nothing, start), start, b, why=why))
    return told


def _how(facts: Facts, thing: int, frame: int) -> tuple[str, bool]:
    """How it went out of sight, and whether that is in doubt."""
    w, h = facts.scene.size
    own = [f for f in range(frame - 1, -1, -1) if facts.visible[f, thing] > 0][:1]
    ys, xs = np.nonzero(facts.labels[own[0]] == thing)
    border = min(xs.min(), ys.min()) <= 2 or xs.max() >= w - 3 or ys.max() >= h - 3
    later = facts.whole[thing][min(frame + 1, len(facts.labels) - 1)]
    outline = facts.whole[thing][frame - 1]
    oy, ox = np.nonzero(outline) if outline.any() else (ys, xs)
    at_border = min(ox.min(), oy.min()) <= 4 or ox.max() >= w - 5 or oy.max() >= h - 5
    if not later.any():
        return "gone", not border
    return "hidden", bool(at_border)


def coming_back(facts: Facts, thing: int, start: int) -> list[Expected]:
    """When half of it is seen again; from the first sliver of it on it may be told."""
    seen, need, n = facts.seen[:, thing], need_frames(facts.scene.fps), len(facts.labels)
    absences, told = list(_absences(facts, thing)), []
    for k, (_, b, _, doubt) in enumerate(absences):
        end = absences[k + 1][0] if k + 1 < len(absences) else n
        if b <= start or b >= n:
            continue
        well = np.flatnonzero(seen[b:end] >= HALF)
        frame = b + int(well[0]) if len(well) else end - 1
        lasts = (seen[frame : frame + need + 1] >= HALF).all() and frame + need < n
        why = doubt or ("" if len(well) and lasts else "little of it is seen, or it is brief")
        told.append(Expected((thing,), frame, b, end, why=why))
    return told


def standing(facts: Facts, thing: int, start: int, seconds: float) -> list[Expected]:
    """When it has stood for so long.

    It stands at the least while it is at one place, at the most while it is within 2.5 pixels of that: what
    goes slowly is that near for a frame or two more. Between the two no rule says so.
    """
    at, fps, told = facts.places[thing], facts.scene.fps, []
    n, wait = len(at), math.ceil(seconds * fps - 1e-6)
    steps = np.hypot(*np.diff(at, axis=0).T)
    known = facts.well_seen(thing, HALF, SEEN_S)
    half = np.flatnonzero(facts.seen[:, thing] >= HALF)
    for a, b in _runs(np.append([False], steps < SAME_PX / fps)):
        first, last = a - 1, b - 1
        near = np.hypot(*(at - at[first]).T) <= PLACE_PX
        low, high = _around(near, first, last)
        if high - low < wait or not len(half):
            continue
        # Of what comes into sight as it stands nobody knows since when; and its number takes some frames.
        comes = half[0] > max(first, 0) and half[0] > 0
        begins = int(half[0]) + NUMBERED if comes else first
        frame, earliest = begins + wait, min(low, begins) + wait - 1
        why = "" if last - first >= wait + comes * NUMBERED else "it stands hardly for so long"
        if high <= start or frame > n - 1:
            if high > start and earliest <= n - 1:
                told.append(Expected((thing,), n - 1, max(earliest, start), n, why="at the end"))
            continue
        if frame <= start:
            why = why or ("" if known[start] and last > start else "it goes as the watch is set")
            told.append(Expected((thing,), start, start, high, why=why))
            continue
        sights = np.flatnonzero(known[frame : last + 1])
        seen = bool((facts.seen[frame : last + 1, thing] >= SOME).any())
        if len(sights):
            frame += int(sights[0])
        else:
            why = why or "it is hardly seen"
            later = np.flatnonzero(known[last:])
            frame = last + int(later[0]) if len(later) else n - 1
        told.append(Expected((thing,), frame, max(earliest, start), high, seen or not why, why))
    return told


def _around(values: Bools, first: int, last: int) -> tuple[int, int]:
    """The stretch in which something holds that has these frames in it; its first and its last frame."""
    while first > 0 and values[first - 1]:
        first -= 1
    while last + 1 < len(values) and values[last + 1]:
        last += 1
    return first, last
