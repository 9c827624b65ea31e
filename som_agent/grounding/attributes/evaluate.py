"""Query tree → truth values over a `Table`, and from them marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from som_agent.grounding.attributes import predicates, relations
from som_agent.grounding.attributes.query import (
    Absent,
    AllOf,
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
)
from som_agent.grounding.attributes.table import Bools, Floats, Table, rows_of, spans

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
            case Related(kind, to):
                return base & relations.related(table, kind, base, self.select(to))
            case Not(of):
                held = self.rows(of, base)
                return base & ~(held if self.by_row else self.decide(of, held)[table.owner])
            case AllOf(of):
                several = [part for part in of if isinstance(part, Event)]
                for part in of:
                    if len(several) > 1 and part in several:
                        continue
                    held = self.rows(part, base)
                    base = held if isinstance(part, Absent) else base & held
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
        parts = list(leaves(filter_))
        if any(isinstance(part, Event | Absent) for part in parts):
            happened: Bools = count > 0
            return happened
        among = np.bincount(table.owner[self.base], minlength=len(table.marks))
        lasting = bool(parts) and all(isinstance(part, _LASTING) for part in parts)
        share, seconds = (1 / 3, 2.0) if lasting else (0.5, 0.5)
        enough: Bools = (count > 0) & ((count >= share * among) | (count * table.step >= seconds))
        return enough

    def select(self, selector: Selector) -> Bools:
        """Rows of the marks that are described, `[R] bool`; of one mark where one is meant and stands out."""
        held = self.rows(selector.filter)
        chosen = self.decide(selector.filter, held)
        if not selector.plural:
            chosen = self.narrow(selector.filter, held, chosen)
        return held & chosen[self.table.owner]

    def narrow(self, filter_: Filter | None, held: Bools, chosen: Bools) -> Bools:
        """One mark of several, where it stands out threefold; else all of them, `[M] bool`.

        For a colour the measure is its share times the mark's area, summed over time; for a place in a
        ranking it is the time. Other filters tell marks apart by yes or no only.
        """
        if chosen.sum() < 2:
            return chosen
        table = self.table
        parts = list(leaves(filter_))
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
        if key == "speed":  # the mean: a mark that rests and then runs is faster than one that only rests
            count = np.bincount(table.owner[base], minlength=len(table.marks))
            total = np.bincount(table.owner[base], weights=table.speeds[base], minlength=len(table.marks))
            return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
        return predicates.mark_medians(table, self._column(key), base)

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


_MOMENTS = ("seen", "last", "return")
_ONE_ONLY = ("nearest to", "farthest from")
