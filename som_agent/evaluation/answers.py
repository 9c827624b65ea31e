"""Answers of the embedded answerer to the questions of generated scenes, checked against the truth.

    python examples/scenes/generate.py tabletop --seed 1 -o scenes/
    python -m som_agent.evaluation.answers scenes/tabletop_1.json --segmenter labels

A named mark is right when it lies on an object of the true answer during the times that the answer gives
for it. `labels` tracks the true masks: what goes wrong there is the fault of the tracker or the answerer. Any
other segmenter shows the whole path.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from som_agent.answer import Answer
from som_agent.errors import InputError, SomError
from som_agent.evaluation.match import Match
from som_agent.evaluation.scene_file import SceneFile, SceneQuestion, read_scene
from som_agent.session import Session
from som_agent.video import open_video

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ORACLE", "Score", "Total", "main", "score_answer", "score_scene", "totals", "watch_scene"]

ORACLE = "labels"
"""The segmenter that gives the true masks."""
WHEN_IOU = 0.7
"""Overlap in time from which "when" is answered."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Score:
    """One answer against the truth.

    Attributes:
        scene: name of the scene.
        kind: kind of the question.
        question: its text.
        answer: the text that was given.
        named: marks that the answer names.
        right: how many of them lie on an object of the true answer.
        wanted: objects of the true answer.
        found: how many of them a named mark lies on.
        when: overlap in time (intersection over union) with the true intervals; None where not asked for.
        exact: every object of the answer and nothing else, as often and at the times that were asked for.
        unsupported: what the answer says that it could not ground.
    """

    scene: str
    kind: str
    question: str
    answer: str
    named: int
    right: int
    wanted: int
    found: int
    when: float | None
    exact: bool
    unsupported: tuple[str, ...]


@dataclass(frozen=True)
class Total:
    """Scores added up.

    Attributes:
        questions: how many.
        exact: share of them answered exactly.
        precision: share of the named marks that are right; 1 where none was named.
        recall: share of the wanted objects that were found; 1 where none was wanted.
    """

    questions: int
    exact: float
    precision: float
    recall: float


def score_answer(scene: str, question: SceneQuestion, answer: Answer, match: Match) -> Score:
    """Check one answer."""
    lies_on = [match.object_of(grounded.mark, grounded.intervals) for grounded in answer.marks]
    right = sum(obj in question.objects for obj in lies_on)
    found = question.objects & set(lies_on)
    when = None
    if question.intervals is not None:
        named = [interval for grounded in answer.marks for interval in grounded.intervals]
        when = _overlap(named, question.intervals)
    return Score(
        scene=scene,
        kind=question.kind,
        question=question.text,
        answer=answer.text,
        named=len(lies_on),
        right=right,
        wanted=len(question.objects),
        found=len(found),
        when=when,
        exact=right == len(lies_on)
        and found == question.objects
        and (question.count is None or len(lies_on) == question.count)
        and (when is None or when >= WHEN_IOU),
        unsupported=tuple(part.text for part in answer.unsupported),
    )


def score_scene(scene: SceneFile, segmenter: str = ORACLE) -> list[Score]:
    """Track a scene and ask all its questions; arguments and errors as in `watch_scene`."""
    session, match = watch_scene(scene, segmenter)
    return [score_answer(scene.name, q, session.ask(q.text), match) for q in scene.questions]


def watch_scene(scene: SceneFile, segmenter: str = ORACLE) -> tuple[Session, Match]:
    """Track a scene: the session that has seen it, and how its marks lie on the true objects.

    Args:
        scene: the scene; its video must be there.
        segmenter: any name of a segmenter; plain `labels` stands for the scene's own masks.

    Raises:
        InputError: the video is missing, or is not the one that the truth belongs to.
        SegmenterError: an unknown segmenter.
    """
    with TemporaryDirectory() if segmenter == ORACLE else nullcontext("") as folder:
        if segmenter == ORACLE:
            scene.write_masks(Path(folder))
        session = Session(f"{ORACLE}:{folder}" if segmenter == ORACLE else segmenter)
        match = Match(sorted(scene.rles))
        with open_video(scene.video) as video:
            frames = min(map(len, scene.rles.values()), default=0)
            if video.size != scene.size or (video.frame_count or 0) > frames:
                raise InputError(f"{scene.video} is not the video of its truth: another size or length")
            for marked in session.run(video):
                marks = [info.mark for info in marked.infos]
                match.add(marked.time, marks, marked.source_regions, scene.labels(marked.index))
    return session, match


def totals(scores: Sequence[Score]) -> dict[str, Total]:
    """A total for each kind of question in alphabetical order, and one for "all"."""
    kinds = sorted({score.kind for score in scores})
    return {
        **{kind: _total([score for score in scores if score.kind == kind]) for kind in kinds},
        "all": _total(scores),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m som_agent.evaluation.answers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", nargs="+", metavar="SCENE.json", help="truth files, the videos beside them")
    parser.add_argument(
        "--segmenter", default=ORACLE, help="labels (the true masks, default), hierarchy, or any other name"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    scores: list[Score] = []
    try:
        for path in options.scenes:
            scene = read_scene(path)
            sys.stderr.write(f"{scene.name}: {len(scene.questions)} questions\n")
            scores += score_scene(scene, options.segmenter)
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps(_as_json(scores, options.segmenter), ensure_ascii=False) + "\n")
        return 0
    from rich.console import Console

    console = Console()
    console.print(_question_table(scores))
    console.print(_total_table(totals(scores), options.segmenter))
    return 0


def _total(scores: Sequence[Score]) -> Total:
    def share(part: int, whole: int) -> float:
        return part / whole if whole else 1.0

    return Total(
        questions=len(scores),
        exact=share(sum(score.exact for score in scores), len(scores)),
        precision=share(sum(score.right for score in scores), sum(score.named for score in scores)),
        recall=share(sum(score.found for score in scores), sum(score.wanted for score in scores)),
    )


def _overlap(ours: Iterable[Interval], truth: Iterable[Interval]) -> float:
    """Seconds in both over seconds in either, 0 to 1."""
    a, b = list(ours), list(truth)
    cuts = sorted({t for interval in (*a, *b) for t in interval})
    both = either = 0.0
    for start, end in pairwise(cuts):
        inside = [any(x <= start and end <= y for x, y in side) for side in (a, b)]
        both += (end - start) * all(inside)
        either += (end - start) * any(inside)
    return both / either if either else float(bool(a) == bool(b))


def _as_json(scores: Sequence[Score], segmenter: str) -> dict[str, Any]:
    return {
        "segmenter": segmenter,
        "totals": {kind: asdict(total) for kind, total in totals(scores).items()},
        "questions": [asdict(score) for score in scores],
    }


def _question_table(scores: Sequence[Score]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="questions")
    for name in ("scene", "kind", "question", "answer"):
        table.add_column(name, overflow="fold")
    for name in ("right", "found", "when", "exact"):
        table.add_column(name, justify="right", no_wrap=True)
    for score in scores:
        table.add_row(
            # What is said about marks is full of [3]: as rich's markup it would vanish.
            *(Text(text) for text in (score.scene, score.kind, score.question, score.answer)),
            f"{score.right}/{score.named}",
            f"{score.found}/{score.wanted}",
            "" if score.when is None else f"{score.when:.2f}",
            "yes" if score.exact else "[bold red]no[/]",
        )
    return table


def _total_table(kinds: dict[str, Total], segmenter: str) -> Table:
    from rich.table import Table

    table = Table(title=f"segmenter {segmenter}")
    table.add_column("kind")
    for name in ("questions", "exact", "precision", "recall"):
        table.add_column(name, justify="right")
    for kind, total in kinds.items():
        shares = (f"{share:.2f}" for share in (total.exact, total.precision, total.recall))
        table.add_row(kind, str(total.questions), *shares, end_section=list(kinds)[-2:-1] == [kind])
    return table


if __name__ == "__main__":
    sys.exit(main())
