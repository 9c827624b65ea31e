"""A second look at each claim: one mark alone, in its frame and from near, and the model accepts or rejects.

After the check of each mask in the SAM 3 agent; here for marks in video, all of them asked side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from som_agent.answer import Answer, Claim, Evidence, Unsupported
from som_agent.errors import AnswererError
from som_agent.grounding.prompts import verify_prompt
from som_agent.history import History
from som_agent.keyframes import Pictures, Wanted
from som_agent.lmm.calls.caller import Reply, Request
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import Profile
from som_agent.marks.view import MOST_PX, View
from som_agent.video.frame import Image

__all__ = ["verdict_requests", "verdicts"]

MARGIN = 0.25
"""Room around the object in the closer look, as a share of its longer side."""
_WORD = re.compile(r"\b(accept|reject)(?:ed|s)?\b", re.I)
Key = tuple[int, int]
"""Which claim, and which of its marks."""


def verdict_requests(
    question: str, answer: Answer, history: History, pictures: Pictures, profile: Profile
) -> dict[Key, Request]:
    """A request for each mark of each claim; none where no frame shows the mark any more."""
    from langchain_core.messages import HumanMessage

    evidence = {known.mark: known.evidence for known in answer.marks}
    requests = {}
    for k, claim in enumerate(answer.claims):
        for mark in claim.marks:
            seen = _best(evidence[mark], claim)
            looks = None if seen is None else _looks(mark, seen, history, pictures, profile)
            if seen is None or looks is None:
                continue
            text = verify_prompt(question, claim.text, history.marks[mark].label, seen.time)
            blocks = [{"type": "text", "text": text}, *(image_block(look) for look in looks)]
            requests[k, mark] = Request([HumanMessage(list(blocks))], "verify")
    return requests


def verdicts(answer: Answer, outcomes: Mapping[Key, Reply | AnswererError]) -> Answer:
    """The answer after the second look: a mark of which nothing was accepted is no longer named in it."""
    claims, notes = [], []
    rejected, kept = set[int](), set[int]()
    for k, claim in enumerate(answer.claims):
        each = []
        for mark in claim.marks:
            holds, why = _verdict(outcomes.get((k, mark)))
            each.append(holds)
            (rejected if holds is False else kept).add(mark)
            if holds is not True:
                result = "was rejected" if holds is False else "could not be verified"
                reason = f"shown mark {_label(answer, mark)} alone, it {result}: {why}"
                notes.append(Unsupported(claim.text, reason))
        verified = False if False in each else None if None in each else True
        claims.append(replace(claim, verified=verified))
    marks = [known for known in answer.marks if known.mark not in rejected - kept]
    return replace(answer, claims=claims, marks=marks, unsupported=[*answer.unsupported, *notes])


def _verdict(outcome: Reply | AnswererError | None) -> tuple[bool | None, str]:
    """Whether the model accepts, None where it said neither; and its words, or why there are none."""
    if outcome is None:
        return None, "no frame that is kept shows it"
    if isinstance(outcome, AnswererError):
        return None, str(outcome)
    words = _WORD.findall(outcome.text)
    text = " ".join(outcome.text.split())[:200]
    if not words:
        return None, f"the reply was neither: {text!r}"
    return words[0].lower() == "accept", text


def _best(evidence: Sequence[Evidence], claim: Claim) -> Evidence | None:
    """The sight in which the object is largest, one at a time that the claim speaks of if there is one."""

    def area(seen: Evidence) -> float:
        x0, y0, x1, y1 = seen.box
        return (x1 - x0) * (y1 - y0)

    then = [seen for seen in evidence if any(a <= seen.time <= b for a, b in claim.intervals)]
    return max(then or evidence, key=area, default=None)


def _looks(
    mark: int, seen: Evidence, history: History, pictures: Pictures, profile: Profile
) -> tuple[Image, Image] | None:
    """The frame with one mark, and the surroundings of its object; None where the frame is gone."""
    view = profile.view
    whole = pictures([seen.frame], Wanted(view, [mark], [mark], 1, profile.draw))
    fine = View.of_side(min(max(history.size), MOST_PX))
    near = pictures([seen.frame], Wanted(fine, [mark], [mark], 1, profile.draw))
    if not whole or not near or mark not in whole[0].marks or near[0].frame != seen.frame:
        return None
    image = near[0].image
    scale = image.shape[1] / history.size[0]
    x0, y0, x1, y1 = (v * scale for v in seen.box)
    room = MARGIN * max(x1 - x0, y1 - y0) + 8
    h, w = image.shape[:2]
    left, top = max(0, int(x0 - room)), max(0, int(y0 - room))
    right, bottom = min(w, int(np.ceil(x1 + room))), min(h, int(np.ceil(y1 + room)))
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    size = replace(view, enlarge=4.0).size((crop.shape[1], crop.shape[0]))
    method = cv2.INTER_AREA if size[0] < crop.shape[1] else cv2.INTER_CUBIC
    return whole[0].image, np.asarray(cv2.resize(crop, size, interpolation=method), np.uint8)


def _label(answer: Answer, mark: int) -> str:
    return next(known.label for known in answer.marks if known.mark == mark)
