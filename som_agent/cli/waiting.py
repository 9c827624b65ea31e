"""`som-agent stream --watch JSON`: what is waited for, and the lines that tell it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from som_agent.cli.output import note, print_json
from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.history import Observation
    from som_agent.marks.marked import MarkedFrame
    from som_agent.session import Session
    from som_agent.watches import Condition, Watch, WatchEvent

__all__ = ["Waiting", "WatchFor"]


def _condition(text: str) -> Condition:
    """The parser of `--watch`."""
    from som_agent.watches.written import condition_from_json

    try:
        return condition_from_json(json.loads(text))
    except ValueError as error:
        raise InputError(f"--watch {text} is no JSON: {error}") from error
    except InputError as error:
        raise InputError(f"--watch {text}: {error}") from error


WatchFor = Annotated[
    list[Any] | None,
    typer.Option(
        "--watch",
        parser=_condition,
        metavar="JSON",
        help='Say when something happens to marks: {"kind": "leaves", "mark": 3}, for example. May be '
        "given several times.",
    ),
]


@dataclass
class _Waits:
    """One `--watch`, which begins once there are the marks that it names."""

    name: str
    condition: Condition
    watch: Watch | None = None
    told_end: bool = False


@dataclass
class Waiting:
    """Sets watches on a session, and prints what they tell: "w1" is the first of them, and so on.

    Attributes:
        session: where the marks are.
        conditions: what is waited for.
        json: print JSON objects rather than sentences.
    """

    session: Session
    conditions: Iterable[Condition]
    json: bool
    _waits: list[_Waits] = field(init=False)
    _untold: list[WatchEvent] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._waits = [_Waits(f"w{k}", wanted) for k, wanted in enumerate(self.conditions, 1)]

    def take(self, marked: MarkedFrame, seen: Sequence[Observation]) -> None:
        """Print what has happened by the newest frame, at once; begin what waits for marks of it."""
        labels = {info.label.casefold() for info in marked.infos}
        there = {row.mark for row in seen}
        for waits in self._waits:
            if waits.watch is None and all(
                _is_there(mark, there, labels) for mark in _named(waits.condition)
            ):
                waits.watch = self.session.watch(waits.condition, callback=self._taker(waits.name))
        for event in self._untold:
            if self.json:
                print_json(event.to_json())
            else:
                sys.stdout.write(f"{event.text}\n")
        self._untold.clear()
        sys.stdout.flush()
        for waits in self._waits:
            if waits.watch is not None and waits.watch.done and not waits.told_end:
                note(f"{waits.name} is over: {waits.watch.why_done}")
                waits.told_end = True

    def end(self) -> None:
        """Say what never began."""
        for waits in self._waits:
            if waits.watch is None:
                marks = _named(waits.condition)
                what = (
                    f"marks {', '.join(map(str, marks))} were never there at once"
                    if marks
                    else "no frame came"
                )
                note(f"{waits.name} never began: {what}")

    def _taker(self, name: str) -> Any:
        return lambda event: self._untold.append(replace(event, watch=name))


def _named(condition: Condition) -> list[int | str]:
    """The marks that must be there before a watch can be set: not those that it waits for."""
    from som_agent.watches.conditions import Appears, leaves_of

    parts = [part for part in leaves_of(condition) if not isinstance(part, Appears)]
    marks = [getattr(part, name, None) for part in parts for name in ("mark", "other")]
    return list(dict.fromkeys(mark for mark in marks if mark is not None))


def _is_there(mark: int | str, marks: set[int], labels: set[str]) -> bool:
    name = str(mark).strip().strip("[]").casefold()
    return name in labels or (name.isdecimal() and int(name) in marks)
