"""The watches of a session: each frame is shown to all of them, and what happens is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import local
from typing import Any

from som_agent.answer import Evidence
from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.watches.conditions import And, Appears, Condition, Or, Stops, Then, Zone, leaves_of
from som_agent.watches.event import Firing, WatchEvent
from som_agent.watches.memory import Memory, Seen
from som_agent.watches.nodes import Node, node_of
from som_agent.watches.watch import Callback, Watch

__all__ = ["WARM_S", "Board", "resolved"]

WARM_S = 2.0
"""Seconds before its beginning that a watch looks at, to know what already holds; more for a longer stop."""


@dataclass(frozen=True)
class _Set:
    watch: Watch
    node: Node


class Board:
    """Shows frames to watches. One thread at a time; `tell` alone is called without that promise."""

    def __init__(self) -> None:
        self._set: dict[str, _Set] = {}
        self._memory: Memory | None = None  # none while nobody watches
        self._given = 0
        self._untold = local()

    @property
    def watches(self) -> list[Watch]:
        """Those that wait for something."""
        return [one.watch for one in self._set.values()]

    def add(
        self,
        condition: Condition,
        past: Sequence[Seen],
        living: Collection[int],
        *,
        once: bool,
        callback: Callback | None,
        since_s: float | None,
    ) -> Watch:
        """A new watch, which has looked at the past.

        Args:
            condition: with numbers of marks, see `resolved`.
            past: the frames that are remembered, in time order; the last one is the newest.
            living: the marks that may be seen again.
            once: it is done after the first event.
            callback: called with every event.
            since_s: where it begins; with the newest frame if left out.
        """
        self._given += 1
        one = _Set(Watch(self._given, condition, once=once, callback=callback), node_of(condition))
        self._set[one.watch.id] = one
        memory, begun = Memory(), False
        start = _start(past, since_s)
        longest = max((c.seconds for c in leaves_of(condition) if isinstance(c, Stops)), default=0.0)
        warm_s = WARM_S + longest
        for k, seen in enumerate(past):
            if k < start and seen.time < past[start].time - warm_s:
                continue
            memory.update(seen)
            fired = one.node.update(memory, begin=k == start)
            if k >= start:
                begun = True
                self._take(one, fired, memory)
            if one.watch.done:
                break
        if not one.watch.done and begun:
            one.node.living(living)
            self._end(one)
        if self._set and self._memory is None and not one.watch.done:
            self._memory = memory
        return one.watch

    def remove(self, watch: Watch | str) -> None:
        """Let a watch wait no more.

        Raises:
            InputError: there is no such watch that waits.
        """
        name = watch if isinstance(watch, str) else watch.id
        one = self._set.get(name)
        if one is None or (isinstance(watch, Watch) and one.watch is not watch):
            known = ", ".join(self._set) or "none"
            raise InputError(f"there is no watch {name} that waits; there are: {known}")
        one.watch.end("it was removed")
        self._drop(name)

    def update(self, seen: Seen) -> None:
        """Show a new frame, or the newest one again with marks that were made in it."""
        if self._memory is None:
            return
        begin = self._memory.now.frame < 0
        self._memory.update(seen)
        for one in list(self._set.values()):
            self._take(one, one.node.update(self._memory, begin=begin), self._memory)

    def tell(self) -> None:
        """Call the callbacks of what happened in this thread, in order.

        All are called; then what one of them raised is raised, and what several raised as a group.
        """
        untold: list[tuple[Watch, WatchEvent]] = getattr(self._untold, "events", [])
        self._untold.events = []
        errors = []
        for watch, event in untold:
            try:
                watch.call(event)
            except Exception as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("callbacks of watches failed", errors)

    def _take(self, one: _Set, fired: Iterable[Firing], memory: Memory) -> None:
        for firing in fired:
            event = _event(one.watch, firing, memory)
            one.watch.take(event)
            self._untold.events = [*getattr(self._untold, "events", []), (one.watch, event)]
            if one.watch.once:
                one.watch.end("it has happened")
                self._drop(one.watch.id)
                return
        self._end(one)

    def _end(self, one: _Set) -> None:
        if one.node.over is not None:
            one.watch.end(f"{one.node.over}: it can happen no more")
            self._drop(one.watch.id)

    def _drop(self, name: str) -> None:
        self._set.pop(name, None)
        if not self._set:
            self._memory = None


def resolved(
    condition: Condition, table: dict[int, MarkInfo], newest: int, size: tuple[int, int] | None
) -> Condition:
    """The same condition with numbers for labels.

    Args:
        condition: what is waited for.
        table: the mark table.
        newest: the highest number that was given.
        size: width and height of the source, None where no frame has come.

    Raises:
        InputError: it names a mark that there is not, or a zone outside the picture.
    """
    labels = {info.label.casefold(): number for number, info in table.items()}

    def number(mark: int | str) -> int:
        name = str(mark).strip().strip("[]").casefold()
        found = mark if isinstance(mark, int) and mark in table else labels.get(name)
        if found is None and name.isdecimal() and int(name) in table:
            found = int(name)
        if found is None:
            known = ", ".join(info.label for info in table.values()) or "none"
            raise InputError(f"there is no mark {mark}; the marks are {known}")
        return int(found)

    def swapped(part: Any) -> Any:
        if isinstance(part, (And, Or)):
            return replace(part, conditions=tuple(swapped(one) for one in part.conditions))
        if isinstance(part, Then):
            return replace(part, first=swapped(part.first), second=swapped(part.second))
        if size is not None and isinstance(getattr(part, "zone", None), Zone):
            _check_zone(part.zone, size)
        if isinstance(part, Appears) and isinstance(part.mark, int) and part.mark > newest:
            return part  # a number that is yet to be given
        named = {name: getattr(part, name, None) for name in ("mark", "other")}
        return replace(part, **{name: number(mark) for name, mark in named.items() if mark is not None})

    made: Condition = swapped(condition)
    for part in leaves_of(made):
        if getattr(part, "other", None) is not None and getattr(part, "other", None) == part.mark:
            raise InputError(f"{part.kind}: mark and other are both {part.mark}; it takes two marks")
    return made


def _check_zone(zone: Zone, size: tuple[int, int]) -> None:
    xs, ys = zip(*zone.corners, strict=True)
    if max(xs) <= 0 or max(ys) <= 0 or min(xs) >= size[0] or min(ys) >= size[1]:
        where = list(zone.box) if zone.box else [list(point) for point in zone.polygon or ()]
        raise InputError(f"{zone.called} {where} is outside the picture of {size[0]}x{size[1]} pixels")


def _start(past: Sequence[Seen], since_s: float | None) -> int:
    """Index of the frame at which a watch begins."""
    if since_s is None:
        return len(past) - 1
    return next((k for k, seen in enumerate(past) if seen.time >= since_s), len(past) - 1)


def _event(watch: Watch, firing: Firing, memory: Memory) -> WatchEvent:
    now = memory.now
    rows = {mark: memory.marks[mark].row for mark in firing.marks if mark in memory.marks}
    when = f"at {now.time:.2f} s"
    return WatchEvent(
        watch=watch.id,
        kind=watch.condition.kind,
        text=f"{firing.clause} {when}",
        time=now.time,
        frame=now.frame,
        started_s=firing.started_s,
        already=firing.already,
        marks=tuple(rows),
        evidence={
            mark: Evidence(row.frame, row.time, row.box, row.anchor) for mark, row in sorted(rows.items())
        },
        values=firing.values,
    )
