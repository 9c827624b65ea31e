"""What happens by conditions that join others, from what happens by each of these; for `watch_truth`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from som_agent.evaluation.watch_happens import Expected
from som_agent.watches.conditions import And

__all__ = ["all_of", "one_after_another"]

MOMENT_S = 1.0
SLACK_S = 0.25


def all_of(condition: And, parts: Sequence[list[Expected]], count: int, fps: float) -> list[Expected]:
    """When all parts come to hold at once.

    A part holds, or does not, or may: by an event that is not sure, and about the ends of one that is. All
    may hold only where each does or may: a part that is not sure says nothing where another does not hold.

    Args:
        condition: what is joined.
        parts: what happens by each of its parts.
        count: frames of the scene.
        fps: frames a second.
    """
    slack = round(SLACK_S * fps)
    holds, may = np.ones(count, bool), np.ones(count, bool)
    for part, events in zip(condition.conditions, parts, strict=True):
        own, maybe = np.zeros(count, bool), np.zeros(count, bool)
        for e in events:
            until = e.until
            if part.kind in ("appears", "changes_size", "then") or (
                part.kind == "changes_color" and getattr(part, "to", None) is None
            ):
                until = min(e.frame + round(MOMENT_S * fps), count)
            maybe[max(min(e.earliest, e.frame) - 1 if e.why else e.frame - slack, 0) : until + slack] = True
            if e.sure:
                own[e.frame : until] = True
        holds &= own
        may &= maybe | own
    told = []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], may, [False]]).astype(int)))
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        inside = np.flatnonzero(holds[a:b])
        if not len(inside):
            told += [Expected((), f, f, f, why="all of it nearly holds") for f in range(a, b)]
            continue
        f = a + int(inside[0])
        end = f + int(np.argmin(np.append(holds[f:b], False)))
        things = tuple(dict.fromkeys(t for part in parts for e in part for t in e.things if e.frame <= f))
        why = ""
        if end - f < slack + 1 and end < count:
            why = "it is brief"
        elif f - a > slack + 1:
            why = "a part of it may have held before"
        elif f + 4 >= count:
            why = "at the end"
        told.append(Expected(things, f, a - 3, end, why=why))
        told += [Expected((), g, g, g, why="all of it nearly holds") for g in range(a, b)]
    return told


def one_after_another(
    firsts: Sequence[Expected], seconds: Sequence[Expected], start: int, within_s: float, fps: float
) -> list[Expected]:
    """When the second happens after the first; each first counts once, the newest one before a second."""
    told: list[Expected] = []
    used: set[int] = set()
    doubtful: set[int] = set()  # what a second that is not sure may have used up
    for two in sorted(seconds, key=lambda e: e.frame):
        if two.frame <= start:
            continue
        gaps = [(k, (two.frame - one.frame) / fps) for k, one in enumerate(firsts) if k not in used]
        clear = [k for k, gap in gaps if 0.15 < gap < within_s - 0.2]
        maybe = [k for k, gap in gaps if -0.3 < gap < within_s + 0.4]
        if not clear:
            if maybe:
                why = "one hardly follows the other"
                told.append(Expected((), two.frame, two.earliest, two.until, why=why))
            doubtful.update(maybe)
            continue
        k = max((k for k in clear if firsts[k].sure), key=lambda k: firsts[k].frame, default=clear[-1])
        things = tuple(dict.fromkeys((*firsts[k].things, *two.things)))
        others = {tuple(dict.fromkeys((*firsts[j].things, *two.things))) for j in maybe} - {things}
        why = two.why or firsts[k].why
        if not why and (others or k in doubtful):
            why = "it may have followed another one"
        seen = two.seen and firsts[k].seen
        told.append(Expected(things, two.frame, two.earliest, two.until, seen, why))
        if two.sure:
            used.add(k)
        else:
            doubtful.update(maybe)
    return told
