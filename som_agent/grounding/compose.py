"""A reply becomes an answer: marks with times and evidence, claims, and what nothing supports."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from som_agent.answer import Answer, Claim, Evidence, GroundedMark, Moment, Unsupported
from som_agent.grounding.citations import cited_marks
from som_agent.grounding.intervals import visible_intervals
from som_agent.grounding.keyframes import named_times
from som_agent.grounding.statements import Said, Statement
from som_agent.history import VISIBLE, History
from som_agent.keyframes import Keyframe
from som_agent.lmm.calls.caller import Reply

__all__ = ["composed"]

_MOST_UNKNOWN = 20
_TEXT_CHARS = 300


def composed(
    question: str,
    history: History,
    shown: Sequence[Keyframe],
    reply: Reply | None,
    said: Said,
    notes: Sequence[Unsupported] = (),
) -> Answer:
    """The answer that a reply amounts to.

    Args:
        question: as it was asked.
        history: what was seen.
        shown: the pictures that the model was shown.
        reply: None where there was none; `notes` says why.
        said: the reply in parts.
        notes: what went wrong on the way.

    Returns:
        Every existing mark that the reply cites, with the pictures shown as evidence. What names no existing
        mark, one in none of the pictures, or one that is not visible at the time that is spoken of, is
        `unsupported` with the reason, as is a reply that cites nothing.
    """
    frames = history.frames
    as_of = Moment(int(frames[-1]), float(history.times[-1])) if len(frames) else None
    if reply is None:
        return Answer("", [], list(notes), segmenter=history.segmenter, as_of=as_of, history=history)
    claims = [_claim(part, history, reply) for part in said.statements if part.marks]
    return Answer(
        text=said.text,
        marks=[_grounded(mark, history, shown, claims) for mark in said.marks],
        unsupported=[*_unsupported(question, history, shown, reply, said), *notes],
        segmenter=history.segmenter,
        claims=claims,
        none_such=said.none_such,
        as_of=as_of,
        history=history,
    )


def _claim(part: Statement, history: History, reply: Reply) -> Claim:
    seen = [visible_intervals(history.traces[mark], frames=history.frames) for mark in part.marks]
    spans = _spans(part, history)
    if spans:
        seen.append(spans)
    together = seen[0]
    for others in seen[1:]:
        together = _overlap(together, others)
    confidence = part.confidence
    if confidence is None:
        confidence = _probability([history.marks[mark].label for mark in part.marks], reply.logprobs)
    return Claim(part.text, part.marks, together, confidence)


def _spans(part: Statement, history: History) -> list[tuple[float, float]]:
    """The times of which a statement speaks; none where it names none."""
    if part.span is not None:
        return [part.span]
    start, end = (float(history.times[0]), float(history.times[-1])) if len(history.times) else (0.0, 0.0)
    return named_times(part.text, start, end)


def _overlap(
    some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """The stretches in both lists. A single moment that lies in a stretch is one, of no length."""
    both = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return sorted((a, b) for a, b in both if a <= b)


def _probability(labels: Sequence[str], logprobs: Sequence[tuple[str, float]]) -> float | None:
    """How probable the least certain of the labels was as it was written; None where that is not known."""
    text, owner = "", list[int]()
    for k, (token, _) in enumerate(logprobs):
        text += token
        owner += [k] * len(token)
    found = []
    for label in labels:
        match = re.search(rf"(?<![\w.]){re.escape(label)}(?![\w.]\d)(?!\w)", text)
        if match is None:
            return None
        tokens = set(owner[match.start() : match.end()])
        found.append(math.exp(sum(logprobs[k][1] for k in tokens)))
    return min(found, default=None)


def _grounded(
    mark: int, history: History, shown: Sequence[Keyframe], claims: Sequence[Claim]
) -> GroundedMark:
    """A cited mark with its times and, as evidence, the frames shown that have it."""
    trace = history.traces[mark]
    rows = []
    for frame in dict.fromkeys(keyframe.frame for keyframe in shown):
        at = np.flatnonzero((trace.frames == frame) & (trace.states == VISIBLE))
        rows += at[:1].tolist()
    seen = np.flatnonzero(trace.states == VISIBLE)
    if not rows and len(seen):
        # No picture shows it: `_unsupported` says so. Where it is largest, a person can check all the same.
        rows = [int(seen[trace.areas[seen].argmax()])]
    evidence = []
    for row in rows:
        x0, y0, x1, y1 = (float(v) for v in trace.boxes[row])
        evidence.append(
            Evidence(
                frame=int(trace.frames[row]),
                time=float(trace.times[row]),
                box=(x0, y0, x1, y1),
                anchor=(float(trace.anchors[row, 0]), float(trace.anchors[row, 1])),
            )
        )
    visible = visible_intervals(trace, frames=history.frames)
    own = [claim for claim in claims if mark in claim.marks]
    said = sorted({span for claim in own for span in claim.intervals})
    whole = not said or any(not claim.intervals for claim in own)
    return GroundedMark(mark, history.marks[mark].label, visible if whole else _joined(said), evidence)


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches in time order, those that overlap made one."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _unsupported(
    question: str, history: History, shown: Sequence[Keyframe], reply: Reply, said: Said
) -> list[Unsupported]:
    """Everything in the exchange that no mark supports, with the reason."""
    if reply.refusal is not None:
        return [
            Unsupported(question, f"the model refused to answer{f': {reply.refusal}' * bool(reply.refusal)}")
        ]
    if not said.text:
        return [Unsupported(question, "the model returned an empty reply")]
    found: list[Unsupported] = []
    if reply.cut:
        found.append(Unsupported(said.text[-80:], "the reply was cut off at the model's limit of tokens"))
    found += [Unsupported(phrase, "the model sees it, but it carries no mark") for phrase in said.not_marked]
    known = ", ".join(info.label for info in history.marks.values()) or "none"
    found += [
        Unsupported(_short(question), f"there is no mark {label}; the marks are {known}")
        for label in cited_marks(question, history.marks).unknown
        if label not in said.unknown
    ]
    if said.none_such:  # what it cites all the same, it cites to say what is there instead
        found.append(Unsupported(question, "the model finds no marked object that fits"))
    if not said.statements:
        if not (said.none_such or said.not_marked):
            reason = "the reply cites no mark, so nothing that was seen supports it"
            found.append(Unsupported(_short(said.text), reason))
        return found
    for label in said.unknown[:_MOST_UNKNOWN]:
        sentence = next(part.text for part in said.statements if label in part.unknown)
        found.append(Unsupported(_short(sentence), f"there is no mark {label}; the marks are {known}"))
    if len(said.unknown) > _MOST_UNKNOWN:
        more = len(said.unknown) - _MOST_UNKNOWN
        found.append(Unsupported(_short(said.text), f"{more} more labels that it cites are no marks"))
    if said.left_out:
        found.append(
            Unsupported(_short(said.text), f"{said.left_out} more of its statements were not taken up")
        )
    visible = {mark for keyframe in shown for mark in keyframe.marks}
    for mark in said.marks:
        if mark not in visible:
            label = history.marks[mark].label
            sentence = next(part.text for part in said.statements if mark in part.marks)
            reason = f"mark {label} is in none of the pictures that the model was shown"
            found.append(Unsupported(_short(sentence), reason))
    return found + _unseen(history, said)


def _unseen(history: History, said: Said) -> list[Unsupported]:
    """Statements about a time at which their mark is not visible: no mask shows what they say."""
    found = []
    for part in said.statements:
        spans = _spans(part, history)
        for mark in part.marks:
            seen = visible_intervals(history.traces[mark], frames=history.frames)
            if spans and not _overlap(seen, spans):
                when = " and ".join(f"{a:.2f} s" if a == b else f"{a:.2f} to {b:.2f} s" for a, b in spans)
                reason = f"mark {history.marks[mark].label} is not visible at {when}: no mask shows it"
                found.append(Unsupported(_short(part.text), reason))
    return found


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…"
