"""What is said of the way that marks go: how far, and in which direction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from som_agent.grounding.attributes import motion
from som_agent.grounding.attributes.query import Moves
from som_agent.grounding.attributes.reports import Case, Report, ground, subject
from som_agent.grounding.attributes.table import Bools
from som_agent.grounding.attributes.wording import capital

__all__ = ["direction", "travel"]

_BACK = 0.2  # a mark that ends within this part of its way comes back


def travel(case: Case) -> Report:
    """Length of the way in pixels, and how far from its start it ends."""

    def say(length: float, x: float, y: float) -> str:
        away = float(np.hypot(x, y))
        where = f", to the {motion.direction(x, y)}" if abs(x) > 2 * abs(y) else f", {motion.direction(x, y)}"
        return (
            f"moves about {length:.0f} px in all while in view and ends about {away:.0f} px from "
            f"where it started{where if away >= _BACK * length else ''}"
        )

    return _told(case, say)


def direction(case: Case) -> Report:
    """Left, right, up or down, by where the way ends."""

    def say(length: float, x: float, y: float) -> str:
        away = float(np.hypot(x, y))
        if away < _BACK * length:
            return f"moves about {length:.0f} px to and fro and ends about where it started"
        return f"moves {motion.direction(x, y)}, by about {away:.0f} px"

    return _told(case, say)


def _told(case: Case, say: Callable[[float, float, float], str]) -> Report:
    """One clause a mark; `say` words the length of its way and the x and y from its start to its end."""
    marks, held, moving = _movers(case)
    parts = []
    for mark in marks:
        rows = case.rows(mark, held)
        length, (x, y) = motion.way(case.table, rows, moving)
        moves = moving[rows].any() or x != 0 or y != 0
        parts.append(f"{case.namer.cite([mark])} {say(length, x, y) if moves else 'does not move'}")
    return f"{capital('; '.join(parts))}.", [ground(case, mark, held) for mark in marks]


def _movers(case: Case) -> tuple[list[int], Bools, Bools]:
    """Marks that are asked about, their rows, and the rows that count as motion.

    Motion that is too short to say of a mark that it moves does not count. Where no mark is described, it
    is about those that move.
    """
    marks, held = subject(case)
    rows = case.evaluator.rows(Moves(), held)
    moves = case.evaluator.decide(Moves(), rows)
    if case.query.subject.filter is None and moves.any():
        marks = [mark for mark in marks if moves[np.searchsorted(case.table.marks, mark)]]
    return marks, held, rows & moves[case.table.owner]
