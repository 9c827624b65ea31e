"""`som-agent eval davis|tracks|puzzles`: how good it is on videos with ground truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from som_agent.cli.options import Discover, Embedder, Granularity, Json, Propagator, Size
from som_agent.cli.output import print_json, progress
from som_agent.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from som_agent.evaluation.davis import DavisScore
    from som_agent.regions import BoolArray
    from som_agent.tracking.propagators import base
    from som_agent.video import Frame

__all__ = ["evaluate"]

BASELINE = "warp"
"""The propagator that the others are shown beside."""

evaluate = typer.Typer(
    name="eval", help="Measure on videos with true masks, real ones or drawn ones.", no_args_is_help=True
)

Root = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help="A folder with JPEGImages/NAME/*.jpg and Annotations/NAME/*.png.",
        show_default=False,
    ),
]
Sequences = Annotated[
    str | None, typer.Option(metavar="A,B", help="Names of videos with commas between them; all if left out.")
]


@evaluate.command()
def tracks(
    root: Root,
    sequences: Sequences = None,
    segmenter: Annotated[
        str, typer.Option(help="labels (the true masks, shuffled), hierarchy, or any other segmenter.")
    ] = "hierarchy",
    granularity: Granularity = None,
    propagator: Propagator = "",
    discover: Discover = 5,
    embedder: Embedder = "",
    size: Size = 480,
    json: Json = False,
) -> None:
    """Objects found and numbers kept without any help: HOTA, IDF1, ID switches, STQ and J.

    The segmenter `labels` stands for the true masks in an order of chance, without their numbers: then only
    the tracker is measured.
    """
    from functools import partial

    from som_agent.evaluation.tracks import (
        ORACLE,
        chosen,
        frame_count,
        score_sequence,
        scores_json,
        tables,
    )
    from som_agent.segmenters import load_segmenter
    from som_agent.session import Session
    from som_agent.settings import Settings
    from som_agent.tracking import load_embedder

    if segmenter == ORACLE and granularity is not None:
        raise InputError(f"--granularity {granularity:g}: the true masks have none")
    names = chosen(root, sequences)
    # A network is loaded once, not once a video.
    found_by = segmenter if segmenter == ORACLE else load_segmenter(segmenter, granularity=granularity)
    new_session = partial(
        Session,
        settings=Settings(size=size, propagator=propagator, discover_every=discover, embedder=embedder),
        embedder=load_embedder(embedder) if embedder else None,
    )
    with progress("tracking", frame_count(root, names)) as advance:
        scores = [
            score_sequence(root, name, found_by, new_session=new_session, on_frame=advance) for name in names
        ]
    if json:
        print_json(scores_json(scores, segmenter))
    else:
        _print(tables(scores, segmenter))


@evaluate.command()
def davis(
    root: Root,
    sequences: Sequences = None,
    propagator: Annotated[
        str, typer.Option(metavar="NAME", help="What carries the masks: flow, warp or hf:REPO_OR_DIR.")
    ] = "flow",
    size: Size = 480,
    json: Json = False,
) -> None:
    """The masks of the first frame carried through: J, F and J&F of DAVIS 2017, semi-supervised.

    The table shows plain warping by optical flow beside it.
    """
    from som_agent.evaluation.davis import scores_json, table
    from som_agent.evaluation.tracks import chosen

    names = chosen(root, sequences)
    scores = _carried(root, names, propagator, size)
    if json:
        print_json(scores_json(scores))
    else:
        baseline = None if propagator == BASELINE else _carried(root, names, BASELINE, size)
        _print([table(scores, baseline)])


@evaluate.command()
def puzzles(
    kinds: Annotated[
        str, typer.Option(metavar="A,B", help="Kinds of puzzles with commas between them.")
    ] = "cups,leavers,crowd",
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Puzzles of each kind.")] = 20,
    first: Annotated[int, typer.Option(metavar="SEED", min=0, help="Seed of the first one.")] = 0,
    json: Json = False,
) -> None:
    """Small drawn videos that are hard on numbers: alike cups that swap, things that leave, crowds.

    The tracker gets the true segments in an order of chance. Where a ball is under a cup, the share of right
    answers to where it is is shown too.
    """
    from som_agent.evaluation.puzzled import (
        chosen_kinds,
        frame_count,
        score_puzzle,
        scores_json,
        table,
    )

    names, numbers = chosen_kinds(kinds), range(first, first + seeds)
    with progress("solving puzzles", frame_count(names, numbers)) as advance:
        scores = [score_puzzle(kind, seed, on_frame=advance) for kind in names for seed in numbers]
    if json:
        print_json(scores_json(scores))
    else:
        _print([table(scores)])


def _carried(root: Path, names: Sequence[str], propagator: str, size: int) -> DavisScore:
    from som_agent.evaluation.davis import score_davis
    from som_agent.evaluation.tracks import frame_count
    from som_agent.tracking import load_propagator

    with progress(f"carrying: {propagator}", frame_count(root, names)) as advance:
        return score_davis(root, names, lambda: _Counted(load_propagator(propagator), advance), size)


class _Counted:
    """A propagator that tells when it took a frame."""

    def __init__(self, inner: base.Propagator, on_frame: Callable[[], None]) -> None:
        self.name = inner.name
        self.inner = inner
        self.on_frame = on_frame

    def fresh(self) -> _Counted:
        return _Counted(self.inner.fresh(), self.on_frame)

    def step(self, frame: Frame) -> base.Propagated:
        propagated = self.inner.step(frame)
        self.on_frame()
        return propagated

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        self.inner.put(ids, masks)

    def drop(self, ids: Sequence[int]) -> None:
        self.inner.drop(ids)


def _print(shown: Sequence[Table]) -> None:
    from rich.console import Console

    console: Any = Console()
    for table in shown:
        console.print(table)
