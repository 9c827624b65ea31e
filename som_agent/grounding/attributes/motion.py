"""What the way of a mark adds up to: how far it goes, where it ends, and whether it moved out of sight."""

from __future__ import annotations

import numpy as np

from som_agent.grounding.attributes.table import Bools, Floats, Ints, Table, rows_of

__all__ = ["direction", "moved_unseen", "way"]

_FAR = 2.0  # how many times its longer side a mark must be elsewhere to have moved while out of sight


def moved_unseen(table: Table, base: Bools) -> Floats:
    """Seconds at which a mark first came back far from where it was last seen, `[M] float64`; NaN for never.

    Args:
        table: all rows.
        base: the sights that count, `[R] bool`.
    """
    back = np.full(len(table.marks), np.nan)
    for rows in rows_of(np.where(base, table.owner, -1)):
        last, first = rows[:-1], rows[1:]
        apart = np.hypot(*(table.centres[first] - table.centres[last]).T)
        sides = np.maximum(_longer(table, last), _longer(table, first))
        moved = (table.span_ids[first] != table.span_ids[last]) & (apart > _FAR * sides)
        if moved.any():
            back[table.owner[rows[0]]] = table.times[first[moved.argmax()]]
    return back


def way(table: Table, rows: Ints, moving: Bools) -> tuple[float, tuple[float, float]]:
    """Length of the way of one mark, and how far right and down of its start it ends, in pixels.

    The way is what the mark goes while it is seen to move. Of a mark that is partly hidden the middle of the
    box says little, so that the end is that of the way, but for leaps while it is out of sight.

    Args:
        table: all rows.
        rows: of the mark, in time order.
        moving: the rows that count as motion, `[R] bool`.
    """
    steps = np.zeros(len(rows))
    same = np.diff(table.span_ids[rows]) == 0
    gaps = np.where(same, np.diff(table.times[rows]), 0.0)
    steps[:-1] += gaps / 2
    steps[1:] += gaps / 2
    pixels = (steps * moving[rows])[:, None] * table.velocities[rows] * table.diagonal
    leaps = (table.centres[rows[1:]] - table.centres[rows[:-1]])[~same]
    x, y = pixels.sum(axis=0) + leaps.sum(axis=0)
    return float(np.hypot(pixels[:, 0], pixels[:, 1]).sum()), (float(x), float(y))


def direction(x: float, y: float) -> str:
    """A direction in words, "left" or "right and up"; the lesser part counts from half of the greater on."""
    across, down = ("left" if x < 0 else "right"), ("up" if y < 0 else "down")
    if abs(x) >= 2 * abs(y):
        return across
    return down if abs(y) > 2 * abs(x) else f"{across} and {down}"


def _longer(table: Table, rows: Ints) -> Floats:
    boxes = table.boxes[rows]
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))
