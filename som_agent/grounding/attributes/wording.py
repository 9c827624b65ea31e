"""Plain English for filters, marks and times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from som_agent.grounding.attributes.query import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Best,
    Compare,
    Event,
    Filter,
    HasColor,
    Is,
    Moves,
    Not,
    Place,
    Related,
    Selector,
    Size,
    Unknown,
    Visible,
)
from som_agent.grounding.attributes.windows import seconds
from som_agent.history import MarkInfo

__all__ = ["Namer", "capital", "during", "listed", "note_unknown", "ordinal", "place_words"]

_PLACES = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "centre": "in the centre",
    "corner": "in a corner",
    "edge": "at the edge of the picture",
}
_BEST = {
    ("area", 1): "the {}largest",
    ("area", -1): "the {}smallest",
    ("height", 1): "the {}tallest",
    ("width", 1): "the {}widest",
    ("width", -1): "the {}narrowest",
    ("x", -1): "the {}leftmost",
    ("x", 1): "the {}rightmost",
    ("y", -1): "the {}topmost",
    ("y", 1): "the {}bottommost",
    ("centre", -1): "the {}closest to the centre",
    ("speed", 1): "the {}fastest",
    ("speed", -1): "the {}slowest",
    ("path", 1): "the {}most moved",
    ("path", -1): "the {}least moved",
    ("seen", -1): "the {}first to appear",
    ("seen", 1): "the {}last to appear",
    ("last", -1): "the {}first to leave",
    ("last", 1): "the {}last to leave",
    ("return", -1): "the {}first to come back",
    ("return", 1): "the {}last to come back",
    ("duration", 1): "the {}longest in view",
}
_COMPARED = {
    ("area", 1): "bigger",
    ("area", -1): "smaller",
    ("height", 1): "taller",
    ("width", 1): "wider",
    ("width", -1): "narrower",
    ("speed", 1): "faster",
    ("speed", -1): "slower",
}
_HAPPENS = {
    "appear": ("first appears", "first appear"),
    "enter": ("comes into view", "come into view"),
    "sight": ("comes into view", "come into view"),
    "leave": ("goes out of view", "go out of view"),
    "return": ("comes back", "come back"),
    "last": ("is last seen", "are last seen"),
}
_HAPPENING = {
    "appear": "appearing",
    "enter": "coming into view",
    "sight": "coming into view",
    "leave": "going out of view",
    "return": "coming back",
    "last": "last seen",
}
_BEST_OF_EVENTS = ("seen", "last", "return")
_RELATED = {
    "colored like": "of the same colour as",
    "around": "all around",
    "containing": "all around",
    "in": "inside",
    "under": "below",
    "over": "above",
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_MOST = 40


class Namer:
    """Writes marks and filters with the labels of a mark table."""

    def __init__(self, marks: dict[int, MarkInfo]) -> None:
        self.marks = marks
        self.meant: dict[Selector, list[int]] = {}
        """The marks that a description was found to mean, to be told with it."""

    def label(self, mark: int) -> str:
        """What is drawn for a mark."""
        return self.marks[mark].label if mark in self.marks else str(mark)

    def cite(self, marks: Sequence[int]) -> str:
        """Marks that the answer rests on: "mark [1]", "marks [1], [2] and [4]"."""
        shown = [f"[{self.label(mark)}]" for mark in marks]
        return f"mark{'s' if len(marks) != 1 else ''} {listed(shown)}"

    def plain(self, marks: Sequence[int]) -> str:
        """Marks that are only mentioned: "mark 1", "marks 1 and 2"."""
        shown = [self.label(mark) for mark in marks]
        if len(shown) > _MOST:
            shown = [*shown[:_MOST], f"{len(shown) - _MOST} more"]
        return f"mark{'s' if len(marks) != 1 else ''} {listed(shown)}"

    def says(self, filter_: Filter, plural: bool) -> str:
        """The filter as a predicate: "is red", "are left of mark 2", "goes out of view"."""
        parts: list[Filter] = list(filter_.of) if isinstance(filter_, AllOf) else [filter_]
        parts = [part for part in parts if not isinstance(part, Is)] or parts
        if any(isinstance(part, Best) and part.key in _BEST_OF_EVENTS for part in parts):
            parts = [part for part in parts if not isinstance(part, Event)]
        states = [self.state(part) for part in parts if not isinstance(part, Event)]
        if isinstance(filter_, AllOf) and isinstance(filter_.of[-1], Best) and isinstance(filter_.of[0], Is):
            states[-1] += f" of {self.plain(filter_.of[0].marks)}"
        events = [_HAPPENS[part.kind][plural] for part in parts if isinstance(part, Event)]
        verbs = [f"{'are' if plural else 'is'} {' and '.join(states)}"] if states else []
        return " and ".join(verbs + events)

    def state(self, filter_: Filter) -> str:
        """The filter as what stands after "is"."""
        match filter_:
            case HasColor(term):
                return term
            case Size(word):
                return word
            case Place(words):
                return _place(words)
            case Moves(how):
                return f"moving {how}".strip().replace("moving slow", "moving slowly")
            case Visible():
                return "visible"
            case Absent():
                return "out of sight"
            case Event(kind):
                return _HAPPENING[kind]
            case Is(marks):
                return self.plain(marks)
            case Best():
                return _superlative(filter_)
            case Related(kind, to):
                return f"{_RELATED.get(kind, kind)} {self.selector(to)}"
            case Compare(key, sign, to):
                return f"{_compared(key, sign)} than {self.selector(to)}"
            case Not(Moves("")):
                return "still"
            case Always(Not(of)) if not isinstance(of, Moves) or of.how:
                return f"never {self.state(of)}"
            case Always(of):
                return f"always {self.state(of)}"
            case Not(of):
                return f"not {self.state(of)}"
            case AllOf(of):
                return " and ".join(self.state(part) for part in of)
            case AnyOf(of):
                terms = [part.term for part in of if isinstance(part, HasColor)]
                related = [part for part in of if isinstance(part, Related)]
                if len(related) == len(of) and len({part.to for part in related}) == 1:
                    kinds = [_RELATED.get(part.kind, part.kind) for part in related]
                    return f"{listed(kinds, 'or')} {self.selector(related[0].to)}"
                return "colourful" if len(terms) == 8 else listed([self.state(part) for part in of], "or")

    def selector(self, selector: Selector) -> str:
        """Described marks: "mark 2", "the red mark (mark 4)", "the marks that are moving"."""
        filter_ = selector.filter
        if selector.mutual:
            return "each other"
        if filter_ is None:
            return "other marks" if selector.plural else "another mark"
        if isinstance(filter_, Is):
            return self.plain(filter_.marks)
        meant = self.meant.get(selector)
        return f"{self._described(selector, filter_)}{f' ({self.plain(meant)})' if meant else ''}"

    def _described(self, selector: Selector, filter_: Filter) -> str:
        noun = "marks" if selector.plural else "mark"
        if isinstance(filter_, HasColor | Size):
            return f"the {self.state(filter_)} {noun}"
        if isinstance(filter_, Best) and filter_.count == 1 and " to " not in _superlative(filter_):
            return f"{_superlative(filter_)} {noun}"
        return f"the {noun} that {self.says(filter_, selector.plural)}"


def listed(words: Sequence[str], link: str = "and") -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    return f"{', '.join(words[:-1])} {link} {words[-1]}" if len(words) > 1 else "".join(words)


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return f"{text[:1].upper()}{text[1:]}"


def ordinal(rank: int) -> str:
    """The word for a rank: "second" for 1."""
    return _ORDINALS[rank] if rank < len(_ORDINALS) else f"{rank + 1}th"


def during(spans: Iterable[tuple[float, float]]) -> str:
    """Spans in words: "at 2 s", "from 1.2 to 3.4 s and from 5 to 6 s"."""
    parts = [
        f"at {seconds(a)} s" if seconds(a) == seconds(b) else f"from {seconds(a)} to {seconds(b)} s"
        for a, b in spans
    ]
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} more times"]
    return listed(parts)


def place_words(x: float, y: float) -> str:
    """Which of nine places a point is in; x and y in parts of the picture."""
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    down = "top" if y < 1 / 3 else "bottom" if y > 2 / 3 else ""
    if not down:
        return f"on the {across}" if across else "in the centre"
    return f"at the {down} {across}".strip()


def note_unknown(unknown: Sequence[Unknown], found: int) -> str:
    """What the words that were not understood leave open, as a clause; "" where there are none.

    Args:
        unknown: the words.
        found: number of marks that the answer names.
    """
    nouns = [word.text for word in unknown if word.noun]
    deeds = [word.text for word in unknown if not word.noun and not word.reason and _is_deed(word.text)]
    others = [f'"{word.text}"' for word in unknown if not word.noun and word.text not in deeds]
    notes = []
    if nouns and found:
        noun = nouns[0]
        if found > 1 and noun.endswith("s"):
            claim = f"they are {noun}"
        elif found > 1:
            claim = f"any of them is {_a(noun)}"
        else:
            claim = f"it is {_a(noun[:-1] if noun.endswith('s') and not noun.endswith('ss') else noun)}"
        notes.append(f"whether {claim} cannot be told without a model")
        others = [f'"{noun}"' for noun in nouns[1:]] + others
    else:
        others = [f'"{noun}"' for noun in nouns] + others
    if deeds:
        quoted = [f'"{deed}"' for deed in deeds]
        notes.append(f"{listed(quoted)} cannot be told without a model")
    if others:
        notes.append(f"{listed(others)} could not be used")
    return " and ".join(notes)


def _is_deed(text: str) -> bool:
    """Whether it looks like a verb that tells what is done: "used for", "holding"."""
    return text.split(maxsplit=1)[0].lower().endswith(("ed", "ing"))


def _compared(key: str, sign: int) -> str:
    return _COMPARED.get((key, sign)) or f"{'more' if sign > 0 else 'less'} {key}"


def _superlative(best: Best) -> str:
    rank = f"{ordinal(best.rank)} " if best.rank else f"{best.count} " if best.count > 1 else ""
    color = f"the {{}}{'most' if best.sign > 0 else 'least'} {best.key}"
    return _BEST.get((best.key, best.sign), color).format(rank)


def _place(words: tuple[str, ...]) -> str:
    """Places in words: "on the left", "at the top left", "in the top left corner"."""
    if len(words) == 1:
        return _PLACES.get(words[0], f"in the {words[0]}")
    order = ("top", "bottom", "centre", "left", "right")
    sides = [word for word in order if word in words] + [
        word for word in words if word not in (*order, "corner")
    ]
    return f"in the {' '.join(sides)} corner" if "corner" in words else f"at the {' '.join(sides)}"


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
