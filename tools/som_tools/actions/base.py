"""What an agent can do, whatever it is plugged into: LangChain tools and MCP tools are made of this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["Action", "Outcome", "SessionForm"]

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Outcome:
    """What an action gives back.

    Attributes:
        text: for a model that reads only text.
        data: the same for programs, an object for JSON.
        pictures: PNG files, where the caller asked for some.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Action(Generic[Form]):
    """One thing that an agent can do.

    Attributes:
        name: of the tool.
        description: for a model: when to call it and what comes back.
        form: what a model fills in; every field has a description.
        run: does it; raises `SomError` where the caller can mend something, and nothing else on purpose.
        changes: whether marks or files are made; reading alone may be repeated at will.
    """

    name: str
    description: str
    form: type[Form]
    run: Callable[[SessionStore, Form, Call], Outcome]
    changes: bool = False


class SessionForm(BaseModel):
    """What every action on an open session needs."""

    session: str = Field(description='Id of the session, from open_video: "v1" for example')
