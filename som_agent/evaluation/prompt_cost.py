"""What a question costs, and whether its pictures show what the true answer needs.

    python examples/scenes/generate.py tabletop --seed 1 -o scenes/
    python -m som_agent.evaluation.prompt_cost scenes/tabletop_1.json --pictures 4

No model is asked: the prompt that one would get is made and counted. With `labels` the marks are on the true
masks, so that only the choice of frames, and what is drawn in them, is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from som_agent.errors import SomError
from som_agent.evaluation.answers import ORACLE, watch_scene
from som_agent.evaluation.match import Match
from som_agent.evaluation.scene_file import SceneFile, SceneQuestion, read_scene
from som_agent.grounding import Asking
from som_agent.grounding.posing import Seen, posed
from som_agent.lmm.calls.messages import read_prompt
from som_agent.lmm.profiles import Profile, profile_named
from som_agent.session import Session

__all__ = ["QuestionCost", "costs", "main", "question_cost"]


@dataclass(frozen=True)
class QuestionCost:
    """One question to one model.

    Attributes:
        scene: name of the scene.
        question: its text.
        model: family of the model.
        frames: frames shown.
        pictures: pictures with marks.
        tokens: of the whole prompt, estimated.
        needed: objects of the true answer.
        shown: how many of them carry a mark in one of the pictures.
    """

    scene: str
    question: str
    model: str
    frames: int
    pictures: int
    tokens: int
    needed: int
    shown: int


def question_cost(
    scene: str, question: SceneQuestion, session: Session, match: Match, profile: Profile, asking: Asking
) -> QuestionCost:
    """Make the prompt for a question, and count."""
    seen = Seen(session.history, session.pictures)
    pictures, messages = posed(question.text, seen, profile, asking)
    lies_on = {
        match.object_of(mark, [(picture.time, picture.time)])
        for picture in pictures
        for mark in picture.marks
    }
    prompt = read_prompt(messages)
    return QuestionCost(
        scene=scene,
        question=question.text,
        model=profile.name,
        frames=len({picture.frame for picture in pictures}),
        pictures=len(pictures),
        tokens=profile.tokens(prompt.text, [size for size in prompt.sizes if size is not None]),
        needed=len(question.objects),
        shown=len(question.objects & lies_on),
    )


def costs(
    scenes: Sequence[SceneFile], profiles: Sequence[Profile], asking: Asking, segmenter: str = ORACLE
) -> list[QuestionCost]:
    """All questions of all scenes, for each model.

    Raises:
        InputError: a video is missing, or is not the one that the truth belongs to.
        SegmenterError: an unknown segmenter.
    """
    found = []
    for scene in scenes:
        sys.stderr.write(f"{scene.name}: {len(scene.questions)} questions\n")
        session, match = watch_scene(scene, segmenter)
        found += [
            question_cost(scene.name, question, session, match, profile, asking)
            for profile in profiles
            for question in scene.questions
        ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m som_agent.evaluation.prompt_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenes", nargs="+", type=Path, metavar="SCENE.json", help="truth files")
    parser.add_argument("--pictures", type=int, default=4, help="most pictures with marks (default 4)")
    parser.add_argument("--lmm", default="gpt-4o,llava-1.5", help="names of models, with commas between them")
    parser.add_argument("--segmenter", default=ORACLE, help="labels (the true masks, default) or any other")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        asking = Asking(frames=options.pictures, pictures=options.pictures)
        profiles = [profile_named(name) for name in options.lmm.split(",")]
        found = costs([read_scene(path) for path in options.scenes], profiles, asking, options.segmenter)
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps({"questions": [asdict(cost) for cost in found]}) + "\n")
        return 0
    _print(found)
    return 0


def _print(found: Sequence[QuestionCost]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="questions, and the pictures that are shown for them")
    for name in ("model", "questions", "all shown", "pictures", "frames", "tokens, median", "most"):
        table.add_column(name, justify="left" if name == "model" else "right")
    missing = []
    for model in dict.fromkeys(cost.model for cost in found):
        own = [cost for cost in found if cost.model == model]
        lacking = [cost for cost in own if cost.shown < cost.needed]
        missing += lacking
        tokens = [cost.tokens for cost in own]
        table.add_row(
            model,
            str(len(own)),
            f"{1 - len(lacking) / len(own):.1%}",
            f"{np.mean([cost.pictures for cost in own]):.1f}",
            f"{np.mean([cost.frames for cost in own]):.1f}",
            f"{np.median(tokens):.0f}",
            str(max(tokens)),
        )
    console = Console()
    console.print(table)
    for cost in missing:
        text = f"{cost.model}, {cost.scene}: {cost.shown} of {cost.needed} shown for {cost.question!r}"
        console.print(text, markup=False)


if __name__ == "__main__":
    sys.exit(main())
