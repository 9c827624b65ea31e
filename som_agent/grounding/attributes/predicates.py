"""Attributes of single marks as truth values per row of a `Table`: colour, size, place, motion, events."""

from __future__ import annotations

import numpy as np

from som_agent.colors import COLOR_TERMS
from som_agent.grounding.attributes.query import Event, HasColor, Moves, Place, Size
from som_agent.grounding.attributes.table import Bools, Floats, Table, rows_of
from som_agent.grounding.intervals import GAP_S

__all__ = [
    "color_strength",
    "events",
    "has_color",
    "has_size",
    "is_at",
    "is_moving",
    "mark_medians",
]

_MOVING = 0.02  # a mark moves when it goes faster than this, in picture diagonals a second
_FAST = 0.2

# What highlights and shade of a colour are named: they may complete a share that is too small by itself.
_KIN = {
    "red": ("pink", "brown"),
    "orange": ("brown", "yellow"),
    "yellow": ("orange", "brown", "white"),
    "green": ("black",),
    "blue": ("grey", "white", "black"),
    "purple": ("blue", "pink"),
    "pink": ("red", "white"),
    "brown": ("black", "orange"),
    "white": ("grey",),
}
_NEUTRAL = [COLOR_TERMS.index(term) for term in ("black", "white", "grey")]


def color_strength(table: Table, term: str) -> Floats:
    """Share of the mark that a colour term names, `[R] float64`, percent, averaged over half a second."""
    return table.steady_shares[:, COLOR_TERMS.index(term)]


def has_color(table: Table, of: HasColor) -> Bools:
    """A mark has a colour where the term names 40 % of its pixels.

    30 % is enough where no other term but black, white and grey names more, and the term together with
    those that its own highlights and shade are given (pink and brown for red) names 60 %. Most of a round
    white thing is in its own shade and named grey: 15 % are enough where nearly all the rest is grey.
    """
    shares = table.steady_shares
    column = COLOR_TERMS.index(of.term)
    own: Floats = shares[:, column]
    kin = [COLOR_TERMS.index(term) for term in _KIN.get(of.term, ())]
    rivals = [i for i in range(len(COLOR_TERMS)) if (i in _NEUTRAL) == (column in _NEUTRAL)]
    leads = own >= shares[:, rivals].max(axis=1, initial=0)
    family = own + shares[:, kin].sum(axis=1)
    held: Bools = (own >= 40) | (own >= 30) & leads & (family >= 60)
    if of.term == "white":
        held |= (own >= 15) & (family >= 85)
    return held


def mark_medians(table: Table, values: Floats, base: Bools) -> Floats:
    """Median of `values` over each mark's rows in `base`, `[M] float64`; NaN where it has none."""
    medians = np.full(len(table.marks), np.nan)
    for rows in rows_of(np.where(base, table.owner, -1)):
        medians[table.owner[rows[0]]] = np.median(values[rows])
    return medians


def has_size(table: Table, of: Size, base: Bools) -> Bools:
    """Big: twice the median mark, or a tenth of the picture and no less than the median mark.

    Small: half the median mark, or a hundredth of the picture and no more than the median mark. A mark's
    size is the median of its areas among the rows asked about.
    """
    area = mark_medians(table, table.areas, base)
    known = area[~np.isnan(area)]
    if not len(known):
        return np.zeros(len(table), bool)
    middle = float(np.median(known))
    picture = table.history.size[0] * table.history.size[1]
    alone = len(known) == 1
    if of.word == "big":
        chosen = (area >= 2 * middle) & (not alone) | (area >= 0.1 * picture) & (area >= middle)
    else:
        chosen = (area <= middle / 2) & (not alone) | (area <= 0.01 * picture) & (area <= middle)
    return np.asarray(chosen[table.owner])


def is_at(table: Table, of: Place) -> Bools:
    """Where the box centre is.

    Left is left of 40 % of the width, right is right of 60 %; the centre is the middle third both ways; a
    corner is the outer quarter both ways. At the edge means that the box reaches the border.
    """
    width, height = (max(side, 1) for side in table.history.size)
    x, y = table.centres[:, 0] / width, table.centres[:, 1] / height
    tests = {
        "left": x < 0.4,
        "right": x > 0.6,
        "top": y < 0.4,
        "bottom": y > 0.6,
        "left half": x < 0.5,
        "right half": x > 0.5,
        "top half": y < 0.5,
        "bottom half": y > 0.5,
        "centre": (np.abs(x - 0.5) <= 1 / 6) & (np.abs(y - 0.5) <= 1 / 6),
        "corner": (np.abs(x - 0.5) >= 1 / 4) & (np.abs(y - 0.5) >= 1 / 4),
        "edge": _at_edge(table, width, height),
    }
    held = np.ones(len(table), bool)
    for word in of.words:
        held &= tests[word]
    return held


def _at_edge(table: Table, width: int, height: int) -> Bools:
    """The box reaches the border of the picture, to one hundredth."""
    near = 0.01 * np.array([width, height])
    low = (table.boxes[:, :2] <= near).any(axis=1)
    return np.asarray(low | (table.boxes[:, 2:] >= np.array([width, height]) - near).any(axis=1))


def is_moving(table: Table, of: Moves) -> Bools:
    """Motion against the picture; see `Table.velocities`."""
    velocity = table.velocities
    speed = table.speeds
    moving = speed > _MOVING
    match of.how:
        case "left" | "right":
            along = velocity[:, 0] * (1 if of.how == "right" else -1)
        case "up" | "down":
            along = velocity[:, 1] * (1 if of.how == "down" else -1)
        case "fast":
            return np.asarray(speed > _FAST)
        case "slow":
            return np.asarray(moving & (speed <= _FAST))
        case _:
            return np.asarray(moving)
    # Half of the speed lies within 60 degrees of the direction.
    return np.asarray((along > _MOVING) & (along >= 0.5 * speed))


def events(table: Table, of: Event) -> Bools:
    """The rows at which the event happens, `[R] bool`.

    "appear" is the first sight of a mark and "last" its last one; "sight" is the start of any span of sights,
    "enter" too, but not at the start of the video, and "return" but for the first; "leave" is the end of a
    span after which the mark stays out of sight for more than half a second, so the last half second of the
    video cannot tell.
    """
    happens = np.zeros(len(table), bool)
    seen_before: set[int] = set()
    for rows in rows_of(table.span_ids):
        owner = int(table.owner[rows[0]])
        first, last = int(rows[0]), int(rows[-1])
        again = owner in seen_before
        seen_before.add(owner)
        match of.kind:
            case "appear":
                happens[first] = not again
            case "enter":
                happens[first] = again or table.times[first] > table.clock[0] + GAP_S
            case "sight":
                happens[first] = True
            case "return":
                happens[first] = again
            case "last":
                happens[table.owner == owner] = False
                happens[last] = True
            case "leave":
                happens[last] = table.times[last] < table.clock[-1] - GAP_S
    return happens
