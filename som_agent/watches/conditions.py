"""What can be waited for: conditions on marks. Pixels are those of the source, times are in seconds.

Where a mark is left out, any mark counts, and each one on its own. Marks are given by number or by label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from som_agent.errors import InputError
from som_agent.watches.checks import COLORS, check
from som_agent.watches.zone import Zone

__all__ = [
    "COLORS",
    "KINDS",
    "And",
    "Appears",
    "Beside",
    "ChangesColor",
    "ChangesSize",
    "ComesBack",
    "Condition",
    "Enters",
    "Exits",
    "Faster",
    "How",
    "Leaves",
    "MarkName",
    "Moves",
    "Near",
    "Or",
    "Side",
    "Simple",
    "Slower",
    "Stops",
    "Then",
    "Touches",
    "Zone",
    "leaves_of",
]

MarkName: TypeAlias = int | str
How: TypeAlias = Literal["gone", "hidden"]
Side: TypeAlias = Literal["left_of", "right_of", "above", "below"]
_MOST_DEEP = 4  # conditions in one another
_MOST_PARTS = 20


@dataclass(frozen=True, kw_only=True)
class Appears:
    """A new number is given, or that of `mark`."""

    mark: MarkName | None = None
    kind: Literal["appears"] = field(default="appears", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """It is not visible any more.

    Attributes:
        mark: its number or label.
        how: only "gone": over the border of the picture or given up for good; only "hidden": anywhere else.
    """

    mark: MarkName | None = None
    how: How | None = None
    kind: Literal["leaves"] = field(default="leaves", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ComesBack:
    """It is visible again after it was hidden or out of the picture."""

    mark: MarkName | None = None
    kind: Literal["comes_back"] = field(default="comes_back", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Moves:
    """It begins to move: more than 3 % of the picture's diagonal a second."""

    mark: MarkName | None = None
    kind: Literal["moves"] = field(default="moves", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Stops:
    """It has stood still for `seconds`: less than 1.5 % of the picture's diagonal a second."""

    mark: MarkName | None = None
    seconds: float = 1.0
    kind: Literal["stops"] = field(default="stops", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Faster:
    """It gets as fast as `speed_px_s`."""

    speed_px_s: float
    mark: MarkName | None = None
    kind: Literal["faster"] = field(default="faster", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Slower:
    """It gets slower than `speed_px_s`."""

    speed_px_s: float
    mark: MarkName | None = None
    kind: Literal["slower"] = field(default="slower", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Enters:
    """Half of its mask comes to lie in the zone."""

    zone: Zone
    mark: MarkName | None = None
    kind: Literal["enters"] = field(default="enters", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Exits:
    """It was in the zone, and half of its mask is out of it, or it leaves the picture."""

    zone: Zone
    mark: MarkName | None = None
    kind: Literal["exits"] = field(default="exits", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Near:
    """The nearest pixels of both masks come as near as `distance_px`. Without `other`: any other mark."""

    mark: MarkName
    distance_px: float
    other: MarkName | None = None
    kind: Literal["near"] = field(default="near", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Touches:
    """The masks come within 2 pixels, or 1.5 pixels of the masks' own size where that is more."""

    mark: MarkName
    other: MarkName | None = None
    kind: Literal["touches"] = field(default="touches", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """It comes to be left of another mark, for example.

    That is: its middle is left of the other's left side, and its right side is left of the other's middle.
    """

    mark: MarkName
    side: Side
    other: MarkName | None = None
    kind: Literal["beside"] = field(default="beside", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ChangesColor:
    """Another of the eleven basic colour terms comes to name most of it; or `to`, where that is given."""

    mark: MarkName | None = None
    to: str | None = None
    kind: Literal["changes_color"] = field(default="changes_color", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ChangesSize:
    """Its area comes to be `factor` times what it was: 2 for twice the area, 0.5 for half of it."""

    factor: float
    mark: MarkName | None = None
    kind: Literal["changes_size"] = field(default="changes_size", init=False)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class And:
    """All of them hold at once. What a condition brought about counts for as long as it lasts."""

    conditions: tuple[Condition, ...]
    kind: Literal["and"] = field(default="and", init=False)

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True)
class Or:
    """One of them becomes true; each time."""

    conditions: tuple[Condition, ...]
    kind: Literal["or"] = field(default="or", init=False)

    def __post_init__(self) -> None:
        _check_parts(self)


@dataclass(frozen=True)
class Then:
    """`second` becomes true after `first` did, at most `within_s` later."""

    first: Condition
    second: Condition
    within_s: float = 10.0
    kind: Literal["then"] = field(default="then", init=False)

    def __post_init__(self) -> None:
        check(self)
        for part in (self.first, self.second):
            if not isinstance(part, tuple(KINDS.values())):
                raise InputError(f"then joins two conditions, got {part!r}")
        _check_depth(self)


Simple: TypeAlias = (
    Appears | Leaves | ComesBack | Moves | Stops | Faster | Slower | Enters | Exits | Near | Touches | Beside
    | ChangesColor | ChangesSize
)  # fmt: skip
Condition: TypeAlias = Simple | And | Or | Then

KINDS: dict[str, type[Any]] = {
    "appears": Appears,
    "leaves": Leaves,
    "comes_back": ComesBack,
    "moves": Moves,
    "stops": Stops,
    "faster": Faster,
    "slower": Slower,
    "enters": Enters,
    "exits": Exits,
    "near": Near,
    "touches": Touches,
    "beside": Beside,
    "changes_color": ChangesColor,
    "changes_size": ChangesSize,
    "and": And,
    "or": Or,
    "then": Then,
}
"""What there is, by the name that JSON gives it."""


def leaves_of(condition: Condition) -> Iterator[Simple]:
    """The simple conditions that a condition is made of."""
    if isinstance(condition, (And, Or)):
        for part in condition.conditions:
            yield from leaves_of(part)
    elif isinstance(condition, Then):
        yield from leaves_of(condition.first)
        yield from leaves_of(condition.second)
    else:
        yield condition


def _check_parts(condition: And | Or) -> None:
    parts = condition.conditions
    if not isinstance(parts, (list, tuple)) or not 2 <= len(parts) <= _MOST_PARTS:
        raise InputError(f"{condition.kind} joins 2 to {_MOST_PARTS} conditions, got {parts!r}")
    for part in parts:
        if not isinstance(part, tuple(KINDS.values())):
            raise InputError(f"{condition.kind} joins conditions, got {part!r}")
    object.__setattr__(condition, "conditions", tuple(parts))
    _check_depth(condition)


def _check_depth(condition: Condition) -> None:
    def depth(part: Condition) -> int:
        if isinstance(part, (And, Or)):
            return 1 + max(map(depth, part.conditions))
        return 1 + max(depth(part.first), depth(part.second)) if isinstance(part, Then) else 1

    if depth(condition) > _MOST_DEEP:
        raise InputError(f"conditions may be {_MOST_DEEP} deep in one another, not {depth(condition)}")
