"""Do numbers hold where they are hardest to keep, and does the answerer know what is hidden under what?

The drawn videos of `som_agent.evaluation.puzzles`, with their true segments in an order of chance in each
frame. Where one thing is hidden in another, it is asked for by the number that it had while it was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError
from som_agent.evaluation.contingency import Contingency, contingency
from som_agent.evaluation.identity import Identity, IdentityScore
from som_agent.evaluation.match import MATCH_IOU, Match
from som_agent.evaluation.puzzles import KINDS, Hidden, make_puzzle
from som_agent.evaluation.shuffled import in_any_order
from som_agent.regions import IntArray, Regions
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["PuzzleScore", "chosen_kinds", "frame_count", "score_puzzle", "scores_json", "table"]


@dataclass(frozen=True)
class PuzzleScore:
    """One puzzle.

    Attributes:
        kind: see `Puzzle`.
        seed: likewise.
        identity: how well its things kept their numbers.
        right: whether the answer names the mark of what the hidden thing is in; None where nothing is hidden.
        answer: the text of the answer, "" where nothing was asked.
    """

    kind: str
    seed: int
    identity: IdentityScore
    right: bool | None = None
    answer: str = ""


class _Segments:
    """The segmenter that gives what was put in last, in an order of chance in each frame."""

    name = "puzzle"
    ready_made = True

    def __init__(self, seed: int) -> None:
        self.labels: IntArray = np.zeros((0, 0), np.int32)
        self._seed = seed

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter`."""
        counts = np.bincount(self.labels.ravel())
        names = 1 + np.flatnonzero(counts[1:])
        lookup = np.zeros(len(counts), np.int32)
        lookup[names] = np.arange(1, len(names) + 1)
        members = np.eye(len(names) + 1, dtype=bool)[1:]
        return in_any_order(Regions.from_atoms(lookup[self.labels], members), self._seed, frame.index)


def chosen_kinds(names: str) -> list[str]:
    """The kinds that names with commas between them mean.

    Raises:
        InputError: one is none of `KINDS`, or there is none.
    """
    kinds = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        problem = f"no kind of puzzle {', '.join(unknown)}" if unknown else "no kind of puzzle is named"
        raise InputError(f"{problem}; there are {', '.join(KINDS)}")
    return kinds


def score_puzzle(
    kind: str,
    seed: int,
    *,
    new_session: Callable[..., Session] = Session,
    on_frame: Callable[[], None] = lambda: None,
) -> PuzzleScore:
    """Track one puzzle by its true segments, and ask for what is hidden in it.

    Args:
        kind: one of `KINDS`.
        seed: the puzzle is made of it, and so is the order of its segments.
        new_session: makes a session of a segmenter and `settings`.
        on_frame: called after each frame.
    """
    puzzle = make_puzzle(kind, seed)
    segments = _Segments(seed)
    session = new_session(segments, settings=Settings(max_marks=max(len(puzzle.objects), 20)))
    match, identity = Match(puzzle.objects), Identity()
    text, right = "", None
    for frame, labels in puzzle:
        segments.labels = labels
        marked = session.step(frame)
        marks = [info.mark for info in marked.infos]
        seen = contingency(marks, marked.source_regions, labels, puzzle.objects)
        match.take(frame.time, seen)
        identity.add(seen)
        if right is None and puzzle.hidden is not None and frame.time >= puzzle.hidden.time_s:
            text, right = _ask(session, puzzle.hidden, match, seen)
        on_frame()
    return PuzzleScore(kind, seed, identity.score(), right, text)


def _ask(session: Session, hidden: Hidden, match: Match, seen: Contingency) -> tuple[str, bool]:
    """The answer to where the hidden thing is, and whether the one other mark in it is on the holder."""
    mark = max(match.marks, key=lambda m: match.iou(m, hidden.thing), default=0)
    if mark == 0 or match.object_of(mark) != hidden.thing:
        return "the hidden thing never had a mark", False
    answer = session.ask(f"Where is [{mark}]?")
    others = [found.mark for found in answer.marks if found.mark != mark]
    on_holder = seen.ious[:, seen.objects.index(hidden.holder)]
    holders = [m for m, iou in zip(seen.marks, on_holder, strict=True) if iou >= MATCH_IOU]
    return answer.text, len(others) == 1 and others[0] in holders


def frame_count(kinds: Iterable[str], seeds: Sequence[int]) -> int:
    """Frames of some puzzles."""
    return sum(make_puzzle(kind, seed).count for kind in kinds for seed in seeds)


def scores_json(scores: Sequence[PuzzleScore]) -> dict[str, Any]:
    """What `som-agent eval puzzles --json` prints: for each kind its puzzles counted together, and each one.

    `answered` is the share of right answers, None for a kind in which nothing is hidden.
    """
    return {
        kind: {
            **_numbers(own),
            "puzzles": {
                str(score.seed): {
                    **_numbers([score]),
                    **({} if score.right is None else {"answer": score.answer}),
                }
                for score in own
            },
        }
        for kind, own in _by_kind(scores).items()
    }


def table(scores: Sequence[PuzzleScore]) -> Table:
    """The same for people, a row for each kind."""
    from rich import box
    from rich.table import Table

    shown = Table(title="puzzles", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    shown.add_column("kind", no_wrap=True)
    for name in ("puzzles", "IDF1", "HOTA", "ID switches", "answered"):
        shown.add_column(name, justify="right", no_wrap=True)
    for kind, own in _by_kind(scores).items():
        numbers = _numbers(own)
        answered = numbers["answered"]
        shown.add_row(
            kind,
            str(len(own)),
            f"{numbers['idf1']:.3f}",
            f"{numbers['hota']:.3f}",
            str(numbers["id_switches"]),
            "-" if answered is None else f"{100 * answered:.0f} %",
        )
    return shown


def _by_kind(scores: Sequence[PuzzleScore]) -> dict[str, list[PuzzleScore]]:
    kinds = dict.fromkeys(score.kind for score in scores)
    return {kind: [score for score in scores if score.kind == kind] for kind in kinds}


def _numbers(scores: Sequence[PuzzleScore]) -> dict[str, Any]:
    whole = reduce(add, (score.identity for score in scores))
    right = [score.right for score in scores if score.right is not None]
    return {
        "idf1": whole.idf1,
        "hota": whole.hota.hota,
        "id_switches": whole.clear.switches,
        "answered": sum(right) / len(right) if right else None,
    }
