"""What a reply says: its statements with the marks that each cites, as data where the model gave data.

A model that holds its replies to a schema fills in `AnswerForm`. All others write text; where that is JSON
all the same, whole or broken off, it is read as the form, and else sentence by sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from som_agent.grounding.citations import cited_marks
from som_agent.grounding.prompts import NOT_MARKED, NOTHING_FITS
from som_agent.history import MarkInfo

__all__ = ["AnswerForm", "Said", "Statement", "read"]

_MOST_STATEMENTS = 60
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_FENCED = re.compile(r"```(?:json)?\s*(.*?)(?:```|\Z)", re.S)
_NOTHING = re.compile(rf"\W*{NOTHING_FITS}\b", re.I)
_UNMARKED = re.compile(rf"\b{NOT_MARKED}\s*:\s*([^\n.;。]{{1,120}})", re.I)


class ClaimForm(BaseModel):
    """One thing that your answer says."""

    text: str = Field(description="the statement, one sentence")
    marks: list[str] = Field(description="labels of the marks that it is about, as they are drawn")
    start_s: float | None = Field(default=None, description="second from which it holds, if you can tell")
    end_s: float | None = Field(default=None, description="second until which it holds, if you can tell")
    confidence: float | None = Field(default=None, description="how sure you are, from 0 to 1")


class AnswerForm(BaseModel):
    """Your whole answer. Every object in it is named by its mark."""

    answer: str = Field(description="the answer in words, with marks in square brackets, like [3]")
    claims: list[ClaimForm] = Field(default_factory=list, description="all that the answer says, one by one")
    no_such_object: bool = Field(default=False, description="true if none of the marked objects fits")
    not_marked: list[str] = Field(
        default_factory=list,
        description="short phrases for things that the question is about and that are seen without a mark",
    )


@dataclass(frozen=True)
class Statement:
    """A part of a reply.

    Attributes:
        text: as it was written.
        marks: marks of the table that it cites.
        unknown: what it cites that the table lacks, as written.
        span: seconds for which it is said, where the model gave them as data.
        confidence: the model's own figure, 0 to 1, where it gave one.
    """

    text: str
    marks: tuple[int, ...]
    unknown: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Said:
    """A reply in parts.

    Attributes:
        text: the answer in words.
        statements: what of it cites something, at most 60; `left_out` counts more.
        none_such: it says that no marked object fits.
        not_marked: phrases of things that it misses a mark on.
        left_out: statements that were not taken up.
    """

    text: str
    statements: tuple[Statement, ...] = ()
    none_such: bool = False
    not_marked: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def marks(self) -> tuple[int, ...]:
        """All marks that it cites, each once, in order."""
        return tuple(dict.fromkeys(mark for part in self.statements for mark in part.marks))

    @property
    def unknown(self) -> tuple[str, ...]:
        """All labels that it cites and that no mark has, each once, in order."""
        return tuple(dict.fromkeys(label for part in self.statements for label in part.unknown))


def read(text: str, data: Mapping[str, Any] | None, marks: Mapping[int, MarkInfo]) -> Said:
    """Read a reply.

    Args:
        text: what was written.
        data: the form as the model filled it in; it may lack fields, or have them of any type.
        marks: the mark table.
    """
    form = data if data is not None else _form_in(text)
    if form is None:
        return _read_text(text, marks)
    words = form.get("answer")
    words = words.strip() if isinstance(words, str) else ""
    said = _read_text(words, marks)
    claims = form.get("claims")
    parts = [_claimed(claim, marks) for claim in claims] if isinstance(claims, list) else []
    stated = [part for part in parts if part is not None]
    # What the words cite beyond the claims is a statement as well; what a claim repeats is not.
    told = {name for part in stated for name in (*part.marks, *part.unknown)}
    stated += [part for part in said.statements if not told.issuperset((*part.marks, *part.unknown))]
    missing = form.get("not_marked")
    phrases = [p.strip() for p in missing if isinstance(p, str)] if isinstance(missing, list) else []
    return Said(
        text=words or " ".join(part.text for part in stated),
        statements=tuple(stated[:_MOST_STATEMENTS]),
        none_such=(form.get("no_such_object") is True and not stated) or said.none_such,
        not_marked=tuple(dict.fromkeys(filter(None, (*phrases, *said.not_marked)))),
        left_out=max(0, len(stated) - _MOST_STATEMENTS) + said.left_out,
    )


def _read_text(text: str, marks: Mapping[int, MarkInfo]) -> Said:
    parts = []
    for sentence in _SENTENCE.split(text):
        cited = cited_marks(sentence, marks)
        if (cited.marks or cited.unknown) and not _UNMARKED.search(sentence):
            parts.append(Statement(sentence.strip(), cited.marks, cited.unknown))
    return Said(
        text=text,
        statements=tuple(parts[:_MOST_STATEMENTS]),
        none_such=bool(_NOTHING.match(text)),
        not_marked=tuple(dict.fromkeys(m.strip(" \"'*") for m in _UNMARKED.findall(text))),
        left_out=max(0, len(parts) - _MOST_STATEMENTS),
    )


def _claimed(claim: Any, marks: Mapping[int, MarkInfo]) -> Statement | None:
    """A claim of the form; None where it is none."""
    if not isinstance(claim, dict):
        return None
    words = claim.get("text")
    words = words.strip() if isinstance(words, str) else ""
    labels = claim.get("marks")
    labels = labels if isinstance(labels, list) else [labels]
    named = " ".join(_bracketed(label) for label in labels if isinstance(label, str | int))
    cited = cited_marks(f"{named}\n{words}", marks)
    if not (cited.marks or cited.unknown):
        return None
    start, end = _number(claim.get("start_s")), _number(claim.get("end_s"))
    ends = [value for value in (start, end) if value is not None]
    sure = _number(claim.get("confidence"))
    return Statement(
        text=words or named,
        marks=cited.marks,
        unknown=cited.unknown,
        span=(min(ends), max(ends)) if ends else None,
        confidence=None if sure is None else min(max(sure if sure <= 1 else sure / 100, 0.0), 1.0),
    )


def _bracketed(label: str | int) -> str:
    """A label as a citation: models write "3", "[3]", "#3" and "mark 3" for the same."""
    return f"[{re.sub(r'^(?:marks?|objects?)?[ #]*', '', str(label).strip(' []'), flags=re.I)}]"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _form_in(text: str) -> dict[str, Any] | None:
    """The form that a text holds, written as JSON; broken off it is read as far as it goes."""
    fenced = _FENCED.search(text)
    body = (fenced[1] if fenced else text).strip()
    if not body.startswith("{"):
        return None
    from langchain_core.utils.json import parse_partial_json

    try:
        form = parse_partial_json(body)
    except (json.JSONDecodeError, RecursionError):
        return None  # then it is text
    return form if isinstance(form, dict) and ("answer" in form or "claims" in form) else None
