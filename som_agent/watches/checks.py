"""Which values the fields of conditions take."""

from __future__ import annotations

from typing import Any

from som_agent.errors import InputError
from som_agent.watches.zone import Zone, numbers

__all__ = ["COLORS", "check"]

COLORS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
"""As `som_agent.colors.COLOR_TERMS`, which takes a while to import."""

_ONE_OF = {
    "how": ("gone", "hidden"),
    "side": ("left_of", "right_of", "above", "below"),
    "to": COLORS,
}
_LEAST = {"seconds": 0.0, "distance_px": 0.0}
_ABOVE_0 = ("speed_px_s", "factor", "within_s")


def check(condition: Any) -> None:
    """Refuse values of a simple condition, or of `then`, that make no sense.

    Raises:
        InputError: it names the kind, the field and the value.
    """
    for name, value in vars(condition).items():
        if name in ("mark", "other"):
            _check_mark(condition, name, value)
        elif name in _ONE_OF and not (value is None and name != "side") and value not in _ONE_OF[name]:
            raise InputError(
                f"{condition.kind}: {name} must be one of {', '.join(_ONE_OF[name])}, got {value!r}"
            )
        elif name in _LEAST or name in _ABOVE_0:
            (number,) = numbers(f"{condition.kind}: {name}", (value,))
            if number < _LEAST.get(name, 0.0) or (name in _ABOVE_0 and number == 0):
                least = "above 0" if name in _ABOVE_0 else f"at least {_LEAST[name]:g}"
                raise InputError(f"{condition.kind}: {name} must be {least}, got {value!r}")
        elif name == "zone" and not isinstance(value, Zone):
            raise InputError(f"{condition.kind}: zone must be a zone, got {value!r}")
    if condition.kind == "changes_size" and 0.9 < condition.factor < 1.1:
        raise InputError(
            f"changes_size: factor must be 1.1 or more, or 0.9 or less, got {condition.factor!r}"
        )
    if getattr(condition, "other", None) is not None and condition.other == condition.mark:
        raise InputError(f"{condition.kind}: mark and other are both {condition.mark!r}; it takes two marks")


def _check_mark(condition: Any, name: str, value: Any) -> None:
    needed = condition.kind in ("near", "touches", "beside") and name == "mark"
    if value is None and not needed:
        return
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not is_number and not (isinstance(value, str) and value.strip()):
        raise InputError(f"{condition.kind}: {name} must be the number or label of a mark, got {value!r}")
