"""Does the object that a model means come back? Asked of a model that has only eyes, on true regions.

    python -m som_agent.evaluation.eyes [--images DIR] [--root DIR] [--px 336,768] [--pairs] [--json]

Every question is about one object whose outline the model knows, and takes the whole way: frames → marks →
pictures → reply → mask. So nothing but the way itself can go wrong, and what does is listed with its cause.
DIR of `--images` has `images/X.jpg` and `masks/X.png` (pixel = region, 0 = none), that of `--root` the layout
of DAVIS; both hold true regions, which are what is marked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from som_agent.errors import InputError, SomError
from som_agent.evaluation.eyes_model import Eyes
from som_agent.evaluation.eyes_pairs import PairEyes, PairScore, pair_score
from som_agent.evaluation.eyes_scores import NAMES, VIDEOS, EyesScore, photo_score, video_scores

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m som_agent.evaluation.eyes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=Path, help="folder with images/ and masks/")
    parser.add_argument("--root", type=Path, help="folder in the layout of DAVIS")
    parser.add_argument("--px", default="336,768", help="sizes at which the model looks")
    parser.add_argument(
        "--pairs", action="store_true", help="ask which mark of a second picture is which of the first"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        if options.images is None and options.root is None:
            raise InputError("nothing to look at: name a folder with --images, --root or both")
        if options.pairs:
            _show_pairs(_pairs(options), as_json=options.json)
            return 0
        scores = []
        for px in _sides(options.px):
            eyes = Eyes(model_name=NAMES[px])
            if options.images is not None:
                scores.append(photo_score(options.images, eyes, px))
            if options.root is not None:
                scores += video_scores(options.root, eyes, px)
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        rows = [{**asdict(score), "share": score.share} for score in scores]
        sys.stdout.write(json.dumps({"eyes": rows}) + "\n")
    else:
        _show(scores)
    return 0


def _pairs(options: argparse.Namespace) -> list[PairScore]:
    folders = {"photos": options.images, "videos": options.root}
    return [
        pair_score(source, folder, PairEyes(model_name=NAMES[px]), NAMES[px], px)
        for px in _sides(options.px)
        for source, folder in folders.items()
        if folder is not None
    ]


def _show_pairs(scores: Sequence[PairScore], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"pairs": [asdict(score) for score in scores]}) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="objects found again in a second picture that is marked on its own")
    table.add_column("source")
    for name in ("px", "pairs", "objects", "right", "wrong", "share"):
        table.add_column(name, justify="right")
    for score in scores:
        counts = (score.px, score.pairs, score.objects, score.right, score.wrong)
        table.add_row(score.source, *map(str, counts), f"{score.share:.1%}")
    Console().print(table)
    for score in scores:
        for reason, count in score.said.items():
            sys.stdout.write(f"{score.source}, {score.px} px: {count} x {reason}\n")


def _show(scores: Sequence[EyesScore]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="the object that a model with eyes only meant came back")
    table.add_column("source", no_wrap=True)
    for name in ("px", "questions", "right", "share", "mean IoU", "pictures"):
        table.add_column(name, justify="right")
    for score in scores:
        table.add_row(
            score.source,
            str(score.px),
            str(score.questions),
            str(score.right),
            f"{score.share:.1%}",
            f"{score.mean_iou:.3f}",
            str(score.pictures),
        )
    Console().print(table)
    for score in scores:
        for failure in score.failures if score.source != VIDEOS else ():  # said for each video
            sys.stdout.write(f"{score.px} px, {failure}\n")


def _sides(text: str) -> list[int]:
    known = ", ".join(map(str, NAMES))
    try:
        sides = [int(px) for px in text.split(",")]
    except ValueError as error:
        raise InputError(f"--px {text} makes no sense: some of {known}, with commas between them") from error
    unknown = [px for px in sides if px not in NAMES]
    if unknown:
        raise InputError(f"no model looks at {unknown[0]} px here; known: {known}")
    return sides


if __name__ == "__main__":
    sys.exit(main())
