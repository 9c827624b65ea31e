"""How well the automatic path finds the true objects of videos, and keeps their numbers.

    python -m som_agent.evaluation.tracks --root DIR

DIR has the layout of DAVIS: `JPEGImages/NAME/*.jpg` and `Annotations/NAME/*.png`, one palette PNG a frame,
pixel = object, 0 = background. Nothing of the annotations is given to the tracker, unless the segmenter is
`labels`: then their regions are what is tracked, without their numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError, SomError
from som_agent.evaluation.match import Found, Match
from som_agent.segmenters.labels import read_index_png
from som_agent.session import Session
from som_agent.video import open_video, picture_files

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SequenceScore", "main", "score_sequence", "sequences"]

ORACLE = "labels"
"""The segmenter that gives the true regions."""


@dataclass(frozen=True)
class SequenceScore:
    """One video.

    Attributes:
        name: its name.
        frames: how many it has.
        fps: frames a second of the whole path, reading and matching left out.
        objects: how well each object was found.
    """

    name: str
    frames: int
    fps: float
    objects: list[Found]


def sequences(root: Path) -> list[str]:
    """Names of the videos of a folder in the layout of DAVIS.

    Raises:
        InputError: it has none.
    """
    pictures = root / "JPEGImages"
    names = (
        sorted(folder.name for folder in pictures.iterdir() if folder.is_dir()) if pictures.is_dir() else []
    )
    if not names:
        raise InputError(f"{root} is not in the layout of DAVIS: there is no {pictures / 'NAME'}")
    return names


def score_sequence(root: Path, name: str, segmenter: str = "hierarchy") -> SequenceScore:
    """Track one video without any help, and match its marks with the annotations.

    Args:
        root: folder in the layout of DAVIS.
        name: the video.
        segmenter: any name of a segmenter; plain `labels` stands for the annotations.

    Raises:
        InputError: pictures or annotations are missing, or their sizes differ.
        SegmenterError: an unknown segmenter, or an annotation that is no index picture.
    """
    files = {file.stem: file for file in picture_files(root / "Annotations" / name)}
    truth = {stem: read_index_png(file) for stem, file in files.items()}
    match = Match(sorted({int(v) for labels in truth.values() for v in np.unique(labels)} - {0}))
    session = Session(f"{ORACLE}:{root / 'Annotations' / name}" if segmenter == ORACLE else segmenter)
    seconds, count = 0.0, 0
    with open_video(root / "JPEGImages" / name) as video:
        for frame in video:
            labels = truth.get(frame.name or "")
            if labels is None or labels.shape != frame.image.shape[:2]:
                problem = "no annotation" if labels is None else "an annotation of another size"
                raise InputError(f"{name}: there is {problem} for {frame.name}")
            start = time.perf_counter()
            marked = session.step(frame)
            seconds += time.perf_counter() - start
            count += 1
            match.add(frame.time, [info.mark for info in marked.infos], marked.source_regions, labels)
    return SequenceScore(name, count, count / max(seconds, 1e-9), match.found())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m som_agent.evaluation.tracks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, required=True, help="folder in the layout of DAVIS")
    parser.add_argument("--sequences", default="", help="names with commas between them; all if left out")
    parser.add_argument("--segmenter", default="hierarchy", help="hierarchy, labels (the annotations), …")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    scores = []
    try:
        names = sequences(options.root)
        chosen = [name for name in options.sequences.split(",") if name] or names
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise InputError(
                f"no sequence {', '.join(unknown)} in {options.root}; there are {', '.join(names)}"
            )
        for name in chosen:
            scores.append(score_sequence(options.root, name, options.segmenter))
            sys.stderr.write(f"{name}: {scores[-1].frames} frames, {scores[-1].fps:.1f} a second\n")
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps(_as_json(scores, options.segmenter)) + "\n")
        return 0
    from rich.console import Console

    Console().print(_table(scores, options.segmenter))
    return 0


def _means(scores: Sequence[SequenceScore]) -> dict[str, float]:
    """Means over all objects, and frames a second over all frames."""
    objects = [found for score in scores for found in score.objects]
    seconds = sum(score.frames / score.fps for score in scores)
    return {
        "J": float(np.mean([found.jaccard for found in objects])) if objects else 0.0,
        "any_mark": float(np.mean([found.any_mark for found in objects])) if objects else 0.0,
        "marks": float(np.mean([found.marks for found in objects])) if objects else 0.0,
        "fps": sum(score.frames for score in scores) / seconds if seconds else 0.0,
    }


def _as_json(scores: Sequence[SequenceScore], segmenter: str) -> dict[str, Any]:
    return {
        "segmenter": segmenter,
        **_means(scores),
        "sequences": {score.name: asdict(score) for score in scores},
    }


def _table(scores: Sequence[SequenceScore], segmenter: str) -> Table:
    from rich.table import Table

    table = Table(title=f"automatic tracks, segmenter {segmenter}")
    table.add_column("sequence")
    for name in ("object", "frames", "best mark", "J", "J of any mark", "marks", "frames/s"):
        table.add_column(name, justify="right")
    for score in scores:
        for found in score.objects:
            table.add_row(
                score.name,
                str(found.object),
                str(found.frames),
                str(found.mark or ""),
                f"{found.jaccard:.3f}",
                f"{found.any_mark:.3f}",
                str(found.marks),
                f"{score.fps:.1f}",
            )
    mean = _means(scores)
    table.add_section()
    numbers = (f"{mean['J']:.3f}", f"{mean['any_mark']:.3f}", f"{mean['marks']:.1f}", f"{mean['fps']:.1f}")
    table.add_row("mean", "", "", "", *numbers)
    return table


if __name__ == "__main__":
    sys.exit(main())
