"""One action as a LangChain tool."""

from __future__ import annotations

import asyncio
import base64
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import Annotated, Any, ClassVar, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, SkipValidation, ValidationError

from som_agent.errors import SomError
from som_tools.actions import Action, Outcome
from som_tools.call import Call
from som_tools.langchain.progress import teller
from som_tools.sessions import SessionStore

__all__ = ["ActionTool", "OutcomeTool", "wrong_arguments"]

TOLD = 5
"""Wrong arguments that are told at once."""

Content = str | list[str | dict[str, Any]]


def wrong_arguments(error: Any) -> str:
    """What a model is told whose arguments do not fit the schema: one line."""
    if not isinstance(error, ValidationError):  # of pydantic 1, which no schema of ours is made of
        return "wrong arguments: " + " ".join(str(error).split())
    told = [
        f"{'.'.join(map(str, part['loc'])) or 'all'}: {' '.join(part['msg'].split())}"
        for part in error.errors(include_url=False)
    ]
    more = f"; {len(told) - TOLD} more" if len(told) > TOLD else ""
    return "wrong arguments: " + "; ".join(told[:TOLD]) + more


class OutcomeTool(BaseTool):
    """A tool that gives an `Outcome`: text (and pictures) for the model, data as the artifact.

    What the caller can mend, a `SomError`, becomes a tool error that the model reads. Anything else is a bug
    and is raised. Called asynchronously it works in a thread of its own; when its task is cancelled, the
    work ends at its next step.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: bool | str | Callable[[ToolException], str] | None = True
    handle_validation_error: Any = wrong_arguments
    owner: str = ""
    """Whose sessions it sees."""

    @abstractmethod
    def outcome(self, arguments: dict[str, Any], call: Call) -> Outcome:
        """Do it.

        Raises:
            SomError: what the caller can mend.
        """

    def _run(
        self, *, run_manager: CallbackManagerForToolRun | None = None, **arguments: Any
    ) -> tuple[Content, dict[str, Any]]:
        return self._result(arguments, Call(self.owner, teller(run_manager is not None)))

    async def _arun(
        self, *, run_manager: AsyncCallbackManagerForToolRun | None = None, **arguments: Any
    ) -> tuple[Content, dict[str, Any]]:
        gone = Event()
        tell = teller(run_manager is not None)
        call = Call(self.owner, lambda event: None if gone.is_set() else tell(event), gone.is_set)
        # Not the loop's own few threads: calls that wait for a camera would keep all of them.
        worker = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                worker, copy_context().run, self._result, arguments, call
            )
        except asyncio.CancelledError:
            gone.set()
            raise
        finally:
            worker.shutdown(wait=False)

    def _result(self, arguments: dict[str, Any], call: Call) -> tuple[Content, dict[str, Any]]:
        try:
            outcome = self.outcome(arguments, call)
        except SomError as error:
            raise ToolException(str(error)) from error
        return _content(outcome), outcome.data


def _content(outcome: Outcome) -> Content:
    if not outcome.pictures:
        return outcome.text
    pictures = [
        {"type": "image", "base64": base64.b64encode(png).decode("ascii"), "mime_type": "image/png"}
        for png in outcome.pictures
    ]
    return [{"type": "text", "text": outcome.text}, *pictures]


class ActionTool(OutcomeTool):
    """A tool of the table `som_tools.actions.ACTIONS`; `VideoMarksToolkit` makes them."""

    action: Annotated[Action[Any], SkipValidation()]
    store: Annotated[SessionStore, SkipValidation()]
    form: ClassVar[type[BaseModel] | None] = None  # in place of the action's own
    args_schema: Annotated[type[BaseModel], SkipValidation()]

    @classmethod
    def of(cls, action: Action[Any], store: SessionStore, owner: str = "") -> Self:
        """The tool of an action on a store."""
        return cls(
            name=action.name,
            description=action.description,
            args_schema=cls.form or action.form,
            metadata={"changes": action.changes},
            action=action,
            store=store,
            owner=owner,
        )

    def outcome(self, arguments: dict[str, Any], call: Call) -> Outcome:
        """See `OutcomeTool.outcome`."""
        return self.action.run(self.store, self.action.form.model_validate(arguments), call)
