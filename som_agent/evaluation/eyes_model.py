"""A chat model that has only eyes: it knows one object's outline, reads the pictures, and names its mark."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from som_agent.evaluation.sight import ENOUGH, Label, Reader, load_reader, outline_at, read_labels, worths
from som_agent.grounding.prompts import NOTHING_FITS
from som_agent.lmm.pictures import read_image_block
from som_agent.regions import BoolArray
from som_agent.video.frame import Image

__all__ = ["Eyes", "Sight", "pictures_in"]

_TIME = re.compile(r"\bat (\d+(?:\.\d+)?) s\b")
_ROUNDED_S = 0.006  # captions have two decimals
_KEPT = 64  # pictures whose labels are remembered


@dataclass(frozen=True)
class Sight:
    """What was seen in one picture: its labels, and how much speaks for each being the object's."""

    labels: tuple[Label, ...]
    worths: tuple[float, ...]

    @property
    def worth(self) -> float:
        """The most that speaks for any of them."""
        return max(self.worths, default=0.0)

    @property
    def label(self) -> str | None:
        """The label of the object; None where too little speaks for any."""
        return self.labels[self.worths.index(self.worth)].text if self.worth > ENOUGH else None


class Eyes(BaseChatModel):
    """Reads nothing but the pictures and, to know which outline goes with which, the times in their captions.

    Plates are found by their pixels, their numbers read by an OCR. The label of the object is the one whose
    colour its contour has, or that lies on it.

    Attributes:
        model_name: what decides how pictures are made for it; see `som_agent.lmm.profiles.profile_of`.
        outlines: the object that the next question is about: seconds → `[H, W] bool` at the source's size.
            Pictures of other times are not looked at.
        sights: what was seen for the last question, one for each picture.

    Raises:
        MissingExtraError: no OCR is installed.
    """

    model_name: str = "eyes"
    outlines: dict[float, Any] = {}  # noqa: RUF012 - pydantic copies it
    sights: list[Sight] = []  # noqa: RUF012

    _read: Reader = PrivateAttr()
    _known: dict[bytes, list[Label]] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Load the OCR."""
        super().model_post_init(context)
        self._read = load_reader()

    @property
    def _llm_type(self) -> str:
        return "som-agent-eyes"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.sights = []
        for picture, time in pictures_in(messages):
            outline = self._outline(time)
            self.sights.append(Sight((), ()) if outline is None else self.look(picture, outline))
        best = max(self.sights, key=lambda sight: sight.worth, default=Sight((), ()))
        reply = f"{NOTHING_FITS}: no label is on the outlined object, or in its colour."
        if best.label is not None:
            reply = f"[{best.label}]"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])

    def look(self, picture: Image, outline: BoolArray) -> Sight:
        """What is seen of an object `[H, W] bool` in a picture `[h, w, 3] uint8` of any size."""
        labels = self._labels(picture)
        found = worths(picture, labels, outline_at(outline, (picture.shape[1], picture.shape[0])))
        return Sight(tuple(labels), tuple(found.tolist()))

    def _outline(self, time: float | None) -> BoolArray | None:
        """The outline at the time of a picture; None where the object is not seen then."""
        if time is None or not self.outlines:
            return None
        nearest = min(self.outlines, key=lambda known: abs(known - time))
        outline: BoolArray = self.outlines[nearest]
        return outline if abs(nearest - time) <= _ROUNDED_S else None

    def _labels(self, picture: Image) -> list[Label]:
        """The labels of a picture: the same one is shown for many questions."""
        key = hashlib.sha256(picture.tobytes()).digest() + bytes(str(picture.shape), "ascii")
        if key not in self._known:
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = read_labels(picture, self._read)
        return self._known[key]


def pictures_in(messages: list[BaseMessage]) -> Iterator[tuple[Image, float | None]]:
    """The pictures of some messages, each with the time in the text before it."""
    for message in messages:
        time = None
        for block in [] if isinstance(message.content, str) else message.content:
            if isinstance(block, str) or block.get("type") == "text":
                found = _TIME.search(block if isinstance(block, str) else block["text"])
                time = float(found[1]) if found else None
            elif (picture := read_image_block(block)) is not None:
                yield picture, time
