"""Which marks a text names.

Models are asked to write `[3]`, and write `[1, 2]`, `[1-3]`, `mark 3` or `objects 1 and 4` as well. What
does not name a mark must not become one: counts ("2 cups"), times ("[0:03]", "[2, 4] s") and boxes ("box
[10, 20, 80, 90]").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from som_agent.history import MarkInfo

__all__ = ["Citations", "cited_marks"]

_LONGEST_RANGE = 200
_UNIT = r"(?:s|secs?|seconds?|ms|min|minutes?|px|pixels?|mm|cm|m|meters?|metres?|times|fps|percent)\b|%|°"

_BRACKETED = re.compile(r"\[([^\[\]]{1,200})\]")
_NO_CITATION_BEFORE = re.compile(
    r"(?:box|boxes|bbox|coordinates?|coords?|size|pixels?|interval|time)\s*[:=]?\s*$", re.I
)
_NO_CITATION_AFTER = re.compile(rf"\s*(?:{_UNIT})")
_SEPARATOR = re.compile(r"\s*(?:[,;/&]|\b(?:and|or)\b)\s*", re.I)
_ITEM = re.compile(r"(?:(?:marks?|objects?|no\.?)\s*)?#?\s*(\d{1,9}[a-z]?|[A-Za-z]{1,3})", re.I)
_RANGE = re.compile(r"(?:marks?\s*)?#?\s*(\d{1,9})\s*(?:-|\.\.|\bto\b|\bthrough\b)\s*#?\s*(\d{1,9})", re.I)
_EXPLAINED = re.compile(r"([^:]+):\s*(?!\d)")  # [3: the red cup]

_NUMBER = rf"#?\d{{1,9}}[a-z]?(?![\w%]|[.:]\d|\s*(?:{_UNIT}))"
_LETTERS = r"(?-i:[A-Z]{1,2})\b"
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
        marks: the mark table. What counts is the label that was drawn, "3" or "C".
    """
    plain = unicodedata.normalize("NFKC", text).translate(str.maketrans("【】〔〕–—−", "[][]---"))
    labels = {info.label: mark for mark, info in marks.items()}
    folded = {label.casefold(): mark for label, mark in labels.items()}
    found: list[tuple[int, str]] = []
    for match in _BRACKETED.finditer(plain):
        found += ((match.start(), token) for token in _in_brackets(plain, match, folded))
    # What brackets hold was judged above; the words are looked for in the rest.
    rest = _BRACKETED.sub(lambda match: " " * len(match[0]), plain)
    for match in _NAMED.finditer(rest):
        for token in _expand(match[1]):
            if token[0].isdigit() or token in labels:
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
        if any(name.casefold() not in labels and not (name.isupper() and len(name) <= 2) for name in letters):
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
        span = _RANGE.fullmatch(piece)
        item = _ITEM.fullmatch(piece)
        if span:
            first, last = sorted((int(span[1]), int(span[2])))
            if last - first > _LONGEST_RANGE:
                tokens.append(f"{first}-{last}")
            else:
                tokens += map(str, range(first, last + 1))
        elif item:
            tokens.append(str(int(item[1])) if item[1].isdigit() else item[1])
        elif piece:
            return
    yield from tokens
