"""Conditions at work: what becomes true in a frame, what holds, and what can happen no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from som_agent.watches.conditions import And, Appears, Beside, Condition, Near, Or, Simple, Then, Touches
from som_agent.watches.event import Firing
from som_agent.watches.memory import Memory
from som_agent.watches.reading import Key, Reading, read
from som_agent.watches.settled import Settled
from som_agent.watches.words import clause

__all__ = ["MOMENT_S", "Node", "node_of"]

MOMENT_S = 1.0
"""Seconds for which what leaves no state behind counts as true: that something appeared, or changed."""
_PAIRS = (Near, Touches, Beside)
# What a mark that is first seen so has not done: it was never in the zone that it is out of.
_NEEDS_BEFORE = ("exits", "comes_back", "moves", "changes_color", "changes_size")
_LATE_S = 0.3  # what became true earlier may be told so much later
_MOST_PENDING = 100


class Node(Protocol):
    """A condition at work.

    Attributes:
        holds: it is true by now.
        last: how it became true last.
        over: why it can become true no more; None while it can.
    """

    holds: bool
    last: Firing | None
    over: str | None

    def update(self, memory: Memory, *, begin: bool) -> list[Firing]:
        """Take in the newest frame of the memory; what becomes true in it.

        Args:
            memory: up to that frame.
            begin: the watch begins here: what holds did so before.
        """
        ...

    def living(self, marks: Collection[int]) -> None:
        """Take in which marks there are and may be seen again."""
        ...


def node_of(condition: Condition) -> Node:
    """A condition at work, of which nothing is known yet."""
    if isinstance(condition, And):
        return _All([node_of(part) for part in condition.conditions])
    if isinstance(condition, Or):
        return _Any([node_of(part) for part in condition.conditions])
    if isinstance(condition, Then):
        return _After(node_of(condition.first), node_of(condition.second), condition.within_s)
    return _Leaf(condition)


class _Leaf:
    """A condition on one mark or two, or on any."""

    def __init__(self, condition: Simple) -> None:
        self.holds, self.last, self.over = False, None, None  # type: bool, Firing | None, str | None
        self._condition = condition
        self._known: dict[Key, Settled] = {}
        named = (condition.mark, getattr(condition, "other", None))
        self._named = [mark for mark in named if isinstance(mark, int)]
        self._is_pair = isinstance(condition, _PAIRS)
        to = getattr(condition, "to", None)
        self._is_moment = condition.kind in ("appears", "changes_size") or (
            condition.kind == "changes_color" and to is None
        )
        self._needs_before = condition.kind in _NEEDS_BEFORE
        self._never_already = (self._needs_before and condition.kind != "moves" and to is None) or (
            condition.kind == "appears" and condition.mark is None
        )

    def update(self, memory: Memory, *, begin: bool) -> list[Firing]:
        fired = []
        for key in self._keys(memory):
            known = self._known.setdefault(key, Settled())
            firing = self._take(memory, key, known, begin)
            if firing is not None:
                fired.append(firing)
                self.last = firing
        for key in [key for key in self._known if not memory.gone.isdisjoint(key)]:
            known = self._known[key]
            if not (self._condition.kind in ("leaves", "exits") and self._named):
                del self._known[key]
        for mark in self._named:
            if mark in memory.gone:
                self.over = f"{memory.name(mark)} is gone for good"
        self.holds = any(self._lasts(known, memory.now.time) for known in self._known.values())
        return fired

    def living(self, marks: Collection[int]) -> None:
        for mark in self._named:
            if mark not in marks and self.over is None and not isinstance(self._condition, Appears):
                self.over = f"mark [{mark}] is gone for good"

    def _keys(self, memory: Memory) -> Iterator[Key]:
        marks, own = memory.marks, self._condition.mark
        if not self._is_pair:
            for mark in marks if own is None else self._named:
                if mark in marks and (mark not in memory.gone or (mark,) in self._known):
                    yield (mark,)
        elif len(self._named) == 2:
            if self._named[0] in marks and self._named[1] in marks:
                yield tuple(self._named)
        elif self._named[0] in marks:
            for mark in marks:
                if mark != self._named[0] and memory.gone.isdisjoint((mark, self._named[0])):
                    yield self._named[0], mark

    def _take(self, memory: Memory, key: Key, known: Settled, begin: bool) -> Firing | None:
        is_new, now = known.state is None, memory.now
        said = read(self._condition, memory, key, known)
        changed = known.take(said.holds, now.time, now.frame, at_once=said.at_once)
        if begin:
            held = known.state and said.holds and not self._never_already
            return self._fire(memory, key, known, said, already=True) if held else None
        if not changed or not known.state or (is_new and self._needs_before):
            return None
        return self._fire(memory, key, known, said, already=False)

    def _fire(self, memory: Memory, key: Key, known: Settled, said: Reading, *, already: bool) -> Firing:
        known.fired, known.told_s = True, memory.now.time
        true_s = known.since_s if said.true_s is None else said.true_s
        return Firing(
            clause=clause(self._condition, memory, key, said.values, already),
            marks=key,
            true_s=memory.now.time if already else true_s,
            started_s=true_s if said.started_s is None else min(said.started_s, true_s),
            already=already,
            values=said.values,
        )

    def _lasts(self, known: Settled, now_s: float) -> bool:
        if self._is_moment:
            return 0 < known.told_s and now_s - known.told_s <= MOMENT_S
        return bool(known.state) and known.fired


class _All:
    def __init__(self, parts: list[Node]) -> None:
        self.holds, self.last, self.over = False, None, None  # type: bool, Firing | None, str | None
        self._parts = parts

    def update(self, memory: Memory, *, begin: bool) -> list[Firing]:
        fired = [firing for part in self._parts for firing in part.update(memory, begin=begin)]
        held, self.holds = self.holds, all(part.holds for part in self._parts)
        self._find_end()
        if not self.holds or (held and not begin):
            return []
        lasts = [part.last for part in self._parts if part.last is not None]
        newest = max(fired or lasts, key=lambda firing: firing.true_s)
        self.last = _joined(lasts, " and ", newest.true_s, newest.true_s, already=begin)
        return [self.last]

    def living(self, marks: Collection[int]) -> None:
        for part in self._parts:
            part.living(marks)
        self._find_end()

    def _find_end(self) -> None:
        ends = [part.over for part in self._parts if part.over and not part.holds]
        if all(part.over for part in self._parts):
            ends = [part.over for part in self._parts if part.over]
        self.over = ends[0] if ends else None


class _Any:
    def __init__(self, parts: list[Node]) -> None:
        self.holds, self.last, self.over = False, None, None  # type: bool, Firing | None, str | None
        self._parts = parts

    def update(self, memory: Memory, *, begin: bool) -> list[Firing]:
        fired = [firing for part in self._parts for firing in part.update(memory, begin=begin)]
        self.holds = any(part.holds for part in self._parts)
        self.last = fired[-1] if fired else self.last
        self._find_end()
        return fired

    def living(self, marks: Collection[int]) -> None:
        for part in self._parts:
            part.living(marks)
        self._find_end()

    def _find_end(self) -> None:
        ends = [part.over for part in self._parts if part.over]
        self.over = "; ".join(dict.fromkeys(ends)) if len(ends) == len(self._parts) else None


class _After:
    def __init__(self, first: Node, second: Node, within_s: float) -> None:
        self.holds, self.last, self.over = False, None, None  # type: bool, Firing | None, str | None
        self._first, self._second, self._within_s = first, second, within_s
        self._firsts: list[Firing] = []
        self._seconds: list[Firing] = []  # that no first one came before, as far as is known yet

    def update(self, memory: Memory, *, begin: bool) -> list[Firing]:
        now = memory.now.time
        if begin:
            self._firsts, self._seconds = [], []
        self._firsts += self._first.update(memory, begin=begin)
        self._seconds += [two for two in self._second.update(memory, begin=begin) if not two.already]
        fired = []
        # In the order in which they became true, which need not be the order in which that was certain.
        for two in sorted(self._seconds, key=lambda firing: firing.true_s):
            before = [one for one in self._firsts if 0 < two.true_s - one.true_s <= self._within_s + 1e-6]
            if before:
                one = max(before, key=lambda firing: firing.true_s)
                later = f", and {two.true_s - one.true_s:.2f} s later "
                fired.append(_joined([one, two], later, two.true_s, one.started_s))
                self._firsts.remove(one)
                self._seconds.remove(two)
        self._firsts = [one for one in self._firsts if now - one.true_s <= self._within_s + _LATE_S]
        self._firsts = self._firsts[-_MOST_PENDING:]
        self._seconds = [two for two in self._seconds if now - two.true_s <= _LATE_S]
        if fired:
            self.last = fired[-1]
        self.holds = self.last is not None and memory.now.time - self.last.true_s <= MOMENT_S
        self._find_end()
        return fired

    def living(self, marks: Collection[int]) -> None:
        self._first.living(marks)
        self._second.living(marks)
        self._find_end()

    def _find_end(self) -> None:
        self.over = self._second.over or (None if self._firsts else self._first.over)


def _joined(parts: list[Firing], word: str, true_s: float, started_s: float, already: bool = False) -> Firing:
    """One firing of several."""
    values: dict[str, float | str] = {}
    for part in parts:
        for name, value in part.values.items():
            values.setdefault(name, value)
    return Firing(
        clause=word.join(part.clause for part in parts),
        marks=tuple(dict.fromkeys(mark for part in parts for mark in part.marks)),
        true_s=true_s,
        started_s=started_s,
        already=already,
        values=values,
    )
