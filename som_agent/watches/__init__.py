"""Conditions on marks, checked at every frame from what was seen, without a model."""

from som_agent.watches.conditions import (
    And,
    Appears,
    Beside,
    ChangesColor,
    ChangesSize,
    ComesBack,
    Condition,
    Enters,
    Exits,
    Faster,
    Leaves,
    Moves,
    Near,
    Or,
    Slower,
    Stops,
    Then,
    Touches,
    Zone,
)
from som_agent.watches.event import WatchEvent
from som_agent.watches.watch import Watch
from som_agent.watches.written import condition_from_json, condition_to_json

__all__ = [
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
    "Leaves",
    "Moves",
    "Near",
    "Or",
    "Slower",
    "Stops",
    "Then",
    "Touches",
    "Watch",
    "WatchEvent",
    "Zone",
    "condition_from_json",
    "condition_to_json",
]
