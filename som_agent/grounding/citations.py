"""Which marks a text names.

Models are asked to write `[3]`, and write `[1, 2]`, `[1-3]`, `mark 3` or `objects 1 and 4` as well; parts of
a mark are `[3a]`, `[3a-c]` or, in letters, `[C1]`. What does not name a mark must not become one: counts
("2 cups"), times ("[0:03]", "[2, 4] s") and boxes ("box [10, 20, 80, 90]").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from som_agent.history import MarkInfo
from som_agent.marks.labels import child_label
from som_agent.marks.names import given_names, with_numbers

__all__ = ["Citations", "cited_marks"]

_LONGEST_RANGE = 200
_UNIT = r"(?:s|secs?|seconds?|ms|min|minutes?|px|pixels?|mm|cm|m|meters?|metres?|times|fps|percent)\b|%|°"

_BRACKETED = re.compile(r"\[([^\[\]]{1,200})\]")
_NO_CITATION_BEFORE = re.compile(
    r"(?:box|boxes|bbox|coordinates?|coords?|size|pixels?|interval|time)\s*[:=]?\s*$", re.I
)
_NO_CITATION_AFTER = re.compile(rf"\s*(?:{_UNIT})")
_SEPARATOR = re.compile(r"\s*(?:[,;/&]|\b(?:and|or)\b)\s*", re.I)
# Labels as `som_agent.marks.labels` writes them, in either case: digits and letters take turns. Two letters
# behind a number are a unit or an ordinal as well.
_RUN = r"(?!(?:st|nd|rd|th|am|pm|px|mm|cm|km|kg|ms|hz|in|ft|mb|gb)\b)[a-z]{1,2}"
_NUMBERED = rf"\d{{1,9}}(?:{_RUN}\d{{1,4}}){{0,8}}(?:{_RUN})?"
_PARTS = rf"(?:\d{{1,4}}{_RUN}){{0,8}}(?:\d{{1,4}})?"  # what may follow the letters of a mark

_ITEM = re.compile(rf"(?:(?:marks?|objects?|no\.?)\s*)?#?\s*({_NUMBERED}|[A-Za-z]{{1,3}}{_PARTS})", re.I)
_IN_LETTERS = re.compile(rf"[A-Z]{{1,2}}{_PARTS}")
_TO = re.compile(r"\s*(?:-|\.\.|\bto\b|\bthrough\b)\s*", re.I)
_EXPLAINED = re.compile(r"([^:]+):\s*(?!\d)")  # [3: the red cup]

_NUMBER = rf"#?{_NUMBERED}(?:(?<=[a-z])-[a-z]\b)?(?![\w%]|[.:]\d|\s*(?:{_UNIT}))"
_LETTERS = rf"(?-i:[A-Z]{{1,2}}{_PARTS})\b"
_JOIN = r"(?:\s*(?:,\s*(?:and|or)\b|[,;/&]|\band\b|\bor\b|-|\bto\b|\bthrough\b)\s*)"
_NAMED = re.compile(
    rf"\b(?:marks?|objects?|regions?|tags?|labels?)\s+(?:numbers?\s+|numbered\s+|no\.\s*)?"
    rf"((?:{_NUMBER}|{_LETTERS})(?:{_JOIN}(?:{_NUMBER}|{_LETTERS}))*)",
    re.I,
)


@dataclass(frozen=True)
class Citations:
    """What a text cites, each once, in the order in which it first appears.

    Attributes:
        marks: the marks of the table.
        unknown: as they are written, those that the table does not have.
    """

    marks: tuple[int, ...]
    unknown: tuple[str, ...]


def cited_marks(text: str, marks: Mapping[int, MarkInfo]) -> Citations:
    """Find the marks that a text names.

    Args:
        text: a reply, in any language: square brackets count in their full-width and CJK forms, too.
        marks: the mark table. What counts is the label that was drawn, "3" or "C", or a name that was given.
    """
    plain = unicodedata.normalize("NFKC", text).translate(str.maketrans("【】〔〕–—−", "[][]---"))
    plain = with_numbers(plain, marks)
    labels = {info.label: mark for mark, info in marks.items()}
    labels |= {str(mark): mark for mark in given_names(marks).values()}
    folded = {label.casefold(): mark for label, mark in labels.items()}
    found: list[tuple[int, str]] = []
    for match in _BRACKETED.finditer(plain):
        found += ((match.start(), token) for token in _in_brackets(plain, match, folded))
    # What brackets hold was judged above; the words are looked for in the rest.
    rest = _BRACKETED.sub(lambda match: " " * len(match[0]), plain)
    for match in _NAMED.finditer(rest):
        for token in _expand(match[1]):
            if any(char.isdigit() for char in token) or token in labels:
                found.append((match.start(), token))
    known: dict[int, None] = {}
    unknown: dict[str, None] = {}
    for _, token in sorted(found, key=lambda entry: entry[0]):
        mark = folded.get(token.casefold())
        if mark is None:
            unknown[token] = None
        else:
            known[mark] = None
    return Citations(tuple(known), tuple(unknown))


def _in_brackets(text: str, match: re.Match[str], labels: Mapping[str, int]) -> list[str]:
    """The labels that one pair of brackets names, none where it is something else."""
    inside = match[1].strip()
    if _NO_CITATION_BEFORE.search(text[max(0, match.start() - 24) : match.start()]):
        return []
    if _NO_CITATION_AFTER.match(text, match.end()):
        return []
    tokens: list[str] = []
    for i, piece in enumerate(_SEPARATOR.split(inside)):
        explained = _EXPLAINED.match(piece)
        names = list(_expand(explained[1] if explained else piece))
        letters = [name for name in names if not name[0].isdigit()]
        if any(name.casefold() not in labels and not _IN_LETTERS.fullmatch(name) for name in letters):
            names = []  # a word, [sic] for example
        if letters and text[match.end() : match.end() + 1].isalnum():
            names = []  # [T]he cup
        if not names and (i == 0 or any(char.isdigit() for char in piece)):
            return []  # prose, or numbers that are no marks: [2.5, 4], [0:03], [3 cups]
        tokens += names
    return tokens


def _expand(text: str) -> Iterator[str]:
    """The labels of a list such as "1, 3-5 and 7", ranges written out; nothing where a part is no label."""
    tokens: list[str] = []
    for piece in _SEPARATOR.split(text.strip()):
        names = [_ITEM.fullmatch(name) for name in _TO.split(piece, maxsplit=1)]
        labels = [re.sub(r"^0+(?=\d)", "", name[1]) for name in names if name]
        if len(labels) < len(names):
            if piece:
                return
        elif len(labels) == 1:
            tokens += labels
        else:
            span = _span(*labels)
            if not span:
                return
            tokens += span
    yield from tokens


def _span(first: str, last: str) -> list[str]:
    """The labels from `first` to `last`, which may be short, "3a" to "c"; none where there is no such row."""
    (stem, a), (other, b) = (_last_run(label) for label in (first, last))
    if a.isdigit() != b.isdigit() or other.casefold() not in (stem.casefold(), ""):
        return []
    if not stem and not a.isdigit():
        return []  # [A-Z] is no list of marks
    low, high = sorted((_count(a), _count(b)))
    if high - low > _LONGEST_RANGE:
        return [f"{first}-{last}"]
    return [child_label(stem, k) if stem else str(k) for k in range(low, high + 1)]


def _last_run(label: str) -> tuple[str, str]:
    """A label without its last run of digits or letters, and that run."""
    run = re.search(r"(?:\d+|[a-z]+)$", label, re.I)
    return (label[: run.start()], run[0]) if run else ("", label)


def _count(run: str) -> int:
    """Which number a run of digits or of letters is."""
    if run.isdigit():
        return int(run)
    value = 0
    for letter in run.upper():
        value = 26 * value + ord(letter) - ord("A") + 1
    return value
