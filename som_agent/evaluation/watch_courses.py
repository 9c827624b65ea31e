"""How what simple conditions wait for goes in a drawn scene, frame by frame; for `watch_truth`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from som_agent.evaluation.watch_facts import Bools, Facts, Floats

__all__ = ["Course", "course_of"]

_SOON_S = 0.2
"""Seconds over which it is seen whether a thing moves at all."""


@dataclass(frozen=True)
class Course:
    """How something goes, all `[F] bool`.

    Attributes:
        holds: it is so.
        known: enough is seen to know that.
        clear: it is clearly not so.
        forgets: who has not seen it for a second takes it as not so.
        early: frames before it becomes so in which it may be told.
        surely: it is so, and clearly: a person with the true masks measures it so, too.
        loose: it is so, or a person may measure it so.
        still: what was so goes on being so: a limit that ends is farther than one that begins.
        maybe: here it nearly becomes so, or what is seen of it says that it does.
    """

    holds: Bools
    known: Bools
    clear: Bools
    forgets: bool = False
    early: int = 2
    surely: Bools | None = None
    loose: Bools | None = None
    still: Bools | None = None
    maybe: Bools | None = None

    def next_known(self, frame: int) -> int:
        """The first frame from `frame` on in which it is known; the last one if it never is again."""
        later = np.flatnonzero(self.known[frame:])
        return frame + int(later[0]) if len(later) else len(self.known) - 1


def course_of(facts: Facts, condition: Any, *things: int) -> Course:
    """The course of a simple condition, but for `appears`, on one thing or two."""
    return _COURSES[condition.kind](facts, condition, *things)


def _course_moves(facts: Facts, _: Any, thing: int) -> Course:
    speed = facts.speeds(thing, _SOON_S)
    fast, still = speed >= 0.03 * facts.diagonal, speed < 0.012 * facts.diagonal
    known = (fast | (speed < 0.015 * facts.diagonal)) & facts.well_seen(thing, 0.5, 0.4)
    return Course(fast, known, still, forgets=True, early=round(0.25 * facts.scene.fps))


def _crosses(
    value: Floats, limit: float, off: float, ends: float, over: float, known: Bools, **more: Any
) -> Course:
    """How a value gets to its limit from below.

    Args:
        value: of every frame.
        limit: what it has to reach.
        off: by how much whoever measures masks may be off.
        ends: what has reached the limit counts down to here.
        over: below it does not count any more, whoever measures.
        known: enough is seen.
        more: of `Course`.
    """
    return Course(
        value >= limit,
        known,
        value < over,
        surely=value >= limit + off,
        loose=value >= limit - off,
        still=value >= ends,
        **more,
    )


def _course_faster(facts: Facts, condition: Any, thing: int) -> Course:
    speed, limit, known = facts.speeds(thing), condition.speed_px_s, facts.well_seen(thing, 0.5, 0.4)
    more = {"forgets": True, "early": round(0.25 * facts.scene.fps)}
    return _crosses(speed, limit, 0.1 * limit + 3, 0.9 * limit, 0.8 * limit, known, **more)


def _course_slower(facts: Facts, condition: Any, thing: int) -> Course:
    speed, limit, known = facts.speeds(thing), condition.speed_px_s, facts.well_seen(thing, 0.5, 0.4)
    more = {"forgets": True, "early": round(0.25 * facts.scene.fps)}
    return _crosses(-speed, -limit, 0.1 * limit + 3, -1.1 * limit, -1.2 * limit, known, **more)


def _course_enters(facts: Facts, condition: Any, thing: int) -> Course:
    share = facts.share(condition.zone, thing)
    outside = ~np.array([m.any() for m in facts.whole[thing]])
    known = facts.well_seen(thing, 0.8) | (outside & facts.there(thing))
    maybe = ~known & _rises(facts.seen_share(condition.zone, thing) >= 0.5)
    return _crosses(share, 0.5, 0.06, 0.43, 0.37, known, maybe=maybe)


def _course_exits(facts: Facts, condition: Any, thing: int) -> Course:
    share = facts.share(condition.zone, thing)
    outside = ~np.array([m.any() for m in facts.whole[thing]])
    known = facts.well_seen(thing, 0.8) | (outside & facts.there(thing))
    maybe = ~known & _rises(facts.seen_share(condition.zone, thing) < 0.5)
    return _crosses(1 - share, 0.5, 0.06, 0.43, 0.37, known, maybe=maybe)


def _both(facts: Facts, a: int, b: int, near: Bools) -> Bools:
    seen = facts.well_seen(a, 0.1) & facts.well_seen(b, 0.1)
    whole = facts.well_seen(a, 0.85) & facts.well_seen(b, 0.85)
    return np.asarray(whole | (seen & near))


def _course_near(facts: Facts, condition: Any, a: int, b: int) -> Course:
    gap, limit = facts.gaps(a, b), condition.distance_px
    known = _both(facts, a, b, gap <= limit)
    return _crosses(-gap, -limit, 1.5, -1.1 * limit - 1, -1.1 * limit - 6, known, forgets=True)


def _course_touches(facts: Facts, _: Any, a: int, b: int) -> Course:
    gap = facts.gaps(a, b)
    return _crosses(-gap, -2.0, 1.5, -4.0, -7.0, _both(facts, a, b, gap <= 2), forgets=True)


def _course_beside(facts: Facts, condition: Any, a: int, b: int) -> Course:
    if condition.side in ("right_of", "below"):
        a, b = b, a
    axis = 0 if condition.side in ("left_of", "right_of") else 1
    own, other = facts.sides(a, axis), facts.sides(b, axis)
    first = other[:, 0] - (own[:, 0] + own[:, 1]) / 2
    second = (other[:, 0] + other[:, 1]) / 2 - own[:, 1]
    known = facts.well_seen(a, 0.85) & facts.well_seen(b, 0.85)
    return _crosses(np.minimum(first, second), 1e-9, 1.5, -2.0, -6.0, known, forgets=True)


def _course_changes_color(facts: Facts, condition: Any, thing: int) -> Course:
    drawn = facts.scene.things[thing - 1]
    names = np.array([drawn.color(t) for t in facts.scene.times])
    known = facts.well_seen(thing, 0.6)
    if condition.to is not None:
        is_so = names == condition.to
        return Course(is_so, known, ~is_so)
    # Each change is an event of its own: it holds for a frame.
    last, holds = "", np.zeros(len(names), bool)
    for f in np.flatnonzero(known).tolist():
        holds[f] = bool(last) and names[f] != last
        last = str(names[f])
    return Course(_held(holds, 8), known | _held(holds, 8), ~_held(holds, 8))


def _course_changes_size(facts: Facts, condition: Any, thing: int) -> Course:
    drawn = facts.scene.things[thing - 1]
    area = np.array([drawn.scale(t) ** 2 for t in facts.scene.times])
    at_border = np.array(
        [m[0].any() or m[-1].any() or m[:, 0].any() or m[:, -1].any() for m in facts.whole[thing]]
    )
    known = facts.well_seen(thing, 0.97) & ~at_border
    ratio = area / area[0]
    grows = condition.factor > 1
    holds = ratio >= condition.factor if grows else ratio <= condition.factor
    # From the size at which it was told it may reach the factor again; when exactly, no rule says.
    again, base = np.zeros(len(area), bool), 1.0
    for f, r in enumerate(ratio.tolist()):
        if r / base >= condition.factor * 0.97 if grows else r / base <= condition.factor * 1.03:
            again[f], base = base != 1.0, r
    off = 0.04 if grows else -0.04
    surely = ratio >= condition.factor + off if grows else ratio <= condition.factor + off
    loose = ratio >= condition.factor - off if grows else ratio <= condition.factor - off
    return Course(holds, known, ~holds, surely=surely, loose=loose, maybe=again)


def _rises(values: Bools) -> Bools:
    """Where something becomes so."""
    return np.asarray(values & ~np.append([False], values[:-1]))


def _held(values: Bools, frames: int) -> Bools:
    """The same, and as many frames after each."""
    return np.convolve(values, np.ones(frames))[: len(values)] > 0


_COURSES: dict[str, Callable[..., Course]] = {
    name[len("_course_") :]: made for name, made in list(globals().items()) if name.startswith("_course_")
}
