"""The text of a mark: numbers, or letters as a spreadsheet counts its columns."""

from __future__ import annotations

from typing import Literal

from som_agent.errors import InputError

__all__ = ["SCHEMES", "Scheme", "label_of", "number_of"]

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


def number_of(label: str) -> int:
    """The mark that a label names, the inverse of `label_of` in either scheme; letters in either case."""
    text = label.strip().upper()
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    if text.isascii() and text.isalpha():
        number = 0
        for letter in text:
            number = number * 26 + ord(letter) - ord("A") + 1
        return number
    raise InputError(f"{label!r} is not the label of a mark; labels are numbers from 1, or letters")
