"""The two-frame question to a model that has only eyes: is each object found in the second picture?

Both pictures have true regions, numbered by chance and each on its own; the model knows the outlines of every
object in both, reads the marks, and tells which is which: what fails is the marks, the prompt or its reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from som_agent.evaluation.eyes_model import Eyes, pictures_in
from som_agent.evaluation.photos import photos
from som_agent.evaluation.shuffled import in_any_order
from som_agent.evaluation.tracks import sequences
from som_agent.grounding.two_frames import correspond
from som_agent.marks.marked import MarkedFrame
from som_agent.regions import BoolArray, IntArray, Regions
from som_agent.segmenters.labels import read_index_png
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import Frame, Image, open_video

__all__ = ["PairEyes", "PairScore", "pair_score"]


class PairEyes(Eyes):
    """Tells which mark of the second picture is which of the first.

    Attributes:
        truths: true labels of both pictures, `[H, W] int32` each, 0 for none.
    """

    truths: tuple[Any, ...] = ()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        shown = list(pictures_in(messages))
        times = sorted({time for _, time in shown if time is not None})
        parts = [[picture for picture, at in shown if at == time] for time in times]
        lines = []
        for number in np.unique(self.truths[0][self.truths[0] > 0]).tolist():
            here, there = (
                self._label_in(some, truth == number) for some, truth in zip(parts, self.truths, strict=True)
            )
            if here is not None:
                lines.append(f"{here} -> {there or 'none'}")
        reply = "\n".join(lines) or "I see no marks."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])

    def _label_in(self, pictures: Sequence[Image], outline: BoolArray) -> str | None:
        """The label of an object in the pictures of one frame; None where none of them shows one."""
        if not outline.any():
            return None
        return max((self.look(picture, outline) for picture in pictures), key=lambda sight: sight.worth).label


@dataclass(frozen=True)
class PairScore:
    """Objects of first pictures, and what became of them.

    Attributes:
        source: "photos" or "videos".
        px: size at which the model looked.
        pairs: pairs of pictures.
        objects: that are drawn in both pictures.
        right: how many were paired with themselves.
        wrong: how many with another.
        said: reasons why others were not paired, each with how often.
    """

    source: str
    px: int
    pairs: int
    objects: int
    right: int
    wrong: int
    said: dict[str, int]

    @property
    def share(self) -> float:
        """Of the objects that were right, 0 to 1."""
        return self.right / max(self.objects, 1)


def pair_score(source: str, folder: Path, eyes: PairEyes, name: str, px: int) -> PairScore:
    """Ask about each photo and its mirror image, or about each video's first frame and its middle and last.

    Args:
        source: "photos" or "videos".
        folder: as for `photo_score` and `video_scores`.
        eyes: the model.
        name: what decides how pictures are made for it.
        px: what the score says of the size at which it looks.

    Raises:
        InputError: no such folder, or pictures without true regions.
    """
    pairs = objects = right = wrong = 0
    said: Counter[str] = Counter()
    for (first, truth), (second, other) in (_mirrored if source == "photos" else _later)(folder):
        a, b = _marked(first, truth, 1), _marked(second, other, 2)
        eyes.truths = (truth, other)
        found = correspond(a, b, eyes, name)
        said.update(part.reason for part in found.unsupported)
        pairs += 1
        mine, theirs = _owners(a, truth), _owners(b, other)
        for mark, pair in found.pairs.items():
            shown = mine.get(mark) in theirs.values()
            objects += shown
            right += shown and pair is not None and theirs.get(pair) == mine.get(mark)
            wrong += pair is not None and theirs.get(pair) != mine.get(mark)
    return PairScore(source, px, pairs, objects, right, wrong, dict(said))


def _marked(image: Image, truth: IntArray, seed: int) -> MarkedFrame:
    """A picture with a mark on each true region, numbered by chance."""

    class Given:
        name = "true regions"
        ready_made = True

        def segment(self, frame: Frame) -> Regions:
            return in_any_order(Regions.from_labels(truth), seed, 0)

    size = max(image.shape[:2])
    return Session(Given(), Settings(max_marks=1000, size=size)).step(image, time=float(seed))


def _owners(marked: MarkedFrame, truth: IntArray) -> dict[int, int]:
    """Mark → the true region that it lies on."""
    return {info.mark: int(np.bincount(truth[marked.mask(info.mark)]).argmax()) for info in marked.infos}


_Pair = tuple[tuple[Image, IntArray], tuple[Image, IntArray]]


def _mirrored(folder: Path) -> Iterator[_Pair]:
    for photo in photos(folder):
        flipped = np.ascontiguousarray(photo.image[:, ::-1]), np.ascontiguousarray(photo.labels[:, ::-1])
        yield (photo.image, photo.labels), flipped


def _later(root: Path) -> Iterator[_Pair]:
    for name in sequences(root):
        masks = root / "Annotations" / name
        with open_video(root / "JPEGImages" / name) as video:
            frames = [(frame.image, read_index_png(masks / f"{frame.name}.png")) for frame in video]
        for row in (len(frames) // 2, len(frames) - 1):
            yield frames[0], frames[row]
