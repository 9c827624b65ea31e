"""What one frame says of a simple condition: whether it holds, as far as is seen, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from som_agent.watches.conditions import (
    COLORS,
    Appears,
    Beside,
    ChangesColor,
    ChangesSize,
    ComesBack,
    Enters,
    Exits,
    Faster,
    Leaves,
    Moves,
    Near,
    Simple,
    Slower,
    Stops,
    Touches,
    Zone,
)
from som_agent.watches.event import Value
from som_agent.watches.geometry import drawn
from som_agent.watches.memory import Followed, Memory
from som_agent.watches.settled import Settled

__all__ = ["Key", "Reading", "read"]

Key = tuple[int, ...]
"""The marks that a truth is about, one or two."""

_FORGET_S = 1.0  # what needs to be seen and was not for so long holds no more
_EVENLY = 0.85  # least growth of a side, as a part of that in an even growth
_LEAD = 4  # percent by which a colour must lead
_INSIDE, _INSIDE_STILL = 0.5, 0.4
_TELLING = 0.3  # share of a mark that must be seen to tell where the rest is


@dataclass(frozen=True)
class Reading:
    """What one frame says.

    Attributes:
        holds: None where it cannot be seen.
        values: what was measured.
        started_s: when it began, where that is not the first frame in which it held.
        true_s: when it became true, likewise.
        at_once: it is certain without another frame.
    """

    holds: bool | None
    values: dict[str, Value] = field(default_factory=dict)
    started_s: float | None = None
    true_s: float | None = None
    at_once: bool = False


_UNSEEN = Reading(None)
C = TypeVar("C")


def read(condition: Simple, memory: Memory, key: Key, known: Settled) -> Reading:
    """What the newest frame says of a condition.

    Args:
        condition: any but those that join others.
        memory: up to that frame.
        key: the mark, and the other one where it takes two; the memory has them.
        known: the truth so far: what holds ends later than it would begin.
    """
    return _READERS[condition.kind](condition, memory, key, known)


def _appears(_: Appears, memory: Memory, key: Key, known: Settled) -> Reading:
    first = memory.marks[key[0]].first_s
    return Reading(True, started_s=first, true_s=first)


def _leaves(condition: Leaves, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    if mark.visible:
        return Reading(False)
    at_once = key[0] in memory.gone
    if condition.how is None or condition.how == mark.lost:
        return Reading(True, {"how": mark.lost}, started_s=mark.lost_s, at_once=at_once)
    return Reading(False)


def _comes_back(_: ComesBack, memory: Memory, key: Key, known: Settled) -> Reading:
    return Reading(memory.marks[key[0]].visible)


def _moves(_: Moves, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    moving = mark.motion.is_moving() if mark.visible else None
    if moving is None:
        return _lapsed(memory, mark)
    return Reading(moving, {"speed_px_s": mark.motion.speed_by_now or 0.0}, started_s=mark.motion.left_at)


def _stops(condition: Stops, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    if not mark.visible or mark.motion.speed is None:
        return _UNSEEN
    since = mark.motion.still_since
    if since is None:
        return Reading(False)
    lasted = memory.now.time - since
    if lasted < condition.seconds - 1e-6:
        return Reading(False)
    return Reading(True, {"seconds": lasted}, since, since + condition.seconds, at_once=True)


def _faster(condition: Faster, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    speed = mark.motion.speed if mark.visible else None
    if speed is None:
        return _lapsed(memory, mark)
    limit = condition.speed_px_s * (0.85 if known.state else 1.0)
    return Reading(speed >= limit, {"speed_px_s": speed})


def _slower(condition: Slower, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    speed = mark.motion.speed if mark.visible else None
    if speed is None:
        return _lapsed(memory, mark)
    limit = condition.speed_px_s * (1.15 if known.state else 1.0)
    return Reading(speed < limit, {"speed_px_s": speed})


def _enters(condition: Enters, memory: Memory, key: Key, known: Settled) -> Reading:
    share = _inside(condition.zone, memory, key[0])
    if share is None:
        return _UNSEEN
    return Reading(share >= (_INSIDE_STILL if known.state else _INSIDE), {"share": share})


def _exits(condition: Exits, memory: Memory, key: Key, known: Settled) -> Reading:
    share = _inside(condition.zone, memory, key[0])
    if share is None:
        return _UNSEEN
    return Reading(share < (1 - _INSIDE_STILL if known.state else _INSIDE), {"share": share})


def _inside(zone: Zone, memory: Memory, number: int) -> float | None:
    """Share of a mark in a zone; None where what is hidden of it could decide."""
    mark, now = memory.marks[number], memory.now
    if not mark.visible:
        # Out of the picture is out of every zone; what is hidden is where it was.
        return 0.0 if mark.lost == "gone" and number not in memory.gone else None
    share = memory.masks.share(mark.row, zone, _drawn(zone, now.size, now.mask_size))
    if mark.cut:
        half = 0.5 * mark.whole[2]
        if share * mark.row.area < half and (1 - share) * mark.row.area <= half:
            tells = share in (0.0, 1.0) and mark.row.area >= _TELLING * mark.whole[2]
            return share if tells else None
    return share


_drawn = cache(drawn)


def _near(condition: Near, memory: Memory, key: Key, known: Settled) -> Reading:
    limit = condition.distance_px
    return _within(memory, key, known, limit, 1.1 * limit + 3 * memory.pixel)


def _touches(_: Touches, memory: Memory, key: Key, known: Settled) -> Reading:
    return _within(memory, key, known, max(2.0, 1.5 * memory.pixel), max(5.0, 3 * memory.pixel))


def _within(memory: Memory, key: Key, known: Settled, limit: float, end: float) -> Reading:
    a, b = (memory.marks[mark] for mark in key)
    if not (a.visible and b.visible):
        return _lapsed(memory, a, b)
    gap = memory.masks.gap(a.row, b.row, end)
    holds = gap <= (end if known.state else limit)
    if not holds and known.state and (a.cut or b.cut) and gap <= end + max(*a.whole[:2], *b.whole[:2]):
        return _UNSEEN  # what is hidden of them may be nearer
    return Reading(holds, {"distance_px": gap})


def _beside(condition: Beside, memory: Memory, key: Key, known: Settled) -> Reading:
    a, b = (memory.marks[mark] for mark in key)
    if not (a.visible and b.visible):
        return _lapsed(memory, a, b)
    if condition.side in ("right_of", "below"):
        a, b = b, a
    axis = 0 if condition.side in ("left_of", "right_of") else 1
    slack = 3 * memory.pixel if known.state else 0.0
    said = {_is_before(p, q, axis, slack) for p in a.boxes() for q in b.boxes()}
    return Reading(said.pop()) if len(said) == 1 else _UNSEEN  # what is hidden of them decides


def _is_before(a: Sequence[float], b: Sequence[float], axis: int, slack: float) -> bool:
    middle, other_middle = (a[axis] + a[axis + 2]) / 2, (b[axis] + b[axis + 2]) / 2
    return middle < b[axis] + slack and a[axis + 2] < other_middle + slack


def _changes_color(condition: ChangesColor, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    if not mark.visible or (mark.cut and mark.row.area < 0.5 * mark.whole[2]):
        return _UNSEEN
    shares = mark.row.colors
    main = max(range(len(COLORS)), key=shares.__getitem__)
    if condition.to is not None:
        wanted = COLORS.index(condition.to)
        rival = max(share for k, share in enumerate(shares) if k != wanted)
        lead = shares[wanted] - rival
        values: dict[str, Value] = {"from": str(known.base or COLORS[main]), "to": condition.to}
        if lead <= 0:
            known.base = COLORS[main]
        return Reading(lead > (-_LEAD if known.state else _LEAD), values)
    if known.base is None or known.fired:
        known.base, known.fired = COLORS[main], False
    base = COLORS.index(str(known.base))
    return Reading(shares[main] - shares[base] > _LEAD, {"from": COLORS[base], "to": COLORS[main]})


def _changes_size(condition: ChangesSize, memory: Memory, key: Key, known: Settled) -> Reading:
    mark = memory.marks[key[0]]
    x0, y0, x1, y1 = mark.row.box
    now = float(mark.row.area), x1 - x0, y1 - y0, any(mark.at)
    # What shrinks beside another thing may as well go behind it.
    if not mark.visible or mark.cut:
        return _UNSEEN
    if known.base is None or known.fired:
        if memory.now.time - mark.first_s < _FORGET_S:
            return _UNSEEN  # it may just be coming out from behind something
        known.base, known.fired = now, False
    base: Any = known.base
    ratio = now[0] / base[0]
    holds = ratio >= condition.factor if condition.factor > 1 else ratio <= condition.factor
    if holds and ratio > 1 and base[3] and min(now[1] / base[1], now[2] / base[2]) < _EVENLY * ratio**0.5:
        known.base = now  # it was beside another mark, and has come out from behind it
        return _UNSEEN
    return Reading(holds, {"factor": ratio})


def _lapsed(memory: Memory, *marks: Followed) -> Reading:
    """Not seen: it goes on as it was for a while."""
    unseen = [mark.lost_s for mark in marks if not mark.visible]
    return Reading(False) if unseen and memory.now.time - min(unseen) > _FORGET_S else _UNSEEN


_READERS: dict[str, Callable[[Any, Memory, Key, Settled], Reading]] = {
    "appears": _appears,
    "leaves": _leaves,
    "comes_back": _comes_back,
    "moves": _moves,
    "stops": _stops,
    "faster": _faster,
    "slower": _slower,
    "enters": _enters,
    "exits": _exits,
    "near": _near,
    "touches": _touches,
    "beside": _beside,
    "changes_color": _changes_color,
    "changes_size": _changes_size,
}
