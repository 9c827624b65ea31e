"""Marks that were given a name in words: text that says the name says the number.

A name is a label that `som_agent.marks.labels` would never write, "left cup" for example.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from som_agent.history import MarkInfo

__all__ = ["given_names", "with_numbers"]

_DRAWN = re.compile(r"\d+(?:[a-z]+\d*)*|[A-Z]+(?:\d+[a-z]*)*")


def given_names(marks: Mapping[int, MarkInfo]) -> dict[str, int]:
    """Name → mark, for the marks that have a name in words; the longest names come first."""
    names = {info.label: mark for mark, info in marks.items() if not _DRAWN.fullmatch(info.label)}
    return dict(sorted(names.items(), key=lambda entry: -len(entry[0])))


def with_numbers(text: str, marks: Mapping[int, MarkInfo]) -> str:
    """A text in which marks go by number, "[3]", wherever it calls them by their names.

    A name counts in brackets, in quotes, after # and after a word such as "mark" or "the"; one of several
    words counts anywhere. So "Is there a cup?" asks for any cup, although mark 3 is called "cup".

    Args:
        text: a question, or the reply of a model.
        marks: the mark table.
    """
    for name, mark in given_names(marks).items():
        words = r"\s+".join(re.escape(word) for word in name.split())
        pieces = re.split(r"(\[[^\[\]]*\])", text)  # what is in brackets and what is not, in turn
        pieces[1::2] = [_in_brackets(piece, words, mark) for piece in pieces[1::2]]
        before = r"(?:\b(?:the|marks?|objects?)\s+|#\s?|[\"“])"
        before = f"{before}?" if len(name.split()) > 1 else before
        outside = rf"(?<!\w){before}\b{words}\b[\"”]?"
        pieces[::2] = [re.sub(outside, f"[{mark}]", piece, flags=re.IGNORECASE) for piece in pieces[::2]]
        text = "".join(pieces)
    return text


def _in_brackets(text: str, words: str, mark: int) -> str:
    """A pair of brackets with a name in it, alone or in a list."""
    return re.sub(rf"(?<![^\[,;\s]){words}(?![^\],;:\s])", str(mark), text, flags=re.IGNORECASE)
