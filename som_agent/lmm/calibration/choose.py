"""Which marks, how many and how large: chosen from what was read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from som_agent.lmm.stored import Cell

__all__ = ["AS_WELL", "Choice", "choose", "reads_as_well"]

AS_WELL = 0.9
"""A picture with more marks is still read where this part of the accuracy at the fewest is kept."""
_BY_LUCK = 4.0  # standard deviations: what is not farther above guessing is no reading


@dataclass(frozen=True)
class Choice:
    """How marks are drawn for a model.

    Attributes:
        draw: the parts of a mark.
        marks: most marks in one picture.
        marks_read: share read of these, up to so many in a picture.
        guessing: the same by guessing.
        reads: False where luck explains what was read.
    """

    draw: tuple[str, ...]
    marks: int
    marks_read: float
    guessing: float
    reads: bool


def choose(cells: Sequence[Cell]) -> Choice:
    """The best way to draw marks.

    Every density counts alike. Ways whose accuracy is within one standard error of the best (Breiman et al.,
    1984) tie, and of those the one that draws least is taken. How many marks a picture may have, and whether
    the model reads them at all, is told from all that tie: one picture of a kind says little.

    Args:
        cells: at least one, of one size of pictures, each way of drawing with the same densities.
    """
    rows: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.draw, []).append(cell)
    best = max(rows, key=lambda draw: _accuracy(rows[draw]))
    enough = _accuracy(rows[best]) - _error(rows[best])
    alike = [draw for draw in rows if _accuracy(rows[draw]) >= enough]
    tied = [cell for cell in cells if cell.draw in alike]

    densities = sorted({cell.density for cell in tied})
    read = {density: _share(cell for cell in tied if cell.density == density) for density in densities}
    marks = max(density for density in densities if read[density] >= AS_WELL * read[densities[0]])

    counted = [cell for cell in tied if cell.density <= marks]
    lucky = sum(cell.guessing * cell.marks for cell in counted)
    spread = math.sqrt(sum(cell.marks * cell.guessing * (1 - cell.guessing) for cell in counted))
    draw = min(alike, key=len)
    chosen = [cell for cell in counted if cell.draw == draw]
    return Choice(
        draw=draw,
        marks=marks,
        marks_read=_share(chosen),
        guessing=sum(cell.guessing * cell.marks for cell in chosen)
        / max(sum(cell.marks for cell in chosen), 1),
        reads=sum(cell.right for cell in counted) > lucky + _BY_LUCK * spread,
    )


def reads_as_well(smaller: Sequence[Cell], larger: Sequence[Cell]) -> bool:
    """Whether smaller pictures with the same marks are read as well, the most crowded ones too.

    Args:
        smaller: cells of the smaller pictures.
        larger: those of the larger ones with the same densities, in the same order.
    """
    fewest = min(larger, key=lambda cell: cell.density)
    most = max(smaller, key=lambda cell: cell.density)
    return _accuracy(smaller) >= _accuracy(larger) - _error(larger) and most.read >= AS_WELL * fewest.read


def _share(cells: Iterable[Cell]) -> float:
    """Share read of the marks of all the cells together."""
    counts = [(cell.right, cell.marks) for cell in cells]
    return sum(right for right, _ in counts) / max(sum(marks for _, marks in counts), 1)


def _accuracy(cells: Sequence[Cell]) -> float:
    return sum(cell.read for cell in cells) / len(cells)


def _error(cells: Sequence[Cell]) -> float:
    """Standard error of the accuracy; by the rule of succession, since eight of eight is no certainty."""
    variance = 0.0
    for cell in cells:
        share = (cell.right + 1) / (cell.marks + 2)
        variance += share * (1 - share) / max(cell.marks, 1)
    return math.sqrt(variance) / len(cells)
