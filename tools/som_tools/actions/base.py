"""What an agent can do, whatever it is plugged into: LangChain tools and MCP tools are made of this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from som_tools.call import Call
from som_tools.sessions import SessionStore

__all__ = ["Action", "Form", "Outcome", "SessionForm"]


def _lean(schema: dict[str, Any]) -> None:
    """Without what a model pays for and learns nothing from."""
    schema.pop("description", None)  # of the form's class, which is for programmers
    for field_ in schema.get("properties", {}).values():
        field_.pop("title", None)


class Form(BaseModel):
    """What a model fills in. Numbers are taken where text is asked for: models write mark 3 either way."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, json_schema_extra=_lean)


class SessionForm(Form):
    """What every action on an open session needs."""

    session: str = Field(description='Id of the session, "v1" for example')


AnyForm = TypeVar("AnyForm", bound=BaseModel)


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
class Action(Generic[AnyForm]):
    """One thing that an agent can do.

    Attributes:
        name: of the tool.
        description: for a model: when to call it and what comes back.
        form: what a model fills in; every field has a description.
        run: does it; raises `SomError` where the caller can mend something, and nothing else on purpose.
        keys: of `Outcome.data`, each with what it says.
        changes: whether marks or files are made; reading alone may be repeated at will.
    """

    name: str
    description: str
    form: type[AnyForm]
    run: Callable[[SessionStore, AnyForm, Call], Outcome]
    keys: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False
