"""The text of a mark: numbers, or letters as a spreadsheet counts its columns."""

from __future__ import annotations

from typing import Literal

from som_agent.errors import InputError

__all__ = ["SCHEMES", "Scheme", "label_of"]

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
    text = ""
    while number:
        number, digit = divmod(number - 1, 26)  # there is no zero: A is 1, Z is 26, AA is 27
        text = chr(ord("A") + digit) + text
    return text
