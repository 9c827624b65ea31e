"""The table of everything that an agent can do."""

from typing import Any

from som_tools.actions.ask import ASK
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.locate import LOCATE
from som_tools.actions.look import LOOK
from som_tools.actions.opening import CLOSE, OPEN, PLAY

__all__ = ["ACTIONS", "Action", "Outcome", "SessionForm"]

ACTIONS: tuple[Action[Any], ...] = (OPEN, PLAY, LOOK, ASK, LOCATE, CLOSE)
"""In the order in which a model reads them."""
