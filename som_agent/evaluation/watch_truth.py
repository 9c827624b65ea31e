"""When what is waited for truly happens in a drawn scene, told from how the scene was drawn.

Nothing of the watches' own code is used, but for the words of their conditions and what docs/watches.md
promises. Conditions name things of the scene in place of marks. What no rule decides is not *sure*, and
counts neither for nor against; each such event says why. It is what a person with the true masks could not
say, either: what lasts for a frame more or less than promised, or comes about where too little is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from som_agent.evaluation.watch_courses import Course, course_of
from som_agent.evaluation.watch_facts import Bools, Facts
from som_agent.evaluation.watch_happens import Expected
from som_agent.evaluation.watch_joins import all_of, one_after_another
from som_agent.evaluation.watch_scenes import Scene
from som_agent.evaluation.watch_sights import coming_back, leaving, need_frames, standing
from som_agent.watches.conditions import And, Condition, Or, Simple, Then

__all__ = ["Expected", "Truth"]

SHORT_S = 0.25
FORGOTTEN_S = 1.0
MOMENT_S = 1.0
PAIRS = ("near", "touches", "beside")
NEEDS_BEFORE = ("exits", "moves", "changes_color", "changes_size")


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
            parts = [self.events(part, start) for part in condition.conditions]
            return all_of(condition, parts, len(self.facts.labels), self.scene.fps)
        if isinstance(condition, Then):
            firsts, seconds = self.events(condition.first, start), self.events(condition.second, start)
            return one_after_another(firsts, seconds, start, condition.within_s, self.scene.fps)
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
        if condition.kind == "leaves":
            return leaving(self.facts, things[0], start, getattr(condition, "how", None))
        if condition.kind == "comes_back":
            return coming_back(self.facts, things[0], start)
        if condition.kind == "stops":
            return standing(self.facts, things[0], start, getattr(condition, "seconds", 1.0))
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
            if course.known[max(f - 1, 0) : until].all():
                continue  # it has held all along by the rule that what holds ends later than it would begin
            seen, known = bool(course.known[f]), course.next_known(f)
            more.append(Expected(things, known, f - course.early, until, seen, "it is hardly seen"))
        maybe = np.zeros(n, bool) if course.maybe is None else course.maybe
        if course.loose is not None:
            maybe = maybe | (course.loose & ~course.holds)
        for f in (start + np.flatnonzero(maybe[start:])).tolist():
            known = course.next_known(f)
            more.append(Expected(things, known, f - course.early, n - 1, False, "it nearly happens"))
        return more

    def _appearance(self, thing: int, start: int) -> list[Expected]:
        seen = np.flatnonzero(self.facts.visible[:, thing] >= 12)
        clear = np.flatnonzero(self.facts.seen[:, thing] >= 0.5)
        if not len(clear) or not len(seen) or seen[0] <= start - 4:
            return []
        frame, last = int(clear[0]), len(self.facts.labels) - 1
        lasts = self._lasts(self.facts.seen[:, thing] >= 0.5, frame, round(SHORT_S * self.scene.fps) + 1)
        why = "it appears as the watch is set" if seen[0] <= start else "" if lasts else "it is brief"
        until = min(frame + round(MOMENT_S * self.scene.fps), last)
        return [Expected((thing,), frame, int(seen[0]), until, bool(seen[0] > start), why)]

    def _doubt(self, course: Course, frame: int, over: bool, gap_unsure: bool) -> str:
        """Why it is not sure that something begins in a frame; "" where it is."""
        n, need = len(course.holds), need_frames(self.scene.fps)
        if frame + need > n:
            return "at the end"
        if frame + need < n and not self._lasts(course.holds | ~course.known, frame, need + 1):
            return "it is brief"
        if not self._lasts(course.known, frame, need):
            return "it is hardly seen"
        if not over:
            return "it was hardly over"
        if gap_unsure:
            return "it was unseen for about a second"
        return "" if self._gets_there(course, frame) else "it stays about its limit"

    def _gets_there(self, course: Course, frame: int) -> bool:
        """Whether what begins in a frame is clearly so within half a second, before it ends."""
        if course.surely is None:
            return True
        soon = slice(frame, frame + round(0.5 * self.scene.fps) + 1)
        so_far = np.logical_and.accumulate(course.holds[soon])
        return bool((course.surely[soon] & so_far).any())

    @staticmethod
    def _lasts(holds: Bools, frame: int, need: int) -> bool:
        return bool(holds[frame : frame + need].all()) and frame + need <= len(holds)

    def _edges(
        self, course: Course, things: tuple[int, ...], start: int, *, already: bool, first: bool
    ) -> list[Expected]:
        fps, n, need = self.scene.fps, len(course.holds), need_frames(self.scene.fps)
        state: bool | None = None
        off = n
        told: list[Expected] = []
        since_clear, unknown = True, 0
        hidden = self.facts.visible[:, list(things)].min(axis=1) < 12
        for f in range(n):
            if not course.known[f]:
                unknown = unknown + 1 if hidden[f] else unknown
                if course.forgets and unknown > FORGOTTEN_S * fps and state:
                    state, since_clear = False, True
                continue
            now, before = bool(course.holds[f]), state
            if before and course.still is not None:
                now = now or bool(course.still[f])
            gap_unsure = course.forgets and 0.6 * fps < unknown < 1.5 * fps
            unknown = 0
            if now and before is not True and f > start:
                why = self._doubt(course, f, since_clear and off > need, gap_unsure)
                early = f
                loose = course.holds if course.loose is None else course.loose
                while early > start and loose[early - 1]:
                    early -= 1  # it held before it could be known, or nearly did
                if before is not None or first or why:
                    # What is hidden at once may be told when it can be seen again.
                    last = f if self._lasts(course.known, f, need) else course.next_known(f + 4)
                    told.append(Expected(things, last, early - course.early, n - 1, why=why))
            if not now and before and told:
                told[-1] = replace(told[-1], until=f)
            off = 0 if now else off + 1
            since_clear = not now and (since_clear or bool(course.clear[f]))
            state = now
            if f == start and now and already:
                # What has begun just before is told as what holds already, or a frame or two later as new.
                before_it, now_so = slice(max(f - need, 0), f + 1), course.holds & course.known
                settled = bool(now_so[before_it].all())
                clear = self._gets_there(course, f) or bool(
                    settled and course.surely is not None and course.surely[before_it].any()
                )
                lasts = settled or self._lasts(now_so, f, need + 1)
                why = "" if lasts and clear else "it begins as the watch is set"
                last = f if settled else f + need
                told.append(Expected(things, min(last, n - 1), f, n - 1, why=why))
        near = course.loose is not None and course.surely is not None
        doubtful = near and course.loose[start] and not course.holds[start]  # type: ignore[index]
        if (doubtful or not course.known[start]) and already:
            why = "it nearly holds, or is hardly seen, as the watch is set"
            told.append(Expected(things, start, start, start, False, why))
        return told
