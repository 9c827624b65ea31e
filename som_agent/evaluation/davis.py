"""How well a propagator carries given masks through videos: J, F and J&F of DAVIS.

The semi-supervised task of DAVIS 2017 (Pont-Tuset et al., arXiv 1704.00675): the masks of an object's first
frame are given, all later ones are to be found. The root has the layout of DAVIS, `JPEGImages/NAME/*.jpg` and
`Annotations/NAME/*.png`. Annotations may be sparse, and objects may appear later, as in YouTube-VOS: each is
given when it first appears. The first frame of an object and the last of the video are left out of its mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.evaluation.contour import contour_accuracy, region_similarity
from som_agent.regions import BoolArray, IntArray
from som_agent.scaling import fit, resized
from som_agent.segmenters.labels import read_index_png
from som_agent.tracking.propagators.base import Propagated, Propagator
from som_agent.video import Frame, open_video, picture_files

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SIZE", "DavisScore", "ObjectScore", "SequenceScore", "score_davis", "score_sequence"]
__all__ += ["scores_json", "table"]

SIZE = 480
"""Long side in pixels at which frames are propagated."""


@dataclass(frozen=True)
class ObjectScore:
    """One object of a video.

    Attributes:
        object: its label in the annotations.
        jaccards: J of each frame that counts, 0 to 1.
        contours: F of each of them, 0 to 1.
    """

    object: int
    jaccards: tuple[float, ...]
    contours: tuple[float, ...]

    @property
    def j(self) -> float:
        """Mean region similarity."""
        return float(np.mean(self.jaccards))

    @property
    def f(self) -> float:
        """Mean contour accuracy."""
        return float(np.mean(self.contours))


@dataclass(frozen=True)
class SequenceScore:
    """One video.

    Attributes:
        name: its name.
        frames: how many it has.
        seconds: what the propagator's `step` took for all of them; reading and measuring are left out.
        objects: how well each object was carried.
    """

    name: str
    frames: int
    seconds: float
    objects: tuple[ObjectScore, ...]

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.frames / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class DavisScore:
    """Some videos.

    Attributes:
        propagator: its name.
        size: long side in pixels at which it worked.
        sequences: the videos.
    """

    propagator: str
    size: int
    sequences: tuple[SequenceScore, ...]

    @property
    def objects(self) -> tuple[ObjectScore, ...]:
        """The objects of all videos: DAVIS takes the mean over objects, not over videos."""
        return tuple(score for sequence in self.sequences for score in sequence.objects)

    @property
    def fps(self) -> float:
        """Frames a second."""
        seconds = sum(sequence.seconds for sequence in self.sequences)
        return sum(sequence.frames for sequence in self.sequences) / max(seconds, 1e-9)


def score_davis(
    root: Path, sequences: Sequence[str], propagator_factory: Callable[[], Propagator], size: int = SIZE
) -> DavisScore:
    """Propagate the given masks through videos, each with a new propagator; see `score_sequence`."""
    name, scores = "", []
    for sequence in sequences:
        propagator = propagator_factory()
        name = propagator.name
        scores.append(score_sequence(root, sequence, propagator, size))
    return DavisScore(name, size, tuple(scores))


def score_sequence(root: Path, name: str, propagator: Propagator, size: int = SIZE) -> SequenceScore:
    """Propagate the masks of each object's first frame through one video and measure the others.

    Args:
        root: folder in the layout of DAVIS.
        name: the video.
        propagator: a new one.
        size: long side in pixels of the frames that it is given; results are measured at the source's size.

    Raises:
        InputError: pictures or annotations are missing, their sizes differ, or no frame is left to measure.
        SegmenterError: an annotation is no index picture.
    """
    files = {file.stem: file for file in picture_files(root / "Annotations" / name)}
    last = list(files)[-1]
    measured: dict[int, list[tuple[float, float]]] = {}
    seconds, count = 0.0, 0
    with open_video(root / "JPEGImages" / name) as video:
        for frame in video:
            small = Frame(fit(frame.image, size), frame.index, frame.time, frame.name)
            start = time.perf_counter()
            propagated = propagator.step(small)
            seconds += time.perf_counter() - start
            count += 1
            file = files.pop(frame.name or "", None)
            if file is None:
                continue
            truth = _annotation(file, frame)
            if frame.name != last:
                found = _exclusive(propagated, frame)
                for label, values in measured.items():
                    mask, true = found == label, truth == label
                    values.append((region_similarity(mask, true), contour_accuracy(mask, true)))
            new = sorted(set(np.unique(truth).tolist()) - {0} - set(measured))
            if new:
                h, w = small.image.shape[:2]
                propagator.put(new, np.array([_shrunk(truth == label, (w, h)) for label in new]))
                measured |= {label: [] for label in new}
    if files:
        raise InputError(f"{name}: there is no picture for annotation {next(iter(files.values()))}")
    scores = [
        ObjectScore(label, *(tuple(column) for column in zip(*values, strict=True)))
        for label, values in sorted(measured.items())
        if values
    ]
    if not scores:
        raise InputError(f"{name}: no object has an annotated frame between its first one and the last")
    return SequenceScore(name, count, seconds, tuple(scores))


def _annotation(file: Path, frame: Frame) -> IntArray:
    truth = read_index_png(file)
    h, w = frame.image.shape[:2]
    if truth.shape != (h, w):
        size = f"{truth.shape[1]}x{truth.shape[0]}"
        raise InputError(f"annotation {file} is {size} px, its picture is {w}x{h} px")
    return truth


def _exclusive(propagated: Propagated, frame: Frame) -> IntArray:
    """Object of each pixel of the source frame, 0 for none: where objects overlap, the smaller is on top."""
    h, w = frame.image.shape[:2]
    ids: IntArray = np.concatenate([[0], propagated.ids]).astype(np.int32)
    return np.asarray(ids[resized(propagated.regions, (w, h)).visible()], np.int32)


def _shrunk(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """A mask at another size: pixels of which it covers half; the fullest ones where there are none."""
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= min(0.5, float(covered.max())))


def scores_json(scores: DavisScore) -> dict[str, Any]:
    """What `som-agent eval davis --json` prints; means are over objects."""
    return {
        **_means(scores.objects),
        "sequences": {
            sequence.name: {
                **_means(sequence.objects),
                "frames": sequence.frames,
                "fps": sequence.fps,
                "objects": {str(score.object): _means([score]) for score in sequence.objects},
            }
            for sequence in scores.sequences
        },
        "fps": scores.fps,
        "propagator": scores.propagator,
        "size": scores.size,
    }


def _means(objects: Sequence[ObjectScore]) -> dict[str, float]:
    """J&F, J and F; 0 where there is no object."""
    j = float(np.mean([score.j for score in objects])) if objects else 0.0
    f = float(np.mean([score.f for score in objects])) if objects else 0.0
    return {"J&F": (j + f) / 2, "J": j, "F": f}


def table(scores: DavisScore, baseline: DavisScore | None = None) -> Table:
    """A table of the videos for people.

    Args:
        scores: what was measured.
        baseline: the same videos with another propagator, shown beside.
    """
    from rich.table import Table

    shown = Table(title=f"masks carried from the first frame at {scores.size} px, J&F of DAVIS")
    shown.add_column("sequence")
    both = [scores] if baseline is None else [scores, baseline]
    for measured in both:
        for measure in ("J&F", "J", "F"):
            shown.add_column(f"{measured.propagator} {measure}", justify="right")
        shown.add_column("frames/s", justify="right")
    for row in zip(*(measured.sequences for measured in both), strict=True):
        shown.add_row(row[0].name, *(cell for sequence in row for cell in _cells(sequence)))
    shown.add_section()
    shown.add_row("mean over objects", *(cell for measured in both for cell in _cells(measured)))
    return shown


def _cells(score: SequenceScore | DavisScore) -> list[str]:
    return [*(f"{value:.3f}" for value in _means(score.objects).values()), f"{score.fps:.0f}"]
