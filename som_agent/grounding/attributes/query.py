"""What a question means: a small tree of frozen dataclasses, made by `parse` and computed by `evaluate`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "CLAIMING",
    "HIDING",
    "Absent",
    "AllOf",
    "Always",
    "AnyOf",
    "Ask",
    "Best",
    "Clause",
    "Compare",
    "Event",
    "EventKind",
    "Filter",
    "HasColor",
    "Is",
    "Moves",
    "Not",
    "Place",
    "Query",
    "Related",
    "Selector",
    "Side",
    "Size",
    "Unknown",
    "Visible",
    "Window",
    "leaves",
    "needs_unseen",
]

Ask: TypeAlias = Literal[
    "which",
    "count",
    "exists",
    "verify",
    "color",
    "where",
    "when",
    "speed",
    "size",
    "duration",
    "order",
    "times",
    "distance",
    "travel",
    "direction",
    "describe",
]

CLAIMING: tuple[Ask, ...] = ("verify", "when", "duration", "times")
"""What is asked of a claim about a subject: "is the red mark moving"; the others have a subject only."""


HIDING: dict[str, str] = {
    "hiding": "",
    "hidden by": "",
    "over": "above",
    "under": "below",
    "containing": "around",
    "in": "inside",
}
"""Relations of what hides and what is hidden → the relation between visible marks that the word means too."""


@dataclass(frozen=True)
class HasColor:
    """The mark's pixels carry this basic colour term."""

    term: str


@dataclass(frozen=True)
class Size:
    """How big, against the other marks and the picture."""

    word: Literal["big", "small"]


@dataclass(frozen=True)
class Place:
    """Where in the picture: any of "left", "right", "top", "bottom", "centre", "corner", "edge"; all hold."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Moves:
    """Moving at all, or mainly "left", "right", "up", "down"; or "fast" or "slow"."""

    how: str = ""


EventKind: TypeAlias = Literal["appear", "enter", "sight", "leave", "return", "last"]


@dataclass(frozen=True)
class Event:
    """The moment at which the mark does it; see `predicates.events`."""

    kind: EventKind


@dataclass(frozen=True)
class Visible:
    """The mark is seen."""


@dataclass(frozen=True)
class Absent:
    """The mark was seen before and is not now."""


@dataclass(frozen=True)
class Is:
    """One of these marks."""

    marks: tuple[int, ...]


@dataclass(frozen=True)
class Best:
    """First of a ranking by `key`: "area", "x", "speed", "seen", "red", … ; the sign tells which end.

    Attributes:
        key: what is ranked.
        sign: 1 for the largest value, -1 for the smallest.
        rank: 0 for the first, 1 for the second …
        count: how many from there on ("the two largest").
    """

    key: str
    sign: int
    rank: int = 0
    count: int = 1


@dataclass(frozen=True)
class Selector:
    """Marks that are described: those for which `filter` holds.

    Attributes:
        filter: None for every mark.
        plural: "the blue marks" and not "the blue mark".
        mutual: "each other": the very marks that the question is about.
    """

    filter: Filter | None = None
    plural: bool = False
    mutual: bool = False


@dataclass(frozen=True)
class Related:
    """In a relation to other marks.

    Attributes:
        kind: "left of", "right of", "above", "below", "touching", "overlapping", "inside", "around",
            "near", "between", "nearest to", "farthest from", "colored like", or one of `HIDING`.
        to: the other marks.
    """

    kind: str
    to: Selector


@dataclass(frozen=True)
class Compare:
    """More (sign 1) or less (-1) of `key` than the other marks: "bigger than [2]"."""

    key: str
    sign: int
    to: Selector


@dataclass(frozen=True)
class Not:
    """The filter does not hold."""

    of: Filter


@dataclass(frozen=True)
class Always:
    """The filter holds all through the time that is asked about; see `Evaluator.throughout`."""

    of: Filter


@dataclass(frozen=True)
class AllOf:
    """Every one of the filters holds at the same time."""

    of: tuple[Filter, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of the filters holds."""

    of: tuple[Filter, ...]


Filter: TypeAlias = (
    HasColor
    | Size
    | Place
    | Moves
    | Event
    | Visible
    | Absent
    | Is
    | Best
    | Related
    | Compare
    | Not
    | Always
    | AllOf
    | AnyOf
)


@dataclass(frozen=True)
class Window:
    """A stretch of time that the question asks about.

    Attributes:
        anchor: what `start` and `end` count from: "start" for the video's own clock, "first" for the first
            frame that was looked at, "end" for the last (backwards), "half" in parts of all that was seen,
            "frame" for frame numbers.
        start: seconds; a part of 1; a frame number.
        end: as `start`; infinity for "onwards". Equal to `start` for a moment.
        text: the words of the question.
    """

    anchor: Literal["start", "first", "end", "half", "frame"]
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Clause:
    """A time told by what happens in it: "while [3] is moving", "before the red mark leaves".

    Attributes:
        kind: "while", "before" or "after".
        subject: of whom.
        claim: what must hold of one of them.
        text: the words of the question.
    """

    kind: Literal["while", "before", "after"]
    subject: Selector
    claim: Filter
    text: str


@dataclass(frozen=True)
class Unknown:
    """A word that cannot be computed.

    Attributes:
        text: as written.
        noun: it stands where the name of a kind of thing would stand.
        reason: why, where it is not the plain reason that it is no attribute.
    """

    text: str
    noun: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Query:
    """A question.

    Attributes:
        ask: what is asked for.
        subject: the marks that it is about.
        claim: what is asked of the subject; see `CLAIMING`.
        other: the second party of a distance.
        windows: times; a claim must hold in all of them at once.
        clauses: times told by what happens; as `windows`.
        sides: claims about further times.
        any_time: "at the start or at the end": of times that exclude each other one is enough.
        quantity: a number to compare a count with ("are there three …"); -1 for none.
        always: "always", "the whole time": the claim must hold at every sight.
        every: "all", "every": the claim must hold of each mark.
        either: "red or green": the answer says which.
        key: what an order is by.
        sign: 1 for ascending order.
        unknown: words that were not understood, in the order of the question.
        missing: marks that the question names and that do not exist, as written.
        vague: a claim or a subject was there and could not be understood, so the rest must not be answered.
    """

    ask: Ask
    subject: Selector = field(default_factory=Selector)
    claim: Filter | None = None
    other: Selector | None = None
    windows: tuple[Window, ...] = ()
    clauses: tuple[Clause, ...] = ()
    sides: tuple[Side, ...] = ()
    any_time: bool = False
    quantity: int = -1
    always: bool = False
    every: bool = False
    either: bool = False
    key: str = ""
    sign: int = 1
    unknown: tuple[Unknown, ...] = ()
    missing: tuple[str, ...] = ()
    vague: bool = False


@dataclass(frozen=True)
class Side:
    """A claim about another time, which must hold of a mark too, or must not: "but not at the end".

    Attributes:
        query: the time and the claim; its subject has no filter where the claim is that of the question.
        negated: it must not hold.
        text: the words of the question.
    """

    query: Query
    negated: bool
    text: str


def leaves(filter_: Filter | None, *, related: bool = True) -> Iterator[Filter]:
    """Every leaf of a filter, those of the marks it relates to included if `related`."""
    match filter_:
        case None:
            return
        case Not(of) | Always(of):
            yield from leaves(of, related=related)
        case AllOf(of) | AnyOf(of):
            for part in of:
                yield from leaves(part, related=related)
        case Related(_, to) | Compare(_, _, to):
            yield filter_
            if related:
                yield from leaves(to.filter)
        case _:
            yield filter_


def needs_unseen(filter_: Filter | None) -> bool:
    """Whether it can hold of a mark that is not seen."""
    return any(
        isinstance(part, Absent) or (isinstance(part, Related) and part.kind in HIDING)
        for part in leaves(filter_)
    )
