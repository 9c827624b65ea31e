"""One call of an action by a client: in a thread, with progress, until it ends or the client goes away."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import ValidationError

from som_agent.errors import SomError
from som_tools.actions import Action, Outcome
from som_tools.call import Call
from som_tools.mcp.client import Client
from som_tools.sessions import SessionStore

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream
    from mcp.server.session import ServerSession
    from mcp.shared.context import RequestContext

__all__ = ["GONE", "call_action", "refusal"]

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What sending raises once nobody is there to receive."""
WAITING = 32
"""Progress events that wait for a slow client; more are dropped, newer ones say the same and more."""

log = logging.getLogger("som_tools.mcp")


async def call_action(
    action: Action[Any], arguments: dict[str, Any], context: RequestContext[ServerSession, Client, Any]
) -> CallToolResult:
    """Run an action for a client. What it can mend comes back as an error result of one line.

    The action runs in a thread, so that other requests are answered meanwhile. Where the client cancels the
    call or goes away, the action is told to stop and is waited for: it may hold a video open.
    """
    client = context.lifespan_context
    try:
        form = action.form.model_validate(arguments)
    except ValidationError as error:
        return refusal(_mistakes(action.name, error))
    put, events = anyio.create_memory_object_stream[dict[str, Any]](WAITING)
    loop = asyncio.get_running_loop()  # servers run on asyncio, as uvicorn does
    stopped = threading.Event()

    def keep(event: dict[str, Any]) -> None:
        with suppress(anyio.WouldBlock, *GONE):
            put.send_nowait(event)

    def tell(event: dict[str, Any]) -> None:  # in whichever thread the action uses
        loop.call_soon_threadsafe(keep, event)

    call = client.call(tell, stopped.is_set)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_tell_progress, events, context, stopped.set)
        try:
            result = await anyio.to_thread.run_sync(
                _run, action, client.store, form, call, limiter=client.room
            )
        finally:
            put.close()
    await anyio.lowlevel.checkpoint_if_cancelled()  # nobody waits for the result of a cancelled call
    return result


def refusal(line: str) -> CallToolResult:
    """An error result, which the model reads."""
    return CallToolResult(content=[TextContent(type="text", text=line)], isError=True)


def _run(action: Action[Any], store: SessionStore, form: Any, call: Call) -> CallToolResult:
    try:
        return _result(action.run(store, form, call))
    except SomError as error:
        return refusal(str(error))
    except Exception as error:  # a bug: the model learns that it is not to blame, the rest is on stderr
        log.exception("internal error in %s", action.name)
        return refusal(
            f"internal error in {action.name}: {type(error).__name__}; the server's stderr says more"
        )


def _result(outcome: Outcome) -> CallToolResult:
    pictures = [
        ImageContent(type="image", data=b64encode(picture).decode(), mimeType="image/png")
        for picture in outcome.pictures
    ]
    # Here, where a bug costs one call: in the transport it would cost the connection.
    data = json.loads(json.dumps(outcome.data, allow_nan=False))
    return CallToolResult(
        content=[TextContent(type="text", text=outcome.text), *pictures], structuredContent=data
    )


def _mistakes(name: str, error: ValidationError) -> str:
    """What is wrong with the arguments, in one line."""
    said = (
        f"{'.'.join(str(part) for part in mistake['loc']) or 'arguments'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False)
    )
    return " ".join(f"{name} cannot be called so: {'; '.join(said)}".split())


async def _tell_progress(
    events: MemoryObjectReceiveStream[dict[str, Any]],
    context: RequestContext[ServerSession, Client, Any],
    stop: Callable[[], object],
) -> None:
    """Send progress until the action has ended; `stop` is called where that was cut short.

    MCP asks for numbers that go up: frames count, and anything else that is told counts as one more.
    """
    meta = context.meta
    token = None if meta is None else meta.progressToken
    told = 0.0
    try:
        with events:
            async for event in events:
                if token is None:
                    continue
                frame, frames = event.get("frame"), event.get("frames")
                told = max(told + 1, -math.inf if frame is None else frame + 1)
                with suppress(*GONE):  # the call itself is ended by whoever noticed that
                    await context.session.send_progress_notification(
                        token,
                        told,
                        None if frame is None or not frames else float(max(frames, told)),
                        _in_words(event),
                        related_request_id=str(context.request_id),
                    )
    finally:
        stop()


def _in_words(event: dict[str, Any]) -> str:
    """What an event says, for people."""
    match event:
        case {"type": "som.watching", "video": video, "frame": frame, "time": time}:
            frames = event.get("frames")
            return f"watching {video}: frame {frame + 1}{f' of {frames}' if frames else ''}, {time:.1f} s"
        case {"type": "som.asking", "question": question}:
            return f"asking: {question}"
    return str(event.get("type", "working"))
