"""A question cut into items of the lexicon."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from som_agent.grounding.attributes.lexicon import Item, lexicon
from som_agent.grounding.attributes.query import Is, Window
from som_agent.grounding.attributes.times import NUMBER_WORDS, take_times
from som_agent.history import MarkInfo
from som_agent.marks.names import with_numbers

__all__ = ["Tokens", "tokenize"]

_TOKEN = re.compile(
    r"\[[^\[\]]{0,40}\]"  # [3], [1, 2]
    r"|\#\s?\w+"
    r"|\d+(?:st|nd|rd|th)\b"
    r"|\d+[a-z](?:\d+[a-z]?)*\b"  # 3a, 3a1: parts of marks
    r"|\d+(?:\.\d+)?"
    r"|[^\W\d_]+(?:['-][^\W\d_]+)*"
    r"|[,;]"
    r"|[&]",
    re.IGNORECASE,
)
_SHORT = [
    (re.compile(r"\b(ca|wo|sha)n't\b", re.I), "can not"),
    (re.compile(r"n't\b", re.I), " not"),
    (re.compile(r"\bcannot\b", re.I), "can not"),
    (re.compile(r"\b(what|where|who|when|which|how|that|there|it)'s\b", re.I), r"\1 is"),
    (re.compile(r"'re\b", re.I), " are"),
    (re.compile(r"(?<=\w)'s?(?!\w)", re.I), ""),
]
_RANGE = re.compile(r"\b(marks|objects|regions|numbers)\s+(\d{1,4})\s*(?:-|–|to|through)\s*(\d{1,4})\b", re.I)
_LONGEST = 6


@dataclass(frozen=True)
class Tokens:
    """What a question is made of.

    Attributes:
        items: in the order of the question.
        windows: the times in it.
        missing: marks that do not exist, as written.
    """

    items: list[Item]
    windows: list[Window]
    missing: list[str]


def tokenize(question: str, marks: dict[int, MarkInfo]) -> Tokens:
    """Cut a question into items.

    Args:
        question: any text.
        marks: the mark table; marks are named by number or by label.
    """
    text = question.replace("’", "'").replace("‘", "'")
    text = with_numbers(text, marks)
    for pattern, plain in _SHORT:
        text = pattern.sub(plain, text)
    text = _RANGE.sub(_spell_range, text)
    text, windows, loose = take_times(text)
    words = [part for token in _TOKEN.findall(text) for part in _split_hyphens(token)]
    names = _Names(marks)
    items: list[Item] = []
    i = 0
    while i < len(words):
        item, used = _next(words, i, items, names)
        items.append(item)
        i += used
    items += [Item("unknown", stretch) for stretch in loose]
    return Tokens(items, windows, names.missing)


class _Names:
    """Marks by what a question may call them."""

    def __init__(self, marks: dict[int, MarkInfo]) -> None:
        self.marks = marks
        self.labels = {info.label.casefold(): info.mark for info in marks.values()}
        self.letters = any(not info.label.isdigit() for info in marks.values())
        self.missing: list[str] = []

    def find(self, name: str) -> int | None:
        """The mark called `name`, by label first, then by number."""
        name = name.casefold()
        if name in self.labels:
            return self.labels[name]
        number = NUMBER_WORDS.get(name)
        if number is None and name.isdecimal() and len(name) < 10:
            number = int(name)
        return number if number in self.marks else None

    def ref(self, text: str, names: list[str]) -> Item:
        """The item of marks called `names`; those that do not exist are noted as missing."""
        found = [(name, self.find(name)) for name in names]
        for name, mark in found:
            if mark is None:
                written = text if len(names) == 1 else name
                if written not in self.missing:
                    self.missing.append(written)
        numbers = tuple(mark for _, mark in found if mark is not None)
        return Item("ref", text, "", Is(numbers), numbers)


def _next(words: list[str], i: int, before: list[Item], names: _Names) -> tuple[Item, int]:
    """The item that starts at word `i`, and how many words it takes."""
    word = words[i]
    if word[0] in "[#":
        inner = re.findall(r"\w+", word)
        return (names.ref(word, inner), 1) if inner else (Item("word", word), 1)
    phrase = _longest(words, i)
    if phrase is not None and phrase[1] > 1:
        return phrase
    low = word.lower()
    after_mark = bool(before) and (
        (before[-1].kind == "noun" and before[-1].name in ("", "plural"))
        or before[-1].text.lower() in ("number", "numbers", "no")
    )
    if after_mark and low in NUMBER_WORDS and low != "one":
        return names.ref(word, [word]), 1
    if word[0].isdecimal() and word.replace(".", "").isdecimal():
        if "." in word:
            return Item("unknown", word), 1
        previous_ref = bool(before) and before[-1].kind == "ref"
        listed = len(before) > 1 and before[-1].kind in ("and", "or", "comma") and before[-2].kind == "ref"
        if after_mark or previous_ref or listed or not _counts(words, i):
            return names.ref(word, [word]), 1
        return Item("number", word, numbers=(int(word) if len(word) < 10 else -1,)), 1
    if word[0].isdecimal() and word.isalnum() and (after_mark or word.casefold() in names.labels):
        return names.ref(word, [word]), 1
    if names.letters and len(word) == 1 and _is_label(word, after_mark, before, names):
        return names.ref(word, [word]), 1
    if phrase is not None:
        return phrase
    if low in NUMBER_WORDS:
        return Item("number", word, numbers=(NUMBER_WORDS[low],)), 1
    if len(low) > 3 and re.fullmatch(r"\w+(?:ish)", low) and _longest([_unish(low)], 0):
        known = lexicon().get((_unish(low),))
        if known is not None and known.kind == "filter":
            return replace(known, text=word), 1
    return Item("unknown", word), 1


def _is_label(word: str, after_mark: bool, before: list[Item], names: _Names) -> bool:
    """Whether a single letter names a mark: "mark c", "B and C", but not the article "a"."""
    if word.casefold() not in names.labels:
        return after_mark and word.isupper()
    listed = (
        bool(before)
        and before[-1].kind in ("and", "or", "comma")
        and any(x.kind == "ref" for x in before[-2:])
    )
    return after_mark or listed or (word.isupper() and word not in ("A", "I"))


def _counts(words: list[str], i: int) -> bool:
    """Whether a bare number counts what follows ("3 red marks") and does not name a mark ("is 3 red")."""
    for word in words[i + 1 : i + 5]:
        item = lexicon().get((word.lower(),))
        if item is None:
            return word[0].isalpha()
        if item.kind == "noun":
            return True
        if item.kind not in ("filter", "best"):
            return False
    return False


def _longest(words: list[str], i: int) -> tuple[Item, int] | None:
    """The longest phrase of the lexicon at word `i`."""
    entries = lexicon()
    for n in range(min(_LONGEST, len(words) - i), 0, -1):
        item = entries.get(tuple(word.lower() for word in words[i : i + n]))
        if item is not None:
            return replace(item, text=" ".join(words[i : i + n])), n
    return None


def _split_hyphens(token: str) -> list[str]:
    """Words of "top-left", because both are known; "T-shirt" stays one."""
    parts = token.split("-")
    if len(parts) > 1 and all((part.lower(),) in lexicon() for part in parts):
        return parts
    return [token]


def _unish(word: str) -> str:
    """The colour in "reddish" and "bluish"."""
    stem = word[:-3]
    for base in (stem, stem + "e", stem[:-1]):
        if (base,) in lexicon():
            return base
    return stem


def _spell_range(match: re.Match[str]) -> str:
    first, last = int(match[2]), int(match[3])
    if not first <= last <= first + 100:
        return match[0]
    return f"{match[1]} {', '.join(str(n) for n in range(first, last + 1))}"
