"""A question to a vision-language model, and what its reply is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from som_agent.answer import Answer, Evidence, GroundedMark, Unsupported
from som_agent.errors import AnswererError, SomError, first_line
from som_agent.grounding.citations import Citations, cited_marks
from som_agent.grounding.intervals import visible_intervals
from som_agent.grounding.keyframes import frames_for_marks, named_times
from som_agent.grounding.prompts import (
    NOTHING_FITS,
    frame_caption,
    plain_caption,
    question_prompt,
    repair_prompt,
    system_prompt,
)
from som_agent.grounding.relevance import ranked
from som_agent.history import VISIBLE, History
from som_agent.keyframes import Keyframe, Pictures, Wanted
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import profile_of

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

__all__ = ["answer"]

_HINTS = {
    401: "check the API key",
    403: "the key has no access to this model",
    404: "check the model's name and the address of the server",
    413: "show it fewer or smaller pictures",
    429: "the rate limit or the quota is reached; wait or raise it",
}


def answer(
    question: str,
    history: History,
    pictures: Pictures,
    model: BaseChatModel,
    name: str,
    *,
    frames: int = 4,
    budget: int = 6,
    plain: bool = False,
    max_repairs: int = 1,
) -> Answer:
    """Ask a chat model about what was seen, and check every mark that it names.

    Args:
        question: in any language that the model understands.
        history: what was seen.
        pictures: draws frames with their marks, as large as the model sees them. It may return fewer, or
            others near them, where a live session has let them go.
        model: a LangChain chat model that takes pictures.
        name: the model's name, for the answer and for errors.
        frames: most frames.
        budget: most pictures with marks: a frame with more marks than the model reads in one picture is shown
            in several. What finds no room is said to the model, and stays in the list of marks.
        plain: show each frame without marks, too, before its pictures with marks; not part of the budget.
        max_repairs: how often a reply that names marks which do not exist is sent back.

    Returns:
        The reply as it is. Its citations are `marks`, with the pictures shown as evidence; what names no
        existing mark, or a mark in none of the pictures, is `unsupported` with the reason, as is a reply
        without citations.

    Raises:
        AnswererError: the model could not be reached or refused the request.
    """
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    start, end = (float(history.times[0]), float(history.times[-1])) if len(history.times) else (0.0, 0.0)
    view = profile_of(model, name).view
    chosen = frames_for_marks(history, frames, budget, view.marks, named_times(question, start, end))
    order, named = ranked(question, history, chosen)
    shown = pictures(chosen, Wanted(view, order, named, budget)) if chosen else []

    def result(text: str, marks: list[GroundedMark], unsupported: list[Unsupported]) -> Answer:
        return Answer(text, marks, unsupported, lmm=name, segmenter=history.segmenter)

    if not shown:
        return result("", [], [Unsupported(question, "there is no frame to show to the model")])
    messages: list[BaseMessage] = [
        SystemMessage(system_prompt(history)),
        HumanMessage(_content(question, history, shown, order, plain)),
    ]
    reply = _invoke(model, messages, name)
    text = _text(reply)
    citations = cited_marks(text, history.marks)
    for _ in range(max_repairs):
        if not citations.unknown:
            break
        messages += [AIMessage(text), HumanMessage(repair_prompt(citations.unknown, history))]
        repaired = _invoke(model, messages, name)
        if not _text(repaired):
            break  # the first reply at least says something
        reply, text = repaired, _text(repaired)
        citations = cited_marks(text, history.marks)
    marks = [_grounded(mark, history, shown) for mark in citations.marks]
    return result(text, marks, _unsupported(question, reply, citations, history, shown))


def _content(
    question: str, history: History, shown: Sequence[Keyframe], order: Sequence[int], plain: bool
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
    return content


def _invoke(model: BaseChatModel, messages: list[BaseMessage], name: str) -> AIMessage:
    """Call the model; whatever its provider raises becomes one clear line."""
    try:
        return model.invoke(messages)
    except SomError:
        raise
    except Exception as error:  # each provider has exceptions of its own; nothing is hidden, it is chained
        line = first_line(error)
        causes = []
        cause = error.__cause__
        while cause is not None:
            causes.append(first_line(cause))
            cause = cause.__cause__
        if causes and causes[-1] not in line:
            line += f" ({causes[-1]})"
        hint = _HINTS.get(getattr(error, "status_code", None) or 0)
        raise AnswererError(
            f"model {name!r} failed to answer: {line[:400]}" + (f"; {hint}" if hint else "")
        ) from error


def _text(reply: AIMessage) -> str:
    return str(reply.text).strip()


def _grounded(mark: int, history: History, shown: Sequence[Keyframe]) -> GroundedMark:
    """A cited mark with its times and, as evidence, the pictures that show it."""
    trace = history.traces[mark]
    rows = []
    for frame in dict.fromkeys(keyframe.frame for keyframe in shown):
        at = np.flatnonzero((trace.frames == frame) & (trace.states == VISIBLE))
        rows += at[:1].tolist()
    seen = np.flatnonzero(trace.states == VISIBLE)
    if not rows and len(seen):
        # No picture shows it: `_unsupported` says so. Where it is largest, a person can check all the same.
        rows = [int(seen[trace.areas[seen].argmax()])]
    evidence = [
        Evidence(
            frame=int(trace.frames[row]),
            time=float(trace.times[row]),
            box=_four(trace.boxes[row]),
            anchor=(float(trace.anchors[row, 0]), float(trace.anchors[row, 1])),
        )
        for row in rows
    ]
    intervals = visible_intervals(trace, frames=history.frames)
    return GroundedMark(mark, history.marks[mark].label, intervals, evidence)


def _four(box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(v) for v in box)
    return x0, y0, x1, y1


def _unsupported(
    question: str, reply: AIMessage, citations: Citations, history: History, shown: Sequence[Keyframe]
) -> list[Unsupported]:
    """Everything in the exchange that no mark supports, with the reason."""
    text = _text(reply)
    refusal = _refusal(reply)
    if refusal is not None:
        return [Unsupported(question, f"the model refused to answer{': ' + refusal if refusal else ''}")]
    if not text:
        return [Unsupported(question, "the model returned an empty reply")]
    found: list[Unsupported] = []
    if reply.response_metadata.get("finish_reason") == "length":
        found.append(Unsupported(text[-80:], "the reply was cut off at the model's limit of tokens"))
    if not citations.marks and not citations.unknown:
        if re.match(rf"\W*{NOTHING_FITS}\b", text, re.I):
            return [*found, Unsupported(question, "the model finds no marked object that fits")]
        return [*found, Unsupported(text, "the reply cites no mark, so nothing that was seen supports it")]
    known = ", ".join(info.label for info in history.marks.values()) or "none"
    for label in citations.unknown:
        sentence = _sentence(text, history, label) or f"[{label}]"
        found.append(Unsupported(sentence, f"there is no mark {label}; the marks are {known}"))
    visible = {mark for keyframe in shown for mark in keyframe.marks}
    for mark in citations.marks:
        if mark not in visible:
            label = history.marks[mark].label
            sentence = _sentence(text, history, mark) or f"[{label}]"
            found.append(
                Unsupported(sentence, f"mark {label} is in none of the pictures that the model was shown")
            )
    return found


def _refusal(reply: AIMessage) -> str | None:
    """Why the model refused, "" where it gave no reason; None where it did not refuse."""
    said = reply.additional_kwargs.get("refusal")
    if said:
        return str(said)
    if isinstance(reply.content, list):
        for block in reply.content:
            if isinstance(block, dict) and block.get("type") == "refusal":
                return str(block.get("refusal", ""))
    metadata = reply.response_metadata
    stopped = {metadata.get("finish_reason"), metadata.get("stop_reason")}
    return "" if stopped & {"content_filter", "refusal", "SAFETY"} and not _text(reply) else None


def _sentence(text: str, history: History, cited: str | int) -> str | None:
    """The first sentence that cites a mark (a number), or a label that the table lacks (a text)."""
    for sentence in re.split(r"(?<=[.!?。！？])\s+|\n+", text):
        citations = cited_marks(sentence, history.marks)
        if cited in citations.marks or cited in citations.unknown:
            return sentence.strip()
    return None
