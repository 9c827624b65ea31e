"""The table of everything that an agent can do."""

from typing import Any

from som_tools.actions.ask import ASK
from som_tools.actions.base import Action, Form, Outcome, SessionForm
from som_tools.actions.describe import DESCRIBE
from som_tools.actions.find import FIND
from som_tools.actions.locate import LOCATE
from som_tools.actions.look import LOOK
from som_tools.actions.made import COMBINE, MARK_OBJECT
from som_tools.actions.masks import EXPORT
from som_tools.actions.opening import CLOSE, OPEN, PLAY, SESSIONS
from som_tools.actions.relate import RELATE
from som_tools.actions.watch import WATCH
from som_tools.actions.zoom import ZOOM

__all__ = ["ACTIONS", "Action", "Form", "Outcome", "SessionForm"]

ACTIONS: tuple[Action[Any], ...] = (
    OPEN,
    PLAY,
    LOOK,
    ASK,
    FIND,
    DESCRIBE,
    RELATE,
    ZOOM,
    MARK_OBJECT,
    COMBINE,
    EXPORT,
    WATCH,
    LOCATE,
    SESSIONS,
    CLOSE,
)
"""In the order in which a model reads them."""
