"""A time budget for steps: quality gives way while they are too slow, and comes back when there is room."""

from __future__ import annotations

from som_agent.errors import InputError

__all__ = ["Budget"]

SMOOTH = 0.2
"""Weight of the newest step in the moving average."""
SETTLE_STEPS = 8
"""Steps on a level before its average counts."""
ROOM = 0.6
"""Share of the budget below which a better level may fit."""
PATIENCE_STEPS = 30
"""Steps with room before a better level is tried; each try that fails doubles them."""
MOST_PATIENCE_STEPS = 30 * 64


class Budget:
    """Chooses a level of quality from how long the steps take: 0 is full quality.

    It knows nothing of what the levels are. A better level that proves too slow is left again, and tried less
    and less often.

    Args:
        budget_ms: most milliseconds that a step may take on average.
        levels: how many there are, at least 1.

    Attributes:
        level: the level of the next step.
        average_ms: moving average of the steps on this level; 0 where none was taken yet.

    Raises:
        InputError: a budget that is not above 0.
    """

    def __init__(self, budget_ms: float, levels: int) -> None:
        if not budget_ms > 0:
            raise InputError(f"a budget of {budget_ms:g} ms makes no sense: it is above 0")
        self.budget_ms, self.levels = budget_ms, levels
        self.level = 0
        self.average_ms = 0.0
        self._steps = 0  # on this level
        self._steps_with_room = 0
        self._patience = PATIENCE_STEPS
        self._is_trying = False

    def update(self, step_ms: float) -> int:
        """Take in how long a step took; the level of the next one."""
        self._steps += 1
        weight = max(SMOOTH, 1 / self._steps)  # a plain mean at first
        self.average_ms += weight * (step_ms - self.average_ms)
        if self._steps < SETTLE_STEPS:
            return self.level
        self._steps_with_room = self._steps_with_room + 1 if self.average_ms < ROOM * self.budget_ms else 0
        if self.average_ms > self.budget_ms:
            if self._is_trying:
                self._patience = min(2 * self._patience, MOST_PATIENCE_STEPS)
            if self.level + 1 < self.levels:
                self._go_to(self.level + 1, is_trying=False)
        elif self._is_trying and self._steps >= PATIENCE_STEPS:
            self._is_trying, self._patience = False, PATIENCE_STEPS  # it holds
        elif self._steps_with_room >= self._patience and self.level > 0:
            self._go_to(self.level - 1, is_trying=True)
        return self.level

    def _go_to(self, level: int, *, is_trying: bool) -> None:
        self.level, self._is_trying = level, is_trying
        self._steps = self._steps_with_room = 0
        self.average_ms = 0.0
