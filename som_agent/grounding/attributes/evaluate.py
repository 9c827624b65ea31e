"""Query tree → truth values over a `Table`, and from them marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from som_agent.colors import COLOR_TERMS
from som_agent.grounding.attributes import hidden, motion, predicates, relations
from som_agent.grounding.attributes.query import (
    HIDING,
    Absent,
    AllOf,
    Always,
    AnyOf,
    Best,
    Compare,
    Event,
    Filter,
    HasColor,
    Is,
    Moves,
    Not,
    Place,
    Related,
    Selector,
    Size,
    Visible,
    leaves,
    needs_unseen,
)
from som_agent.grounding.attributes.table import Bools, Floats, Ints, Table, rows_of, spans
from som_agent.grounding.intervals import GAP_S, breaks

__all__ = ["BY_FRAME", "Evaluator"]

BY_FRAME = ("x", "y", "centre")
"""Keys that are ranked anew in every frame; by the others a mark has one value."""

_LASTING = (HasColor, Size)


@dataclass(frozen=True)
class Evaluator:
    """Computes filters in a stretch of time.

    Attributes:
        table: all rows.
        frames: frames that are asked about, `[F] bool`.
        by_row: read "not" row by row, as questions about when something holds need it. Otherwise "not" is
            about whole marks: the marks that are not red are those that "which marks are red" leaves.
    """

    table: Table
    frames: Bools
    by_row: bool = False

    @property
    def base(self) -> Bools:
        """The rows that may hold: seen, and at the times asked about."""
        return self.table.seen & self.frames[self.table.frame]

    def rows(self, filter_: Filter | None, base: Bools | None = None) -> Bools:
        """Rows among `base` where the filter holds, `[R] bool`."""
        table = self.table
        base = self.base if base is None else base
        match filter_:
            case None | Visible():
                return base
            case Absent():
                return ~table.seen & self.frames[table.frame]
            case Is(marks):
                return base & np.isin(table.marks[table.owner], marks)
            case HasColor():
                return base & predicates.has_color(table, filter_)
            case Size():
                return base & predicates.has_size(table, filter_, base)
            case Place():
                return base & predicates.is_at(table, filter_)
            case Moves():
                return base & predicates.is_moving(table, filter_)
            case Event():
                return base & predicates.events(table, filter_)
            case Best():
                return self._best(filter_, base)
            case Compare(key, sign, to):
                others = self.select(to)
                return relations.compare(self.values(key, base | others), table, sign, base, others)
            case Related(kind, to) if kind in HIDING:
                visibly = HIDING[kind]
                held = hidden.rows(self, filter_)
                return held | base & self.rows(replace(filter_, kind=visibly), base) if visibly else held
            case Related(kind, to):
                return base & relations.related(table, kind, base, self.select(to))
            case Not(of):
                held = self.rows(of, base)
                return base & ~(held if self.by_row else self.decide(of, held)[table.owner])
            case Always(of):
                return self._always(of, base)
            case AllOf(of):
                several = [part for part in of if isinstance(part, Event)]
                unseen = any(needs_unseen(part) for part in of)
                kept = [part for part in of if unseen and isinstance(part, (*_LASTING, Is))]
                before: list[Filter] = []
                for part in of:
                    if part in kept or (len(several) > 1 and part in several):
                        continue
                    if isinstance(part, Best):  # a ranking is among the marks that the others leave
                        base = base & self.decide(replace(filter_, of=tuple(before)), base)[table.owner]
                    out_of_sight = needs_unseen(part) and not any(needs_unseen(one) for one in before)
                    before.append(part)
                    held = self.rows(part, base)
                    base = held if out_of_sight else base & held
                base = base & self._ever(kept)
                return self._each_happens(several, base) if len(several) > 1 else base
            case AnyOf(of):
                return np.asarray(np.any([self.rows(part, base) for part in of], axis=0))

    def decide(self, filter_: Filter | None, held: Bools) -> Bools:
        """Whether the filter holds of each mark, `[M] bool`, and not just for a flicker.

        It must hold at half of the mark's sights in the time asked about or for half a second in all; a
        colour or a size, which a thing keeps, at a third of them or for two seconds. An event happens or not.
        """
        table = self.table
        count = np.bincount(table.owner[held], minlength=len(table.marks))
        parts = [
            part for part in leaves(filter_) if not isinstance(part, Best) or part.key in BY_FRAME
        ]  # the places of the other rankings are marks
        if isinstance(filter_, AnyOf) and needs_unseen(filter_):
            return np.asarray(np.any([self.decide(p, held & self.rows(p)) for p in filter_.of], axis=0))
        if needs_unseen(filter_) or any(isinstance(part, Event) for part in parts):
            happened: Bools = count > 0
            return happened
        among = np.bincount(table.owner[self.base], minlength=len(table.marks))
        lasting = bool(parts) and all(isinstance(part, _LASTING) for part in parts)
        share, seconds = (1 / 3, 2.0) if lasting else (0.5, 0.5)
        enough: Bools = (count > 0) & ((count >= share * among) | (count * table.step >= seconds))
        return enough

    def throughout(self, filter_: Filter, held: Bools) -> Bools:
        """Whether what holds in rows `held` goes on through all of the time asked about, `[M] bool`.

        Gaps of no more than half a second are forgiven, also at the ends, as long as it holds half of the
        time; only what is not seen at all counts as out of sight throughout. To be visible, or out of sight,
        is asked of every frame; anything else of those that show the mark.
        """
        table = self.table
        unseen = needs_unseen(filter_)
        every_frame = unseen or any(isinstance(part, Visible) for part in leaves(filter_))
        found = np.zeros(len(table.marks), bool)
        for rows in rows_of(np.where(held, table.owner, -1)):
            owner = table.owner[rows[0]]
            asked = self.frames if every_frame else self.base & (table.owner == owner)
            at = np.flatnonzero(asked) if every_frame else table.frame[asked]
            if unseen:
                found[owner] = len(rows) == asked.sum()
                continue
            found[owner] = _goes_on(np.searchsorted(at, table.frame[rows]), table.clock[at])
        return found

    def _always(self, of: Filter, base: Bools) -> Bools:
        """Rows of the marks of which it holds throughout."""
        table = self.table
        held = replace(self, by_row=True).rows(of)
        chosen = self.throughout(of, held)
        if isinstance(of, Not) and isinstance(of.of, Related) and of.of.kind in HIDING:  # "never under [6]"
            chosen = np.bincount(table.owner[self.rows(of.of)], minlength=len(table.marks)) == 0
            held = base
        if of == Not(Moves()):
            chosen &= np.isnan(motion.moved_unseen(table, self.base)) & ~self.decide(
                Moves(), self.rows(Moves())
            )
        rows = held if needs_unseen(of) else base
        return rows & chosen[table.owner]

    def select(self, selector: Selector) -> Bools:
        """Rows of the marks that are described, `[R] bool`; of one mark where one is meant and stands out."""
        held = self.rows(selector.filter)
        chosen = self.decide(selector.filter, held)
        if not selector.plural:
            chosen = self.narrow(selector.filter, held, chosen)
        return held & chosen[self.table.owner]

    def narrow(self, filter_: Filter | None, held: Bools, chosen: Bools) -> Bools:
        """One mark of several, where it stands out threefold; else all of them, `[M] bool`.

        Of a colour a mark must first have at least half of the share that another has; then the measure is
        the share times the mark's area, summed over time. For a place in a ranking it is the time. Other
        filters tell marks apart by yes or no only.
        """
        if chosen.sum() < 2:
            return chosen
        table = self.table
        parts = list(leaves(filter_, related=False))
        colors = [part for part in parts if isinstance(part, HasColor)]
        ranked = any(
            (isinstance(part, Best) and part.count == 1)
            or (isinstance(part, Related) and part.kind in _ONE_ONLY)
            for part in parts
        )
        if ranked:
            weight = held.astype(np.float64)
        elif colors and not any(isinstance(part, Is | Not) for part in parts):
            strength = np.max([predicates.color_strength(table, part.term) for part in colors], axis=0)
            weight = held * strength * table.areas
            share = self._mean(strength)
            chosen = chosen & (2 * share > np.max(share[chosen]))
            if chosen.sum() < 2:
                return chosen
        else:
            return chosen
        total = np.bincount(table.owner, weights=weight, minlength=len(table.marks)) * chosen
        order = np.argsort(-total, kind="stable")
        if total[order[0]] < 3 * total[order[1]]:
            return chosen
        single = np.zeros_like(chosen)
        single[order[0]] = True
        return single

    def values(self, key: str, base: Bools) -> Floats:
        """One value a mark by a key that does not change from frame to frame, `[M] float64`; NaN for none."""
        table = self.table
        if key in ("seen", "last", "return", "duration", "path"):
            return self._over_time(key, base)
        if key in COLOR_TERMS:
            among = np.bincount(table.owner[base], minlength=len(table.marks))
            shares = self._mean(predicates.color_strength(table, key))
            return np.asarray(np.where(among > 0, shares, np.nan))
        if key == "speed":  # the mean: a mark that rests and then runs is faster than one that only rests
            count = np.bincount(table.owner[base], minlength=len(table.marks))
            total = np.bincount(table.owner[base], weights=table.speeds[base], minlength=len(table.marks))
            return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
        return predicates.mark_medians(table, self._column(key), base)

    def _ever(self, kept: Sequence[Filter]) -> Bools:
        """Rows of the marks of which it holds at some time, `[R] bool`: a red thing is red in the dark."""
        ever = replace(self, frames=np.ones(len(self.table.clock), bool))
        chosen = np.ones(len(self.table.marks), bool)
        for part in kept:
            chosen &= ever.decide(part, ever.rows(part))
        return np.asarray(chosen[self.table.owner])

    def _mean(self, values: Floats) -> Floats:
        """Mean of a value of each row over a mark's sights, the larger ones counting more, `[M] float64`."""
        table, base = self.table, self.base
        weight = np.where(base, table.areas + 1e-6, 0.0)
        total = np.bincount(table.owner, weights=weight, minlength=len(table.marks))
        product = np.bincount(table.owner, weights=weight * values, minlength=len(table.marks))
        return np.asarray(product / np.maximum(total, 1e-9))

    def _column(self, key: str) -> Floats:
        """The value of each row by a key of its box, `[R] float64`."""
        table = self.table
        match key:
            case "area":
                return table.areas
            case "width":
                return np.asarray(table.boxes[:, 2] - table.boxes[:, 0])
            case "height":
                return np.asarray(table.boxes[:, 3] - table.boxes[:, 1])
            case "x":
                return table.centres[:, 0]
            case "y":
                return table.centres[:, 1]
            case "centre":
                return np.asarray(np.hypot(*(table.centres - np.array(table.history.size) / 2).T))
        raise KeyError(key)

    def _over_time(self, key: str, base: Bools) -> Floats:
        table = self.table
        values = np.full(len(table.marks), np.nan)
        returns = predicates.events(table, Event("return")) if key == "return" else base
        for rows in rows_of(np.where(base & returns, table.owner, -1)):
            t, owner = table.times[rows], table.owner[rows[0]]
            match key:
                case "seen" | "return":
                    values[owner] = t[0]
                case "last":
                    values[owner] = t[-1]
                case "duration":
                    values[owner] = sum(b - a + table.step for a, b in spans(table, rows))
                case "path":
                    values[owner] = table.speeds[rows].sum() * max(table.step, 1e-9)
        return values

    def _each_happens(self, events: list[Event], base: Bools) -> Bools:
        """The rows of several events, of the marks to which all of them happen, each in its own time."""
        table = self.table
        happens = [self.rows(event, base) for event in events]
        counts = [np.bincount(table.owner[rows], minlength=len(table.marks)) for rows in happens]
        return np.asarray(np.any(happens, axis=0) & np.all(counts, axis=0)[table.owner])

    def _best(self, best: Best, base: Bools) -> Bools:
        """The rows of the marks at the asked places of a ranking; marks seen first together are all first."""
        table = self.table
        if best.key not in BY_FRAME:
            value = self.values(best.key, base)
            if best.key in COLOR_TERMS or (best.key in ("speed", "path") and best.sign < 0):
                # a mark seen for less than half a second is no measure where others are seen for longer
                long = np.bincount(table.owner[self.base], minlength=len(value)) * table.step >= GAP_S
                value = np.where(long | ~(long & ~np.isnan(value)).any(), value, np.nan)
            order = [i for i in np.argsort(-best.sign * value, kind="stable") if not np.isnan(value[i])]
            places = order[best.rank : best.rank + best.count]
            if best.key in _MOMENTS:
                places = [i for i in order if value[i] in value[places]]
            return np.asarray(base & np.isin(table.owner, places))
        rows = np.flatnonzero(base)
        held = np.zeros(len(table), bool)
        if len(rows):
            value = self._column(best.key)[rows]
            by_rank = np.lexsort((rows, -best.sign * value, table.frame[rows]))
            frame = table.frame[rows][by_rank]
            first = np.searchsorted(frame, frame, side="left")
            place = np.arange(len(by_rank)) - first
            held[rows[by_rank[(place >= best.rank) & (place < best.rank + best.count)]]] = True
        return held


def _goes_on(held: Ints, times: Floats) -> bool:
    """Whether what holds at some of these times, `held` telling which, goes on from the first to the last."""
    inner = bool(breaks(held, times[held])[1:].any())
    ends = max(times[held[0]] - times[0], times[-1] - times[held[-1]])
    return not inner and ends <= GAP_S and 2 * len(held) >= len(times)


_MOMENTS = ("seen", "last", "return")
_ONE_ONLY = ("nearest to", "farthest from")
