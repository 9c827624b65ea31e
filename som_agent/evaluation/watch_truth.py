"""When what is waited for truly happens in a drawn scene, told from how the scene was drawn.

Nothing of the watches' own code is used, but for the words of their conditions. Conditions name things of the
scene in place of marks. What no rule decides is not *sure*, and counts neither for nor against: what lasts
less than 0.15 s (a motion: 0.25 s), or begins again so soon or without having got clearly away from its
limit, or happens where too little is seen, or at the very end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from som_agent.evaluation.watch_courses import Course, course_of
from som_agent.evaluation.watch_facts import Bools, Facts
from som_agent.evaluation.watch_scenes import Scene
from som_agent.watches.conditions import And, Condition, Or, Simple, Then

__all__ = ["Expected", "Truth"]

SHORT_S = 0.25
FORGOTTEN_S = 1.0
MOMENT_S = 1.0
PAIRS = ("near", "touches", "beside")
NEEDS_BEFORE = ("exits", "comes_back", "moves", "changes_color", "changes_size")


@dataclass(frozen=True)
class Expected:
    """Something that happens.

    Attributes:
        things: whom it is about.
        frame: from which it can be known.
        earliest: from which it may be told.
        sure: it has to be told.
        until: last frame of what it brings about.
        seen: what is about it can be seen, whether it is sure or not.
    """

    things: tuple[int, ...]
    frame: int
    earliest: int
    sure: bool
    until: int
    seen: bool = True
    why: str = ""


@dataclass
class Truth:
    """What happens in a scene.

    Attributes:
        facts: what is where.
    """

    facts: Facts

    @property
    def scene(self) -> Scene:
        """The scene."""
        return self.facts.scene

    def events(self, condition: Condition, start: int) -> list[Expected]:
        """What a condition tells from a frame on."""
        if isinstance(condition, Or):
            return sorted(
                (e for part in condition.conditions for e in self.events(part, start)),
                key=lambda e: e.frame,
            )
        if isinstance(condition, And):
            return self._all(condition, start)
        if isinstance(condition, Then):
            return self._after(condition, start)
        return [e for things in self._keys(condition) for e in self._simple(condition, things, start)]

    def _keys(self, condition: Simple) -> list[tuple[int, ...]]:
        names = [thing.name for thing in self.scene.things]
        own: Any = condition.mark
        if condition.kind not in PAIRS:
            return [(own,)] if own is not None else [(name,) for name in names]
        other = getattr(condition, "other", None)
        return [(own, name) for name in ([other] if other is not None else names) if name != own]

    def _simple(self, condition: Simple, things: tuple[int, ...], start: int) -> list[Expected]:
        if condition.kind == "appears":
            return self._appearance(things[0], start)
        course = course_of(self.facts, condition, *things)
        never_already = condition.kind in NEEDS_BEFORE and condition.kind != "moves"
        if condition.kind == "changes_color" and getattr(condition, "to", None):
            never_already = False
        first = condition.kind not in NEEDS_BEFORE
        told = self._edges(course, things, start, already=not never_already, first=first)
        return told + self._unseen(course, things, start, told)

    def _unseen(
        self, course: Course, things: tuple[int, ...], start: int, told: list[Expected]
    ) -> list[Expected]:
        """What happens where too little is seen to know it, or nearly happens: it may be told or not."""
        more, n = [], len(course.holds)
        rises = course.holds[1:] & ~course.holds[:-1]
        for f in (1 + start + np.flatnonzero(rises[start:])).tolist():
            if any(e.earliest - 1 <= f <= e.frame for e in told):
                continue
            until = f + int(np.argmin(np.append(course.holds[f:], False)))
            more.append(
                Expected(things, course.next_known(f), f - course.early, False, until, bool(course.known[f]), "rises unseen")
            )
        maybe = () if course.maybe is None else start + np.flatnonzero(course.maybe[start:])
        for f in map(int, maybe):
            known = course.next_known(f)
            more.append(Expected(things, known, f - course.early, False, n - 1, seen=False, why="maybe"))
        return more

    def _appearance(self, thing: int, start: int) -> list[Expected]:
        seen = np.flatnonzero(self.facts.visible[:, thing] >= 12)
        clear = np.flatnonzero(self.facts.seen[:, thing] >= 0.5)
        if not len(clear) or not len(seen) or seen[0] <= start - 4:
            return []
        frame, last = int(clear[0]), len(self.facts.labels) - 1
        sure = seen[0] > start and self._lasts(self.facts.seen[:, thing] >= 0.5, frame)
        until = min(frame + round(MOMENT_S * self.scene.fps), last)
        return [Expected((thing,), frame, int(seen[0]), bool(sure), until, seen=bool(seen[0] > start))]

    def _lasts(self, holds: Bools, frame: int, short_s: float = SHORT_S) -> bool:
        need = round(short_s * self.scene.fps) + 1
        return bool(holds[frame : frame + need].all()) and frame + need < len(holds)

    def _edges(
        self, course: Course, things: tuple[int, ...], start: int, *, already: bool, first: bool
    ) -> list[Expected]:
        fps, n = self.scene.fps, len(course.holds)
        state: bool | None = None
        off = n
        told: list[Expected] = []
        since_clear, unknown = True, 0
        hidden = self.facts.visible[:, list(things)].min(axis=1) < 12
        short = round(course.short_s * fps)
        for f in range(n):
            if not course.known[f]:
                unknown = unknown + 1 if hidden[f] else unknown
                if course.forgets and unknown > FORGOTTEN_S * fps and state:
                    state, since_clear = False, True
                continue
            now, before = bool(course.holds[f]), state
            gap_unsure = course.forgets and 0.6 * fps < unknown < 1.5 * fps
            unknown = 0
            if now and before is not True and f > start:
                why = ""
                if not self._lasts(course.holds | ~course.known, f, course.short_s):
                    why = "brief"
                    if f + round(course.short_s * fps) + 1 >= n: why="end"
                elif not self._known_soon(course, f): why = "not known soon"
                elif not since_clear: why = "not clear"
                elif gap_unsure: why = "gap"
                elif off <= short: why = "off short"
                elif course.unsure is not None and course.unsure[max(f - 2, 0) : f + 3].any():
                    why = "grazing"
                sure = not why
                early = f
                while early > start and course.holds[early - 1]:
                    early -= 1  # it held before it could be known for sure
                if before is not None or first or not sure:
                    # What is hidden at once may be told when it can be seen again.
                    last = f if self._known_soon(course, f) else course.next_known(f + 4)
                    told.append(Expected(things, last, early - course.early, sure, n - 1, why=why))
            if not now and before and told:
                told[-1] = _until(told[-1], f)
            off = 0 if now else off + 1
            since_clear = not now and (since_clear or bool(course.clear[f]))
            state = now
            if f == start and now and already:
                held = course.holds[max(f - 3, 0) : f + 1].all() and course.known[max(f - 3, 0) : f + 1].all()
                sure = bool(held) and self._lasts(course.holds & course.known, f, course.short_s)
                told.append(Expected(things, f, f, sure, n - 1, why="" if sure else "already"))
        doubtful = course.unsure is not None and course.unsure[max(start - 2, 0) : start + 3].any()
        if (doubtful or not course.known[start]) and already:
            told.append(Expected(things, start, start, False, start, seen=False, why="start doubt"))
        return told

    @staticmethod
    def _known_soon(course: Course, frame: int) -> bool:
        return bool(course.known[frame : frame + 4].all())

    def _all(self, condition: And, start: int) -> list[Expected]:
        parts = [self.events(part, start) for part in condition.conditions]
        n = len(self.facts.labels)
        fps = self.scene.fps
        holds, unsure = np.ones(n, bool), np.zeros(n, bool)
        for part, events in zip(condition.conditions, parts, strict=True):
            own = np.zeros(n, bool)
            for e in events:
                until = e.until
                if part.kind in ("appears", "changes_size", "then") or (
                    part.kind == "changes_color" and getattr(part, "to", None) is None
                ):
                    until = min(e.frame + round(MOMENT_S * fps), n)
                own[e.frame : until] = True
                for edge in (e.frame, until):
                    if not e.sure:
                        unsure[max(edge - 3, 0) : edge + round(0.5 * fps)] = True
                if not e.sure:
                    unsure[e.frame : until] = True
            holds &= own
        told = []
        starts = np.flatnonzero(holds & ~np.concatenate([[False], holds[:-1]]))
        for f in starts.tolist():
            end = f + int(np.argmin(np.append(holds[f:], False)))
            # Whoever ends and whoever begins at nearly the same time: nobody can say in which order.
            wide = holds[f:end].sum() >= SHORT_S * fps + 1
            gap = f - int(np.flatnonzero(holds[:f])[-1]) if holds[:f].any() else n
            things = tuple(dict.fromkeys(t for part in parts for e in part for t in e.things if e.frame <= f))
            sure = wide and not unsure[max(f - 3, 0) : f + 4].any() and gap > SHORT_S * fps and f + 4 < n
            why = "" if sure else "not wide" if not wide else "part unsure" if unsure[max(f - 3, 0) : f + 4].any() else "gap"
            told.append(Expected(things, f, f - 3, bool(sure), end, why=why))
        for f in np.flatnonzero(unsure).tolist():
            told.append(Expected((), f, f, False, f, why="part unsure()"))
        near = [f for f in range(n) if not holds[f] and self._nearly(parts, f, fps)]
        told += [Expected((), f, f, False, f, why="nearly()") for f in near]
        return told

    @staticmethod
    def _nearly(parts: list[list[Expected]], frame: int, fps: float) -> bool:
        """Whether all would hold if each ended a little later and began a little earlier."""
        slack = round(SHORT_S * fps)
        return all(any(e.frame - slack <= frame <= e.until + slack for e in part) for part in parts)

    def _after(self, condition: Then, start: int) -> list[Expected]:
        firsts, seconds = self.events(condition.first, start), self.events(condition.second, start)
        fps, told = self.scene.fps, []
        used: set[int] = set()
        for two in sorted(seconds, key=lambda e: e.frame):
            if two.frame <= start:
                continue
            limits = [(k, (two.frame - one.frame) / fps) for k, one in enumerate(firsts)]
            clear = [k for k, gap in limits if 0.15 < gap < condition.within_s - 0.2 and k not in used]
            maybe = [k for k, gap in limits if -0.3 < gap < condition.within_s + 0.4]
            if clear:
                k = max(clear, key=lambda k: firsts[k].frame)
                things = tuple(dict.fromkeys((*firsts[k].things, *two.things)))
                sure = two.sure and firsts[k].sure and len(maybe) == 1
                why = "" if sure else "second" if not two.sure else "first" if not firsts[k].sure else "several"
                told.append(Expected(things, two.frame, two.earliest, sure, two.until, why=why))
                if two.sure:
                    used.add(k)
            elif maybe:
                told.append(Expected((), two.frame, two.earliest, False, two.until, why="order"))
        return told


def _until(event: Expected, frame: int) -> Expected:
    return Expected(event.things, event.frame, event.earliest, event.sure, frame, why=event.why)
