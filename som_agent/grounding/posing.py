"""A question posed: which frames to show, how they are drawn, and what is said with them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from som_agent.grounding.asking import Asking
from som_agent.grounding.keyframes import frames_for_marks, named_times
from som_agent.grounding.prompts import frame_caption, plain_caption, question_prompt, system_prompt
from som_agent.grounding.relevance import ranked, relevance
from som_agent.history import History
from som_agent.keyframes import Keyframe, Pictures, Wanted
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import Profile

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["Seen", "posed"]

_REPLY_TOKENS = 1024
"""Room that is left for a reply where a prompt must fit."""


@dataclass(frozen=True)
class Seen:
    """What there is to ask about: what was seen, and how its frames are drawn."""

    history: History
    pictures: Pictures


def posed(
    question: str,
    seen: Seen,
    profile: Profile,
    asking: Asking,
    found: str = "",
    last: Container[int] = (),
) -> tuple[list[Keyframe], list[BaseMessage]]:
    """The pictures that a model is shown for a question, and the whole prompt; both empty without a frame.

    Args:
        question: as it was asked.
        seen: what there is to ask about.
        profile: how the model sees, and what it takes.
        asking: how it is asked.
        found: what a search of the newest frame has found, which is then among those shown; "" for none.
        last: marks that are drawn only if there is room beside the others: they were shown before.
    """
    from langchain_core.messages import HumanMessage, SystemMessage

    shown, order = _look(question, seen, profile, asking, found, last)
    if not shown:
        return [], []
    content = _content(question, seen.history, shown, order, asking.plain, found)
    return shown, [SystemMessage(system_prompt(seen.history)), HumanMessage(content)]


def _look(
    question: str, seen: Seen, profile: Profile, asking: Asking, found: str, last: Container[int]
) -> tuple[list[Keyframe], list[int]]:
    """The pictures for a question, and the marks in the order in which they matter for it."""
    history, view = seen.history, profile.view
    if not len(history.frames):
        return [], []
    start, end = float(history.times[0]), float(history.times[-1])
    pictures = _room(history, profile, asking)
    times = named_times(question, start, end)
    if found:  # in the newest frame
        times = [*times, (end, end)] if times else [(start, end), (end, end)]
    about = f"{question} {found}"  # its marks are to be drawn like those that the question names
    chosen = frames_for_marks(
        history,
        min(asking.frames, pictures),
        pictures,
        view.marks,
        times,
        weights=relevance(about, history),
    )
    order, named = ranked(about, history, chosen)
    order.sort(key=lambda mark: mark in last)
    return seen.pictures(chosen, Wanted(view, order, named, pictures, profile.draw)), order


def _room(history: History, profile: Profile, asking: Asking) -> int:
    """Most pictures that the model takes in one prompt and that the limits allow; at least one."""
    pair = 2 if asking.plain else 1
    most = min(asking.pictures, max(profile.pictures // pair, 1))
    if asking.limits.pictures is not None:
        most = min(most, max(asking.limits.pictures // pair, 1))
    each = pair * profile.picture_tokens(profile.view.shrunk(profile.view.size(history.size)))
    words = profile.tokens(system_prompt(history) + question_prompt("", history, ()), []) + _REPLY_TOKENS
    for limit in (profile.context_tokens, asking.limits.tokens):
        if limit is not None and each:
            most = min(most, (limit - words) // each)
    return max(most, 1)


def _content(
    question: str,
    history: History,
    shown: Sequence[Keyframe],
    order: Sequence[int],
    plain: bool,
    found: str,
) -> list[str | dict[Any, Any]]:
    """The user's message: each picture after its caption, then the marks in words and the question."""
    content: list[str | dict[Any, Any]] = []
    for keyframe in shown:
        if plain and keyframe.plain is not None and keyframe.part == 1:
            content.append({"type": "text", "text": plain_caption(keyframe)})
            content.append(image_block(keyframe.plain))
        content.append({"type": "text", "text": frame_caption(keyframe, history)})
        content.append(image_block(keyframe.image))
    content.append({"type": "text", "text": question_prompt(question, history, shown, order)})
    if found:
        content.append({"type": "text", "text": f"Found by a search of the newest frame: {found}."})
    return content
