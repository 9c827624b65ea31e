"""Set-of-Mark's question for video segmentation: which mark of the second picture is which of the first?

Both pictures are marked on their own, so that their numbers have nothing to do with each other, and the model
tells which objects are the same (arXiv 2310.11441, DAVIS). The masks of the second picture, with the numbers
of the first, are the segmentation. It needs no tracker: any gap in time and any cut between the two will do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from som_agent.answer import Unsupported
from som_agent.errors import LimitError, UnansweredError
from som_agent.grounding.asking import Asking
from som_agent.keyframes import Keyframe, Wanted, keyframes
from som_agent.lmm.calls import background
from som_agent.lmm.calls.caller import Caller, Request
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import Profile, profile_of
from som_agent.marks.marked import MarkedFrame

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from som_agent.lmm.calls.limits import Usage

__all__ = ["Correspondence", "acorrespond", "correspond"]

_PROMPT = """\
Two pictures of the same video. Each is marked on its own: the same number in both says nothing.
For each mark of the first picture, write one line: the mark, an arrow, and the mark of the same object in \
the second picture, or none if it is not there. For example: 1 -> 4"""
_REPAIR = """\
The second picture has no mark {unknown}; its marks are {second}. Write all lines anew."""
_LINE = re.compile(
    r"^\W*(?:marks?\s+)?\[?(\w+)\]?\s*(?:-+>|=+>|→|⇒|=|:|\bis\b|\bto\b)\s*(?:marks?\s+)?\[?(\w+)\]?",
    re.I | re.M,
)
_NONE = {"none", "nothing", "absent", "no", "gone", "missing"}
_DEFAULT = Asking()


@dataclass(frozen=True)
class Correspondence:
    """Which marks of two pictures are the same objects.

    Attributes:
        pairs: mark of the first picture → mark of the second, None where the object is not there. Marks of
            which nothing usable was said are left out, and are in `unsupported`.
        unsupported: what could not be used, and why.
        usage: what asking cost.
    """

    pairs: dict[int, int | None]
    unsupported: list[Unsupported] = field(default_factory=list)
    usage: Usage | None = None


def correspond(
    first: MarkedFrame, second: MarkedFrame, model: BaseChatModel, name: str, asking: Asking = _DEFAULT
) -> Correspondence:
    """Ask which marks of two frames are the same objects.

    Args:
        first: a frame with marks.
        second: another, marked independently.
        model: a LangChain chat model that takes pictures.
        name: the model's name, for errors and its profile.
        asking: how it is asked.

    Raises:
        AnswererError: the request itself was refused.
    """
    return background.run(acorrespond(first, second, model, name, asking))


async def acorrespond(
    first: MarkedFrame, second: MarkedFrame, model: BaseChatModel, name: str, asking: Asking = _DEFAULT
) -> Correspondence:
    """As `correspond`, asynchronous."""
    from langchain_core.messages import AIMessage, HumanMessage

    profile = asking.profile or profile_of(model, name)
    caller = Caller(model, name, profile, limits=asking.limits, attempts=asking.tries)
    most = max(min(asking.pictures, profile.pictures) // 2, 1)
    looks = [_looks(marked, profile, most) for marked in (first, second)]
    here, there = (_drawn(marked, shown) for marked, shown in zip((first, second), looks, strict=True))
    missing = [
        Unsupported(f"mark {info.label}", "it found no room in the pictures of the first frame")
        for info in first.infos
        if info.label not in here
    ]
    if not here or not there:
        nothing = Unsupported("the two pictures", "one of them shows no marks")
        return Correspondence({}, [*missing, nothing], caller.usage)
    content: list[str | dict[Any, Any]] = []
    for nth, shown, drawn in zip(("First", "Second"), looks, (here, there), strict=True):
        for picture in shown:
            labels = ", ".join(label for label, mark in drawn.items() if mark in picture.marks)
            part = f", part {picture.part} of {picture.parts}" if picture.parts > 1 else ""
            caption = f"{nth} picture{part}, at {picture.time:.2f} s, marks shown: {labels}."
            content += [{"type": "text", "text": caption}, image_block(picture.image)]
    messages: list[BaseMessage] = [HumanMessage([*content, {"type": "text", "text": _PROMPT}])]
    said: dict[str, str] = {}
    for _ in range(1 + asking.repairs):
        try:
            reply = await caller(Request(messages, "two frames"))
        except (LimitError, UnansweredError) as error:
            missing.append(Unsupported("the two pictures", str(error)))
            break
        said = dict(_LINE.findall(reply.text))
        unknown = [to for to in said.values() if to.lower() not in _NONE and to not in there]
        if said and not unknown:
            break
        repair = _REPAIR.format(unknown=", ".join(unknown) or "named in your reply", second=", ".join(there))
        messages = [*messages, AIMessage(reply.text or "…"), HumanMessage(repair)]
    pairs, problems = _paired(said, here, there)
    return Correspondence(pairs, [*missing, *problems], caller.usage)


def _looks(marked: MarkedFrame, profile: Profile, most: int) -> list[Keyframe]:
    """The frame as the model is shown it: at most so many pictures, the largest marks first."""
    order = sorted(range(len(marked.infos)), key=lambda k: -int(marked.regions.areas[k]))
    marks = [marked.infos[k].mark for k in order]
    return keyframes([marked], Wanted(profile.view, marks, budget=most, draw=profile.draw))


def _drawn(marked: MarkedFrame, shown: Sequence[Keyframe]) -> dict[str, int]:
    """Label → mark of those that can be read in the pictures of a frame."""
    read = {mark for picture in shown for mark in picture.marks}
    return {info.label: info.mark for info in marked.infos if info.mark in read}


def _paired(
    said: Mapping[str, str], here: Mapping[str, int], there: Mapping[str, int]
) -> tuple[dict[int, int | None], list[Unsupported]]:
    pairs: dict[int, int | None] = {}
    problems = []
    for label, mark in here.items():
        to = said.get(label)
        if to is None:
            problems.append(Unsupported(f"mark {label}", "the reply says nothing of it"))
        elif to.lower() in _NONE and to not in there:
            pairs[mark] = None
        elif to not in there:
            problems.append(Unsupported(f"{label} -> {to}", f"the second picture has no mark {to}"))
        elif there[to] in pairs.values():
            problems.append(Unsupported(f"{label} -> {to}", f"mark {to} was given to another mark already"))
        else:
            pairs[mark] = there[to]
    problems += [
        Unsupported(f"{label} -> {to}", f"the first picture has no mark {label}")
        for label, to in said.items()
        if label not in here
    ]
    return pairs, problems
