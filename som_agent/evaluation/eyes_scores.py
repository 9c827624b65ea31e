"""Photos and videos with true regions, each asked for: how often its own mask comes back, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.evaluation.eyes_model import Eyes
from som_agent.evaluation.photos import photos
from som_agent.evaluation.tracks import sequences
from som_agent.grounding import ask
from som_agent.history import VISIBLE, History, MarkInfo
from som_agent.keyframes import Keyframe, KeyframeStore, Wanted
from som_agent.marks.marked import MarkedFrame
from som_agent.regions import BoolArray, IntArray
from som_agent.rle import decode
from som_agent.segmenters.labels import read_index_png
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import Frame, open_video

__all__ = ["NAMES", "VIDEOS", "EyesScore", "Failure", "photo_score", "video_scores"]

NAMES = {336: "llava-1.5", 768: "eyes"}
"""Size at which a model looks → a name whose profile (`profile_of`) sees so: LLaVA-1.5 and the default."""

VIDEOS = "videos"
"""The source of a score of all videos together."""

_ALL_MARKS = 1000
_ASKED_AT = (0.1, 0.3, 0.5, 0.7, 0.9)  # parts of a video
_RIGHT_IOU = 0.5
_SAME_COLOR = 24  # levels from the colour of a plate that was found to that of a mark


@dataclass(frozen=True)
class Failure:
    """A question whose object did not come back.

    Attributes:
        name: photo or video.
        time: seconds.
        object: value of the true region.
        label: of its mark, "" where it has none.
        answered: the reply.
        iou: of the mask that came back, 0 to 1.
        cause: why.
    """

    name: str
    time: float
    object: int
    label: str
    answered: str
    iou: float
    cause: str

    def __str__(self) -> str:
        mark = f"mark {self.label}" if self.label else "no mark"
        what = f"{self.name} at {self.time:.2f} s, object {self.object} ({mark})"
        return f"{what}: {self.cause}; IoU {self.iou:.2f}"


@dataclass(frozen=True)
class EyesScore:
    """The questions about one source.

    Attributes:
        source: "photos", the name of a video, or "videos" for all of them.
        px: size at which the model looked.
        questions: how many were asked.
        right: how often the mask has IoU >= 0.5 with the true object, and more than with any other.
        mean_iou: of the masks that came back with the true ones, over all questions; 0 where none came.
        pictures: shown in all.
        failures: the questions that went wrong.
    """

    source: str
    px: int
    questions: int
    right: int
    mean_iou: float
    pictures: int
    failures: tuple[Failure, ...]

    @property
    def share(self) -> float:
        """Of the questions that were right, 0 to 1."""
        return self.right / max(self.questions, 1)


@dataclass
class _Tally:
    """The questions so far."""

    ious: list[float] = field(default_factory=list)
    pictures: int = 0
    failures: list[Failure] = field(default_factory=list)

    def score(self, source: str, px: int) -> EyesScore:
        right = len(self.ious) - len(self.failures)
        mean = float(np.mean(self.ious)) if self.ious else 0.0
        return EyesScore(source, px, len(self.ious), right, mean, self.pictures, tuple(self.failures))

    def add(self, other: _Tally) -> None:
        self.ious += other.ious
        self.pictures += other.pictures
        self.failures += other.failures


class _Watched:
    """What was tracked of one source, and what was shown of it for the last question."""

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self.session = session
        self.marked: dict[int, MarkedFrame] = {}
        self._store = KeyframeStore(session.settings.keyframes)
        self.shown: list[Keyframe] = []
        self.wanted: Wanted | None = None

    def step(self, frame: Frame) -> None:
        """Take in the next frame."""
        marked = self.session.step(frame)
        self._store.add(marked)
        self.marked[marked.index] = marked

    def pictures(self, frames: Sequence[int], wanted: Wanted) -> list[Keyframe]:
        """As the session's own, and remembered."""
        drawn = self._store.pictures(frames, wanted)
        self.shown, self.wanted = [*self.shown, *drawn], wanted
        return drawn


def photo_score(folder: Path, eyes: Eyes, px: int) -> EyesScore:
    """Ask for every true region of every photo.

    Args:
        folder: with `images/X.jpg` and `masks/X.png`.
        eyes: the model.
        px: what the score says of the size at which it looks.

    Raises:
        InputError: no photos with masks.
    """
    tally = _Tally()
    for photo in photos(folder):
        size = max(photo.image.shape[:2])
        watched = _Watched(
            photo.name,
            Session(f"labels:{folder / 'masks'}", Settings(max_marks=_ALL_MARKS, size=size)),
        )
        watched.step(Frame(photo.image, 0, 0.0, photo.name))
        tally.add(_asked(watched, {0.0: photo.labels}, [0], eyes, "Which mark is the outlined object?"))
    return tally.score("photos", px)


def video_scores(root: Path, eyes: Eyes, px: int) -> list[EyesScore]:
    """Ask for every object that is visible at some times of each video, and all of them together.

    Args:
        root: folder in the layout of DAVIS.
        eyes: the model.
        px: what the scores say of the size at which it looks.

    Raises:
        InputError: no such folder, or pictures without annotations.
    """
    scores, whole = [], _Tally()
    for name in sequences(root):
        masks = root / "Annotations" / name
        watched = _Watched(name, Session(f"labels:{masks}", Settings(max_marks=_ALL_MARKS)))
        truths: dict[float, IntArray] = {}
        with open_video(root / "JPEGImages" / name) as video:
            for frame in video:
                watched.step(frame)
                truth = read_index_png(masks / f"{frame.name}.png")
                if truth.shape != frame.image.shape[:2]:
                    raise InputError(f"{name}: the annotation of {frame.name} is of another size")
                truths[frame.time] = truth
        last = len(truths) - 1
        rows = sorted({round(part * last) for part in _ASKED_AT})
        tally = _asked(watched, truths, rows, eyes, "Which mark is the outlined object at {time:.2f} s?")
        scores.append(tally.score(name, px))
        whole.add(tally)
    return [*scores, whole.score(VIDEOS, px)]


def _asked(
    watched: _Watched, truths: Mapping[float, IntArray], rows: Sequence[int], eyes: Eyes, question: str
) -> _Tally:
    """Ask for every object of the frames in some `rows` of the history."""
    history = watched.session.history
    tally = _Tally()
    for row in rows:
        time, frame = float(history.times[row]), int(history.frames[row])
        truth = truths[time]
        masks = _masks_at(history, frame)
        for number in np.unique(truth[truth > 0]).tolist():
            eyes.outlines = {t: known == number for t, known in truths.items() if (known == number).any()}
            watched.shown = []
            answer = ask(question.format(time=time), history, watched.pictures, eyes)
            found = answer.marks[0].mark if answer.marks else None
            mask = answer.mask(found, time) if found is not None and found in masks else None
            iou, right = _agrees(mask, truth, number)
            tally.ious.append(iou)
            tally.pictures += len(watched.shown)
            if not right:
                own = _mark_of(history, masks, truth, number)
                cause = _cause(watched, own, found, eyes) if own else _unmarked(history, masks, truth, number)
                label = own.label if own else ""
                tally.failures.append(Failure(watched.name, time, number, label, answer.text, iou, cause))
    return tally


def _masks_at(history: History, frame: int) -> dict[int, BoolArray]:
    """The masks of the marks that are visible in a source frame, `[H, W] bool` at the source's size."""
    masks = {}
    for mark, trace in history.traces.items():
        for row in np.flatnonzero((trace.frames == frame) & (trace.states == VISIBLE)):
            small = decode(trace.rles[row], history.mask_size).astype(np.uint8)
            masks[mark] = cv2.resize(small, history.size, interpolation=cv2.INTER_NEAREST) > 0
    return masks


def _agrees(mask: BoolArray | None, truth: IntArray, number: int) -> tuple[float, bool]:
    """IoU of a mask with a true region, and whether that is enough, and more than with any other."""
    if mask is None or not mask.any():
        return 0.0, False
    areas, shared = np.bincount(truth.ravel()), np.bincount(truth[mask], minlength=truth.max() + 1)
    ious = shared / np.maximum(areas + mask.sum() - shared, 1)
    ious[0] = 0  # what is no region
    own = float(ious[number])
    ious[number] = 0
    return own, own >= _RIGHT_IOU and own > ious.max()


def _mark_of(
    history: History, masks: Mapping[int, BoolArray], truth: IntArray, number: int
) -> MarkInfo | None:
    """The mark whose mask is that of a true region; None where there is none."""
    own = [mark for mark, mask in masks.items() if _agrees(mask, truth, number)[1]]
    return history.marks[own[0]] if own else None


def _unmarked(history: History, masks: Mapping[int, BoolArray], truth: IntArray, number: int) -> str:
    """Why an object cannot come back that is no mark's."""
    ious = {mark: _agrees(mask, truth, number)[0] for mark, mask in masks.items()}
    best = max(ious, key=lambda mark: ious[mark], default=None)
    near = "" if best is None else f"; mark {history.marks[best].label} is nearest, IoU {ious[best]:.2f}"
    return f"not drawn: no mark has its mask of {(truth == number).sum()} pixels{near}"


def _cause(watched: _Watched, own: MarkInfo, found: int | None, eyes: Eyes) -> str:
    """Why the object did not come back.

    Args:
        watched: the source.
        own: the mark of the object.
        found: the mark that came back.
        eyes: the model, after its answer.
    """
    if not any(own.mark in keyframe.marks for keyframe in watched.shown):
        return f"not drawn: {_undrawn(watched, own)}"
    labels = [
        (label, worth)
        for sight in eyes.sights
        for label, worth in zip(sight.labels, sight.worths, strict=True)
    ]
    worth_of = [worth for label, worth in labels if label.text == own.label]
    if worth_of:
        chosen = "none" if found is None else f"mark {watched.session.history.marks[found].label}"
        best = max((worth for _, worth in labels), default=0.0)
        return f"wrong owner: {chosen} was taken; worth {max(worth_of):.2f}, the best {best:.2f}"
    for label, _ in labels:
        if max(abs(a - b) for a, b in zip(label.plate.color, own.color, strict=True)) <= _SAME_COLOR:
            return f"misread as {label.text}"
    return "plate not found"


def _undrawn(watched: _Watched, own: MarkInfo) -> str:
    """Why none of the pictures has the label of a mark."""
    if not watched.shown or watched.wanted is None:
        return "no picture was shown"
    frame = watched.shown[0].frame
    marked = watched.marked[frame]
    if all(info.mark != own.mark for info in marked.infos):
        return f"it is not visible at {watched.shown[0].time:.2f} s, which was shown"
    alone = marked.look(watched.wanted.view, [own.mark])
    for mark in alone.marks:
        if mark.mark == own.mark and not mark.shown:
            return mark.reason or "its label is not shown"
    return f"no room among the marks of {len(watched.shown)} pictures"
