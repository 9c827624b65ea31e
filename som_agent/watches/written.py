"""Conditions as JSON, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from som_agent.errors import InputError
from som_agent.watches.conditions import KINDS, And, Condition, Or, Then, Zone

__all__ = ["condition_from_json", "condition_to_json"]


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """`{"kind": "near", "mark": 3, "other": 4, "distance_px": 40}`; what is left out is not there."""
    written: dict[str, Any] = {"kind": condition.kind}
    for part in fields(condition):
        value = getattr(condition, part.name)
        if part.name == "kind" or value is None:
            continue
        if part.name == "zone":
            written["zone"] = _zone_to_json(value)
        elif part.name == "conditions":
            written["conditions"] = [condition_to_json(one) for one in value]
        elif part.name in ("first", "second"):
            written[part.name] = condition_to_json(value)
        else:
            written[part.name] = value
    return written


def condition_from_json(written: Any, depth: int = 0) -> Condition:
    """The condition that an object means.

    Args:
        written: as `condition_to_json` writes it.
        depth: how many conditions it is in.

    Raises:
        InputError: a kind, a field or a value that there is not; it says what there is.
    """
    known = ", ".join(KINDS)
    if not isinstance(written, Mapping) or "kind" not in written:
        raise InputError(f"a condition is an object with a kind, one of {known}; got {written!r}")
    kind = written["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"no kind of condition {kind!r}; there are {known}")
    if depth > 10:
        raise InputError("conditions are too deep in one another")
    own = {part.name: part for part in fields(KINDS[kind]) if part.init}
    values = {name: value for name, value in written.items() if name != "kind"}
    unknown = [name for name in values if name not in own]
    if unknown:
        raise InputError(f"{kind} has no {', '.join(map(str, unknown))}; it has {', '.join(own)}")
    missing = [name for name, part in own.items() if part.default is MISSING and name not in values]
    if missing:
        raise InputError(f"{kind} needs {', '.join(missing)}")
    if "zone" in values:
        values["zone"] = _zone_from_json(values["zone"])
    for name in ("first", "second"):
        if name in values:
            values[name] = condition_from_json(values[name], depth + 1)
    if "conditions" in values:
        if not isinstance(values["conditions"], (list, tuple)):
            raise InputError(f"{kind}: conditions must be a list, got {values['conditions']!r}")
        values["conditions"] = tuple(condition_from_json(one, depth + 1) for one in values["conditions"])
    made: And | Or | Then | Any = KINDS[kind](**values)
    return made


def _zone_to_json(zone: Zone) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if zone.box is not None:
        written["box"] = list(zone.box)
    if zone.polygon is not None:
        written["polygon"] = [list(point) for point in zone.polygon]
    return written | ({"name": zone.name} if zone.name else {})


def _zone_from_json(written: Any) -> Zone:
    if not isinstance(written, Mapping):
        raise InputError(f'a zone is an object, {{"box": [x0, y0, x1, y1]}} for example; got {written!r}')
    unknown = [name for name in written if name not in ("box", "polygon", "name")]
    if unknown:
        raise InputError(f"a zone has no {', '.join(map(str, unknown))}; it has box, polygon, name")
    return Zone(**written)
