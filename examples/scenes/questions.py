"""Questions that need no category names, answered from the simulation.

A question is only asked where its answer is clear: what it compares differs by a margin, and what it speaks
of shows well or not at all, for a moment before and after the time that it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from examples.scenes.truth import Question, SceneTruth, intervals

__all__ = ["questions"]

MOMENTS = (0.05, 0.3, 0.55, 0.95)  # shares of the clip
STEADY = 0.1  # seconds before and after a moment in which the answer must be the same
CLEAR = 0.55  # visibility from which an object shows well
MARGIN = 0.04  # of the picture's width, between things compared by place
Flags = npt.NDArray[np.bool_]


def questions(truth: SceneTruth) -> list[Question]:
    """All questions that this clip can answer."""
    return [
        *_colors(truth),
        *_motion(truth),
        *_order(truth),
        *_hidden(truth),
        *(q for share in MOMENTS for q in _moment(truth, round(share * float(truth.times[-1]), 1))),
    ]


def _colors(truth: SceneTruth) -> Iterator[Question]:
    """Which marks have a colour, and when the only one of a colour shows."""
    for color, ids in _by_color(truth).items():
        seen = [i for i in ids if truth.seen[:, i - 1].any()]
        yield Question(f"Which marks are {color}?", "color", seen)
        if len(ids) == 1 and seen:
            shown = intervals(truth.seen[:, ids[0] - 1], truth.times)
            yield Question(f"When is the {color} mark visible?", "time", ids, intervals=shown)


def _motion(truth: SceneTruth) -> Iterator[Question]:
    """What moves, where the camera does not."""
    if np.ptp(truth.cameras, axis=0).max() > 0:
        return
    width, seen = truth.size[0], truth.seen
    moved, still = [], []
    for i, thing in enumerate(truth.objects):
        places = truth.centers[seen[:, i], i]
        if not len(places):
            continue
        way = float(np.linalg.norm(places - places[0], axis=1).max()) / width
        if way >= 0.03:
            moved.append(thing.id)
        elif way < 0.005 and np.ptp(truth.poses[:, i, :3], axis=0).max() < 0.005:
            still.append(thing.id)
        else:
            return  # too little to call, or it moved unseen
    yield Question("Which marks move?", "motion", moved)
    yield Question("Which marks stay still?", "motion", still)
    step = np.linalg.norm(np.diff(truth.centers, axis=0), axis=2) * truth.fps / width
    for color, ids in _by_color(truth).items():
        if len(ids) == 1 and ids[0] in moved:
            i = ids[0] - 1
            moving = np.concatenate([step[:, i] > 0.02, [False]]) & seen[:, i]
            if moving.any():
                when = intervals(moving, truth.times, gap=0.2)
                yield Question(f"When does the {color} mark move?", "time", ids, intervals=when)


def _order(truth: SceneTruth) -> Iterator[Question]:
    """Who comes first and last, and who leaves and comes back."""
    seen, times = truth.seen, truth.times
    shown = [i for i in range(len(truth.objects)) if seen[:, i].any()]
    first = {truth.objects[i].id: float(times[seen[:, i].argmax()]) for i in shown}
    ranked = sorted(first, key=lambda i: first[i])
    if len(ranked) > 1 and first[ranked[1]] - first[ranked[0]] >= 0.2:
        yield Question("Which mark appears first?", "order", ranked[:1], time=round(first[ranked[0]], 4))
    if len(ranked) > 1 and first[ranked[-1]] - first[ranked[-2]] >= 0.2:
        yield Question("Which mark appears last?", "order", ranked[-1:], time=round(first[ranked[-1]], 4))
    w, h = truth.size
    back = []
    for i in shown:
        x, y = truth.centers[:, i, 0], truth.centers[:, i, 1]
        outside = np.isnan(x) | (x < 0) | (x >= w) | (y < 0) | (y >= h)
        away = outside & (truth.areas[:, i] == 0)
        before, after = np.logical_or.accumulate(seen[:, i]), np.logical_or.accumulate(seen[::-1, i])[::-1]
        if (away & before & after).sum() >= 0.3 * truth.fps:
            back.append(truth.objects[i].id)
    if back:
        yield Question("Which marks leave the view and come back?", "order", back)


def _hidden(truth: SceneTruth) -> Iterator[Question]:
    """Where the ball of a shell game is."""
    if "ball" not in truth.story:
        return
    ball, cup = truth.story["ball"], truth.story["cup"]
    gone = truth.areas[:, ball - 1] == 0
    if not gone.any():
        return
    when = intervals(gone, truth.times)
    color = truth.objects[ball - 1].color
    yield Question("Where is the ball?", "hidden", [cup], intervals=when)
    middle = round(sum(when[0]) / 2, 1)
    yield Question(f"Which mark hides the {color} mark at {middle} s?", "hidden", [cup], time=middle)


def _moment(truth: SceneTruth, time: float) -> Iterator[Question]:
    """Counts, places, relations and sizes at one moment."""
    window = np.abs(truth.times - time) <= STEADY + 1e-6
    if not window.any():
        return
    clear: Flags = np.all((truth.visibility >= CLEAR)[window] & truth.seen[window], axis=0)
    absent: Flags = np.all(truth.areas[window] == 0, axis=0)
    width = truth.size[0]
    x = truth.centers[window, :, 0]
    colors = _by_color(truth)
    for color, ids in colors.items():
        own = np.array(ids) - 1
        if not (clear | absent)[own].all():
            continue
        here = [i for i in ids if clear[i - 1]]
        if len(here) != 1:
            text = f"How many {color} marks are there at {time} s?"
            yield Question(text, "count", here, count=len(here), time=time)
        if len(here) > 1:
            order = sorted(here, key=lambda i: x[:, i - 1].mean())
            for side, end, near in (("leftmost", order[0], order[1]), ("rightmost", order[-1], order[-2])):
                if (np.abs(x[:, end - 1] - x[:, near - 1]) >= MARGIN * width).all():
                    text = f"Which {color} mark is the {side} at {time} s?"
                    yield Question(text, "position", [end], time=time)
    if not (clear | absent).all() or clear.sum() < 2:
        return
    here = [thing.id for thing in truth.objects if clear[thing.id - 1]]
    for color, ids in colors.items():
        if len(ids) != 1 or ids[0] not in here:
            continue
        offset = x - x[:, ids[0] - 1 : ids[0]]
        others = [i for i in here if i != ids[0]]
        if (np.abs(offset[:, np.array(others) - 1]) >= MARGIN * width).all():
            for side, sign in (("left", -1), ("right", 1)):
                found = [i for i in others if (sign * offset[:, i - 1] > 0).all()]
                text = f"Which marks are {side} of the {color} mark at {time} s?"
                if len(found) + sum((sign * offset[:, i - 1] < 0).all() for i in others) == len(others):
                    yield Question(text, "relation", found, time=time)
    areas = truth.areas[window][:, np.array(here) - 1]
    ranked = np.argsort(areas.mean(axis=0))
    for word, end, near in (("largest", ranked[-1], ranked[-2]), ("smallest", ranked[0], ranked[1])):
        low, high = np.sort(areas[:, [end, near]], axis=1).T
        if (high >= 1.3 * low).all():
            yield Question(f"Which mark is the {word} at {time} s?", "size", [here[end]], time=time)


def _by_color(truth: SceneTruth) -> dict[str, list[int]]:
    """Colour → ids of its objects, in the order in which the colours come."""
    counts = Counter(thing.color for thing in truth.objects)
    return {color: [thing.id for thing in truth.objects if thing.color == color] for color in counts}
