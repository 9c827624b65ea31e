"""One picture, one question, one score: "list the marked items one by one" (after SoM-LLaVA, 2404.16375)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from som_agent.lmm.calibration.scenes import COLORS, SHAPES, Scene
from som_agent.lmm.calls import background
from som_agent.lmm.calls.caller import Caller, Request
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import Profile
from som_agent.marks.view import View
from som_agent.video.frame import Image

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["INSTRUCTION", "Named", "Score", "Shown", "listed", "read_marks", "score", "shown"]

INSTRUCTION = (
    "Each item in this picture carries a number, drawn on it or beside it with a line to it. List the marked "
    "items one by one, a line each, like this:\n"
    "NUMBER: colour shape\n"
    f"The colours are {', '.join(COLORS)}; the shapes are {', '.join(SHAPES)}. "
    "List only numbers that you can read in the picture, and write nothing else."
)

Named = tuple[str | None, str | None]
"""The colour and the shape that were named, None where none was."""

_COLOR_WORDS = "|".join(COLORS)
# In this order at one place: a hollow circle is a ring.
_SHAPE_WORDS = {
    "ring": r"rings?|do(?:ugh)?nuts?|annulus|torus|(?:hollow|open|empty) circles?|circle outlines?",
    "circle": r"circles?|dis[ck]s?|dots?",
    "cross": r"cross(?:es)?|plus(?:es)?",
    "square": r"squares?",
    "star": r"stars?",
    "triangle": r"triangles?",
}
_COLOR = re.compile(rf"\b({_COLOR_WORDS})\b", re.I)
_SHAPE = re.compile(r"\b(?:" + "|".join(f"(?P<{k}>{v})" for k, v in _SHAPE_WORDS.items()) + r")\b", re.I)

# Lists come a line an item, or in one line, or as JSON or a table.
_ITEMS = re.compile(r"[\n;{}]+|,\s*(?=[\"'*(\[]*\d)")
_SAID = re.compile(r"(?:\bmark|\bnumber|\bitem|\blabel|\btag|\bno\.|#)\s*[\"'*(\[]*(\d+)|\[(\d+)\]", re.I)
_LEADING = re.compile(r"\W*(\d+)(?!\d)")


@dataclass(frozen=True)
class Shown:
    """A picture as the model is shown it, and the truth.

    Attributes:
        image: `[h, w, 3] uint8` RGB with its marks.
        truth: number → colour and shape, of the marks that are drawn.
    """

    image: Image
    truth: Mapping[int, tuple[str, str]]

    @property
    def guessing(self) -> float:
        """Marks that are right where what the picture has most of is named for every number."""
        return float(max(Counter(self.truth.values()).values(), default=0))


@dataclass(frozen=True)
class Score:
    """Counts of one reply; see `som_agent.lmm.stored.Cell`."""

    marks: int
    right: int
    right_color: int
    right_shape: int
    invented: int
    guessing: float


def shown(scene: Scene, draw: tuple[str, ...], view: View) -> Shown:
    """The scene with its marks, as large as the model sees it."""
    look = scene.marked(draw).look(view)
    drawn = {mark.mark for mark in look.marks if mark.shown}
    truth = {thing.number: (thing.color, thing.shape) for thing in scene.things if thing.number in drawn}
    return Shown(look.image, truth)


def read_marks(model: BaseChatModel, name: str, profile: Profile, picture: Image) -> str:
    """What the model says to the picture; "" where it says nothing.

    Raises:
        AnswererError: it could not be reached, or refused the request.
    """
    from langchain_core.messages import HumanMessage

    prompt = HumanMessage([image_block(picture), {"type": "text", "text": INSTRUCTION}])
    return background.run(Caller(model, name, profile)(Request([prompt], "calibrate"))).text


def listed(text: str) -> dict[int, Named]:
    """The items of a reply by number, however they are written; of two with one number the first.

    Read are "3: red circle", "3. a red circle", "[3] red circle", "mark 3 is the red circle", "the red circle
    (3)", and lists whose own count stands before the mark, as in "1. Mark 7: red circle".
    """
    items: dict[int, Named] = {}
    for item in _ITEMS.split(text):
        number = _number(item)
        if number is None:
            continue
        color, shape = _COLOR.search(item), _SHAPE.search(item)
        if color is None and shape is None:
            continue  # "There are 8 items:" names none
        named = (color[1].lower() if color else None, shape.lastgroup if shape else None)
        items.setdefault(number, named)
    return items


def score(truth: Shown, text: str) -> Score:
    """What a reply is worth."""
    named = listed(text)
    pairs = [(right, named.get(number, (None, None))) for number, right in truth.truth.items()]
    return Score(
        marks=len(pairs),
        right=sum(right == said for right, said in pairs),
        right_color=sum(right[0] == said[0] for right, said in pairs),
        right_shape=sum(right[1] == said[1] for right, said in pairs),
        invented=len(named.keys() - truth.truth.keys()),
        guessing=truth.guessing,
    )


def _number(item: str) -> int | None:
    """The mark that a line is about."""
    if found := _SAID.search(item):
        return int(found[1] or found[2])
    if leading := _LEADING.match(item):
        # "1. 7: red circle" counts its lines first.
        second = re.match(r"[.)]\s+\W*(\d+)\s*[:.)\]-]", item[leading.end() :])
        return int(second[1] if second else leading[1])
    numbers = re.findall(r"\d+", item)
    return int(numbers[0]) if len(numbers) == 1 else None
