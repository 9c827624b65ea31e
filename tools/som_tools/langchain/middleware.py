"""What a model is shown beside the conversation: pictures of tools where it takes them, and what is seen now.

Both change single requests only: nothing is stored in the state of the agent. They go together in either
order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, HumanMessage

from som_agent.errors import InputError
from som_agent.lmm.profiles import Profile, profile_of
from som_tools.actions.pictures import LONG_PX
from som_tools.call import Call
from som_tools.langchain.lifting import fewer_images, lifted
from som_tools.langchain.toolkit import VideoMarksToolkit
from som_tools.langchain.views import view_now
from som_tools.sessions import Opened, SessionStore

__all__ = ["NewestMarkedFrame", "ToolImagesToUser", "takes_images", "takes_tool_images"]

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


def takes_images(model: BaseChatModel) -> bool:
    """Whether a model takes pictures: False only where LangChain's table of models says so."""
    return (model.profile or {}).get("image_inputs") is not False


def takes_tool_images(model: BaseChatModel) -> bool:
    """Whether a model takes pictures in messages of tools."""
    return _profile(model).tool_images


def _profile(model: BaseChatModel) -> Profile:
    return profile_of(model, type(model).__name__, stored=False)


class ToolImagesToUser(AgentMiddleware[Any, Any, Any]):
    """Pictures that tools gave back go into a message of the user after them, where every model reads them.

    Only for models that do not take them in messages of tools. For any model the number of pictures is
    kept: the oldest ones of tools are replaced by a line that says so. A model that takes no pictures at all
    gets that line for each.

    Args:
        pictures: most pictures in a request, those of the user included; what the model's family takes by
            default.
        lift: True moves them for every model, False for none.
        images: True shows pictures to any model, False to none; what is known of the model by default.
    """

    def __init__(
        self, *, pictures: int | None = None, lift: bool | None = None, images: bool | None = None
    ) -> None:
        super().__init__()
        if pictures is not None and pictures < 0:
            raise InputError(f"pictures must be at least 0, got {pictures}")
        self.pictures, self.lift, self.images = pictures, lift, images

    def shown(self, messages: list[AnyMessage], model: BaseChatModel) -> list[AnyMessage]:
        """The messages as a model gets them."""
        most = _profile(model).pictures if self.pictures is None else self.pictures
        if not (takes_images(model) if self.images is None else self.images):
            most = 0
        kept = fewer_images(messages, most)
        return lifted(kept) if self._lifts(model) else kept

    def _lifts(self, model: BaseChatModel) -> bool:
        return not takes_tool_images(model) if self.lift is None else self.lift

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        return handler(request.override(messages=self.shown(request.messages, request.model)))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        return await handler(request.override(messages=self.shown(request.messages, request.model)))


class NewestMarkedFrame(AgentMiddleware[Any, Any, Any]):
    """Before every call of the model the newest marked frame of what is live, as a last message of the user.

    It has a line a mark, and the picture if the model takes any. The next call has the next frame and no
    longer this one.

    Args:
        source: the store or toolkit whose sessions are shown: those of the toolkit's owner, or of "".
        session: id of the one session to show, of any kind; all live and fed ones by default.
        pictures: most pictures in a request: of the sessions that were opened last. The others are told of.
        long_px: long side of a picture.
        images: True shows pictures to any model, False to none; what is known of the model by default.
    """

    def __init__(
        self,
        source: SessionStore | VideoMarksToolkit,
        session: str | None = None,
        *,
        pictures: int = 1,
        long_px: int = LONG_PX,
        images: bool | None = None,
    ) -> None:
        super().__init__()
        if pictures < 0:
            raise InputError(f"pictures must be at least 0, got {pictures}")
        if isinstance(source, VideoMarksToolkit):
            self.store, self._call = source.store, Call(source.owner)
        else:
            self.store, self._call = source, Call()
        self.session, self.pictures, self.long_px, self.images = session, pictures, long_px, images

    def message(self, model: BaseChatModel) -> HumanMessage | None:
        """What is seen now, as a model gets it; None where nothing is live."""
        shown = self._sessions()
        if not shown:
            return None
        allowed = takes_images(model) if self.images is None else self.images
        plain = len(shown) - (self.pictures if allowed else 0)  # told of without a picture
        blocks = [
            block
            for k, opened in enumerate(shown)
            for block in view_now(opened, self.long_px if k >= plain else None)
        ]
        return HumanMessage(blocks)

    def _sessions(self) -> list[Opened]:
        opened = self.store.all(self._call)
        if self.session is not None:
            return [one for one in opened if one.id == self.session]
        return [one for one in opened if one.kind != "stored"]

    def _with(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        message = self.message(request.model)
        return request if message is None else request.override(messages=[*request.messages, message])

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        return handler(self._with(request))

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> ModelResponse[Any]:
        """See `AgentMiddleware`."""
        return await handler(await asyncio.to_thread(self._with, request))  # pictures take time to draw
