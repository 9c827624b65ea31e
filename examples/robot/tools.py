"""What the robot knows: results of som-agent's tools, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from som_tools.actions import ACTIONS, Outcome
from som_tools.call import Call
from som_tools.sessions import FedSession, SessionStore

__all__ = ["Sight", "Tools"]


@dataclass(frozen=True)
class Sight:
    """One mark as `locate_marks` tells of it; see `som_agent.bearings.Bearing`."""

    mark: int
    label: str
    state: str
    colors: str
    azimuth_deg: float
    left_deg: float
    right_deg: float
    top_deg: float
    bottom_deg: float
    cut: bool
    ground_m: float | None
    range_at_deg: float | None
    time_to_contact_s: float | None = None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Sight:
        """From a row of the tool's data."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def is_visible(self) -> bool:
        """Whether it is seen now."""
        return self.state == "visible"

    def __str__(self) -> str:
        side = "right" if self.azimuth_deg > 0 else "left"
        far = "" if self.ground_m is None else f" {self.ground_m:.2f} m"
        return f"[{self.label}] {self.colors} {abs(self.azimuth_deg):.0f}° {side}{far}"


class Tools:
    """The tools of one session, called as an agent would.

    Args:
        store: has the session.
        fed: the session of the robot's camera.
    """

    def __init__(self, store: SessionStore, fed: FedSession) -> None:
        self._store, self._fed = store, fed
        self._actions = {action.name: action for action in ACTIONS}

    def call(self, name: str, **fields: Any) -> Outcome:
        """Call a tool by its name."""
        action = self._actions[name]
        return action.run(self._store, action.form(**({"session": self._fed.id} | fields)), Call())

    def locate(self) -> list[Sight]:
        """Where all marks are."""
        return [Sight.of(row) for row in self.call("locate_marks").data["marks"]]

    def find(self, words: str, sights: Sequence[Sight]) -> list[int]:
        """The marks that words name, of those that are seen now."""
        named = {row["mark"] for row in self.call("find", phrase=f"{words} marks").data["marks"]}
        return [sight.mark for sight in sights if sight.is_visible and sight.mark in named]
