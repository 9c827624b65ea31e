"""Questions whose relation stands at the wrong end: "Which mark is [4] under?" asks what contains [4]."""

from __future__ import annotations

from dataclasses import replace

from som_agent.grounding.attributes.lexicon import Item

__all__ = ["turned"]

_INVERSE = {"under": "over", "hidden by": "hiding", "in": "containing", "inside": "around"}
_IDLE = ("word", "comma")


def turned(items: list[Item]) -> list[Item]:
    """The items with such a relation before its object, "which mark is over [4]"; else as they are.

    It stands last ("which mark is [4] under") or first ("under which mark is [4]"), and the rest are words
    that ask and one phrase that says which mark is meant.
    """
    told = [k for k, item in enumerate(items) if item.kind not in _IDLE]
    if len(told) < 3:
        return items
    first, last = items[told[0]], items[told[-1]]
    relation, rest = (first, items[told[0] + 1 :]) if _turns(first) else (last, items[: told[-1]])
    if not _turns(relation) or any(_turns(item) for item in rest):
        return items
    asks = [k for k, item in enumerate(rest) if item.kind == "ask"]
    head = next((k for k, item in enumerate(rest) if item.text.lower() in ("is", "was", "are", "were")), None)
    if len(asks) != 1 or rest[asks[0]].name != "which" or head is None or head < asks[0]:
        return items
    phrase = rest[head + 1 :]
    kinds = {item.kind for item in phrase} - {"word"}
    if not kinds & {"ref", "filter", "best"} or not kinds <= {"ref", "filter", "best", "noun", "and"}:
        return items
    return [*rest[: head + 1], replace(relation, name=_INVERSE[relation.name]), *phrase]


def _turns(item: Item) -> bool:
    return item.kind == "relation" and item.name in _INVERSE
