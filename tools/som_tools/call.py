"""One call of an action: who calls, whom progress is told, and whether anybody still waits for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from som_agent.errors import SomError

__all__ = ["Call", "StoppedError"]


class StoppedError(SomError):
    """Nobody waits for the result of a call any more: its client went away, or cancelled it."""


def _nobody(_: dict[str, Any]) -> None:
    return


def _goes_on() -> bool:
    return False


@dataclass(frozen=True)
class Call:
    """Who calls an action, and what is told meanwhile.

    Attributes:
        owner: whose sessions it sees: an MCP client has its own, all of one agent are "".
        tell: takes progress, an object for JSON with its "type", `som.watching` for example.
        stopped: whether the caller went away.
    """

    owner: str = ""
    tell: Callable[[dict[str, Any]], None] = _nobody
    stopped: Callable[[], bool] = _goes_on

    def check(self) -> None:
        """Where a long action could end early.

        Raises:
            StoppedError: the caller went away.
        """
        if self.stopped():
            raise StoppedError("the call was cancelled")
