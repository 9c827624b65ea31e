"""How well the automatic path finds the true objects of videos, and keeps their numbers.

The videos lie in a folder in the layout of DAVIS: `JPEGImages/NAME/*.jpg` and `Annotations/NAME/*.png`, one
palette PNG a frame, pixel = object, 0 = background. Nothing of the annotations is given to the tracker,
unless the segmenter is `labels`: then their regions are what is tracked, without their numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError
from som_agent.evaluation.contingency import contingency
from som_agent.evaluation.identity import Identity, IdentityScore
from som_agent.evaluation.match import Found, Match
from som_agent.evaluation.shuffled import ShuffledLabels
from som_agent.segmenters.base import Segmenter
from som_agent.segmenters.labels import read_index_png
from som_agent.session import Session
from som_agent.video import open_video, picture_files

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ORACLE", "SequenceScore", "chosen", "frame_count", "score_sequence", "scores_json", "sequences"]
__all__ += ["tables"]

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
        identity: how well they kept their numbers.
    """

    name: str
    frames: int
    fps: float
    objects: list[Found]
    identity: IdentityScore


def sequences(root: Path) -> list[str]:
    """Names of the videos of a folder in the layout of DAVIS.

    Raises:
        InputError: it has none.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not in the layout of DAVIS: there is no such folder")
    pictures = root / "JPEGImages"
    names = (
        sorted(folder.name for folder in pictures.iterdir() if folder.is_dir()) if pictures.is_dir() else []
    )
    if not names:
        raise InputError(f"{root} is not in the layout of DAVIS: there is no {pictures / 'NAME'}")
    return names


def chosen(root: Path, names: str | None) -> list[str]:
    """The videos that names with commas between them mean, all for None.

    Raises:
        InputError: the folder is not in the layout of DAVIS, or a name is none of its videos.
    """
    known = sequences(root)
    if names is None:
        return known
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise InputError(f"no sequence is named; there are {', '.join(known)}")
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(f"no sequence {', '.join(unknown)} in {root}; there are {', '.join(known)}")
    return list(dict.fromkeys(wanted))


def frame_count(root: Path, names: Sequence[str]) -> int:
    """Pictures of some videos.

    Raises:
        InputError: one has none.
    """
    return sum(len(picture_files(root / "JPEGImages" / name)) for name in names)


def score_sequence(
    root: Path,
    name: str,
    segmenter: str | Segmenter = "hierarchy",
    *,
    new_session: Callable[[str | Segmenter], Session] = Session,
    on_frame: Callable[[], None] = lambda: None,
) -> SequenceScore:
    """Track one video without any help, and match its marks with the annotations.

    Args:
        root: folder in the layout of DAVIS.
        name: the video.
        segmenter: a segmenter, or any name of one; plain `labels` stands for the annotations, whose order in
            each frame is drawn anew.
        new_session: makes a fresh session with that segmenter.
        on_frame: called after each frame.

    Raises:
        InputError: pictures or annotations are missing, or their sizes differ.
        SegmenterError: an unknown segmenter, or an annotation that is no index picture.
    """
    folder = root / "Annotations" / name
    files = {file.stem: file for file in picture_files(folder)}
    objects = _objects(root, name, files)
    match, identity = Match(objects), Identity()
    session = new_session(ShuffledLabels(folder) if segmenter == ORACLE else segmenter)
    seconds, count = 0.0, 0
    with open_video(root / "JPEGImages" / name) as video:
        for frame in video:
            start = time.perf_counter()
            marked = session.step(frame)
            seconds += time.perf_counter() - start
            count += 1
            truth = read_index_png(files[frame.name or ""])
            marks = [info.mark for info in marked.infos]
            seen = contingency(marks, marked.source_regions, truth, objects)
            match.take(frame.time, seen)
            identity.add(seen)
            on_frame()
    return SequenceScore(name, count, count / max(seconds, 1e-9), match.found(), identity.score())


def _objects(root: Path, name: str, files: dict[str, Path]) -> list[int]:
    """The objects of a video, whose annotations are checked: an hour of tracking must not be for nothing."""
    found: set[int] = set()
    with open_video(root / "JPEGImages" / name) as video:
        w, h = video.size
    for picture in picture_files(root / "JPEGImages" / name):
        file = files.get(picture.stem)
        labels = None if file is None else read_index_png(file)
        if labels is None or labels.shape != (h, w):
            problem = "no annotation" if labels is None else "an annotation of another size"
            raise InputError(f"{name}: there is {problem} for {picture.stem}")
        found.update(np.unique(labels).tolist())
    return sorted(found - {0})


def scores_json(scores: Sequence[SequenceScore], segmenter: str) -> dict[str, Any]:
    """What `som-agent eval tracks --json` prints.

    `J`, `any_mark` and `marks` are means over all objects, `fps` is over all frames, and the scores of
    identity count all videos together.
    """
    return {
        "segmenter": segmenter,
        **_means(scores),
        **_whole(scores).to_json(),
        "sequences": {
            score.name: {
                **_means([score]),
                **score.identity.to_json(),
                "frames": score.frames,
                "objects": [asdict(found) for found in score.objects],
            }
            for score in scores
        },
    }


def tables(scores: Sequence[SequenceScore], segmenter: str) -> list[Table]:
    """The same for people: a table of the objects and one of identity."""
    return [_object_table(scores, segmenter), _identity_table(scores)]


def _means(scores: Sequence[SequenceScore]) -> dict[str, float]:
    objects = [found for score in scores for found in score.objects]
    seconds = sum(score.frames / score.fps for score in scores)
    return {
        "J": float(np.mean([found.jaccard for found in objects])) if objects else 0.0,
        "any_mark": float(np.mean([found.any_mark for found in objects])) if objects else 0.0,
        "marks": float(np.mean([found.marks for found in objects])) if objects else 0.0,
        "fps": sum(score.frames for score in scores) / seconds if seconds else 0.0,
    }


def _object_table(scores: Sequence[SequenceScore], segmenter: str) -> Table:
    names = ("object", "frames", "best mark", "J", "any mark", "marks", "fps")
    table = _table(f"automatic tracks, segmenter {segmenter}", names)
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


def _identity_table(scores: Sequence[SequenceScore]) -> Table:
    table = _table("identity", ("HOTA", "DetA", "AssA", "OWTA", "IDF1", "switches", "MOTA", "STQ"))
    for score in scores:
        table.add_row(score.name, *_cells(score.identity))
    table.add_section()
    table.add_row("all", *_cells(_whole(scores)))
    return table


def _table(title: str, names: Sequence[str]) -> Table:
    """A table whose first column is the sequence; narrow, so that names of videos stay whole."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("sequence", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(identity: IdentityScore) -> list[str]:
    hota, clear = identity.hota, identity.clear
    shares = (f"{value:.3f}" for value in (hota.hota, hota.det_a, hota.ass_a, hota.owta, identity.idf1))
    return [*shares, str(clear.switches), f"{clear.mota:.2f}", f"{identity.stq.stq:.3f}"]


def _whole(scores: Sequence[SequenceScore]) -> IdentityScore:
    return reduce(add, (score.identity for score in scores))
