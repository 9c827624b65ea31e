"""The whole calibration: draw, ask, count, choose."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from som_agent.lmm.calibration.choose import choose, reads_as_well
from som_agent.lmm.calibration.scenes import SIZE, Scene, draw_scene
from som_agent.lmm.calibration.trial import INSTRUCTION, Score, Shown, read_marks, score, shown
from som_agent.lmm.profiles import Profile
from som_agent.lmm.stored import Calibration, Cell
from som_agent.marks.view import View

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["DRAWS", "QUICK", "Cost", "Draw", "Plan", "cost", "measure", "smaller_view"]

Draw = tuple[str, ...]
"""The parts of a mark, as `MarkStyle.draw`."""
DRAWS: tuple[Draw, ...] = (("mark",), ("mark", "contour"), ("mark", "box"), ("mark", "mask", "contour"))
"""Ways to draw marks; the first of two that draw as much wins a tie."""
SMALLER = 2 / 3
"""The smaller pictures have sides of this part of the family's."""
_LEAST_MARKS = 8  # of a cell: one picture with four says too little
_REPLY_TOKENS = 8  # of a line of the list


@dataclass(frozen=True)
class Plan:
    """What is asked.

    Attributes:
        draws: ways to draw marks.
        densities: marks in a picture, rising.
        scenes: pictures of each way and density; those with few marks come more often, to at least eight.
        seed: of the scenes.
        smaller: whether smaller pictures are tried, where they cost the model less.
    """

    draws: tuple[Draw, ...] = DRAWS
    densities: tuple[int, ...] = (4, 8, 16, 30)
    scenes: int = 1
    seed: int = 0
    smaller: bool = True

    def pictures(self, density: int) -> int:
        """Pictures of one cell."""
        return self.scenes * math.ceil(_LEAST_MARKS / density)

    def drawn(self, density: int) -> Iterator[Scene]:
        """The scenes of one cell, the same for all ways to draw."""
        for index in range(self.pictures(density)):
            yield draw_scene(density, self.seed, index)


QUICK = Plan(densities=(8, 16), smaller=False)
"""Eight pictures, for a first impression or a slow model."""


@dataclass(frozen=True)
class Cost:
    """What a calibration takes, estimated before it: at most so many pictures, and tokens read and written.

    `usd` is None where the price is not known.
    """

    pictures: int
    tokens_in: int
    tokens_out: int
    usd: float | None


def cost(profile: Profile, plan: Plan) -> Cost:
    """What the plan takes at most with a model of this profile."""
    smaller = smaller_view(profile) if plan.smaller else None
    each = {density: plan.pictures(density) for density in plan.densities}
    rounds = [(profile, len(plan.draws))] + ([(replace(profile, view=smaller), 1)] if smaller else [])
    pictures = tokens_in = tokens_out = 0
    for seen, ways in rounds:
        count = ways * sum(each.values())
        pictures += count
        tokens_in += count * seen.tokens(INSTRUCTION, [seen.view.size(SIZE)])
        tokens_out += ways * _REPLY_TOKENS * sum(density * n for density, n in each.items())
    price = profile.price
    return Cost(pictures, tokens_in, tokens_out, price(tokens_in, tokens_out) if price else None)


def smaller_view(profile: Profile) -> View | None:
    """A smaller view for the model; None where smaller pictures would save it no tokens."""
    view = profile.view
    smaller = replace(
        view,
        long_px=round(SMALLER * view.long_px),
        short_px=None if view.short_px is None else round(SMALLER * view.short_px),
        pixels=None if view.pixels is None else round(SMALLER**2 * view.pixels),
    )
    saves = profile.picture_tokens(smaller.size(SIZE)) < profile.picture_tokens(view.size(SIZE))
    return smaller if saves else None


def measure(
    model: BaseChatModel,
    name: str,
    profile: Profile,
    plan: Plan | None = None,
    *,
    on_picture: Callable[[], None] = lambda: None,
) -> Calibration:
    """Find out how well a model reads marks, and how they are best drawn for it.

    Args:
        model: the chat model.
        name: what it is called in errors.
        profile: what is known of its family: `profile_of(model, name, stored=False)`.
        plan: what is asked.
        on_picture: called after each reply.

    Raises:
        AnswererError: the model could not be reached, or refused a request.
    """
    from som_agent import __version__

    plan = plan or Plan()

    def cells(draws: Sequence[Draw], view: View, densities: Sequence[int]) -> list[Cell]:
        read = partial(_read, model, name, profile, on_picture)
        return [cell for density in densities for cell in _cells(read, plan, draws, view, density)]

    view = profile.view
    measured = cells(plan.draws, view, plan.densities)
    choice = choose(measured)
    chosen, read = replace(view, marks=choice.marks), choice.marks_read
    smaller = smaller_view(profile)
    if plan.smaller and choice.reads and smaller is not None:
        larger = [cell for cell in measured if cell.draw == choice.draw and cell.density <= choice.marks]
        again = cells([choice.draw], smaller, [cell.density for cell in larger])
        measured += again
        if reads_as_well(again, larger):
            chosen = replace(smaller, marks=choice.marks)
            read = sum(cell.right for cell in again) / max(sum(cell.marks for cell in again), 1)
    return Calibration(
        date=datetime.date.today().isoformat(),
        som_agent=__version__,
        seed=plan.seed,
        marks_read=round(read, 4),
        guessing=round(choice.guessing, 4),
        view=chosen if choice.reads else None,
        draw=choice.draw if choice.reads else None,
        measured=tuple(measured),
    )


def _read(
    model: BaseChatModel, name: str, profile: Profile, on_picture: Callable[[], None], picture: Shown
) -> Score:
    counted = score(picture, read_marks(model, name, profile, picture.image))
    on_picture()
    return counted


def _cells(
    read: Callable[[Shown], Score], plan: Plan, draws: Sequence[Draw], view: View, density: int
) -> list[Cell]:
    """A cell for each way to draw: the same scenes for all, one at a time."""
    scores: dict[Draw, list[Score]] = {draw: [] for draw in draws}
    for scene in plan.drawn(density):
        for draw in draws:
            scores[draw].append(read(shown(scene, draw, view)))
    return [_added(draw, max(view.size(SIZE)), density, scores[draw]) for draw in draws]


def _added(draw: Draw, long_px: int, density: int, scores: Sequence[Score]) -> Cell:
    marks = sum(one.marks for one in scores)
    return Cell(
        draw=draw,
        long_px=long_px,
        density=density,
        pictures=len(scores),
        marks=marks,
        right=sum(one.right for one in scores),
        right_color=sum(one.right_color for one in scores),
        right_shape=sum(one.right_shape for one in scores),
        invented=sum(one.invented for one in scores),
        guessing=round(sum(one.guessing for one in scores) / max(marks, 1), 4),
    )
