"""The text of a mark: numbers, or letters as a spreadsheet counts its columns.

Parts of a mark are counted in the other kind: "3" has the parts "3a" and "3b", "3a" has "3a1", "C" has "C1".
Digits and letters take turns, so that a label has only one reading: its last run of either is the part.
"""

from __future__ import annotations

from typing import Literal

from som_agent.errors import InputError

__all__ = ["SCHEMES", "Scheme", "child_label", "label_of"]

Scheme = Literal["numbers", "letters"]
SCHEMES: tuple[Scheme, ...] = ("numbers", "letters")


def label_of(number: int, labels: Scheme = "numbers") -> str:
    """The text that mark `number` (from 1) is drawn as: 27 is "27", or "AA" in letters."""
    if labels not in SCHEMES:
        raise InputError(f"unknown label scheme {labels!r}; known: {', '.join(SCHEMES)}")
    if number < 1:
        raise InputError(f"marks count from 1, got {number}")
    if labels == "numbers":
        return str(number)
    return _letters(number)


def child_label(parent: str, k: int) -> str:
    """The text of part `k` (from 1) of the mark labelled `parent`: "3b", "C2" or "3a2" for the second."""
    if k < 1:
        raise InputError(f"parts count from 1, got {k}")
    return parent + (_letters(k).lower() if parent[-1:].isdigit() else str(k))


def _letters(number: int) -> str:
    """1 is A, 26 is Z, 27 is AA: there is no zero."""
    text = ""
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("A") + digit) + text
    return text
