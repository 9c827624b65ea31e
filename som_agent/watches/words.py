"""Sentences of events, and of why a watch is over."""

from __future__ import annotations

from som_agent.watches.conditions import Simple
from som_agent.watches.event import Value
from som_agent.watches.memory import Memory

__all__ = ["clause"]

_SIDES = {"left_of": "left of", "right_of": "right of", "above": "above", "below": "below"}


def clause(
    condition: Simple, memory: Memory, key: tuple[int, ...], values: dict[str, Value], already: bool
) -> str:
    """What happened, without the time: "mark [3] came near mark [4] (12 px)"."""
    names = [memory.name(mark) for mark in key]
    return f"{names[0]} {_predicate(condition, names[-1], values, already)}"


def _predicate(condition: Simple, other: str, values: dict[str, Value], already: bool) -> str:
    kind = condition.kind
    speed = f"{values.get('speed_px_s', 0):.0f} px/s"
    became = "is already" if already else "came to be"
    match kind:
        case "appears":
            return "has appeared already" if already else "appeared"
        case "leaves":
            how = "left the picture" if values["how"] == "gone" else "went out of sight"
            return f"{how} already" if already else how
        case "comes_back":
            return "came back into view"
        case "moves":
            return f"is already moving ({speed})" if already else f"started to move ({speed})"
        case "stops":
            return f"{'already stands' if already else 'has stood'} still for {values['seconds']:.1f} s"
        case "faster":
            return f"{'is already' if already else 'got'} faster than {condition.speed_px_s:g} px/s ({speed})"
        case "slower":
            return f"{'is already' if already else 'got'} slower than {condition.speed_px_s:g} px/s ({speed})"
        case "enters":
            return f"{'is already in' if already else 'entered'} {condition.zone.called}"
        case "exits":
            return f"left {condition.zone.called}"
        case "near" | "touches":
            near = f"near {other} ({values['distance_px']:.0f} px)" if kind == "near" else other
            if kind == "near":
                return f"{'is already' if already else 'came'} {near}"
            return f"{'already touches' if already else 'touched'} {near}"
        case "beside":
            return f"{became} {_SIDES[condition.side]} {other}"
        case "changes_color":
            if already:
                return f"is already {values['to']}"
            return f"changed colour from {values['from']} to {values['to']}"
        case "changes_size":
            verb = "grew" if condition.factor > 1 else "shrank"
            return f"{verb} to {values['factor']:.2f} times its area"
