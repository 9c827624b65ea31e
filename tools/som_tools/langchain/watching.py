"""Watches in graphs: a run that waits for something to happen is stored, not blocked, and goes on with it.

```python
toolkit = VideoMarksToolkit(store, interrupts=True)
agent = create_agent(model, toolkit.get_tools(), checkpointer=InMemorySaver())
state = await resume_on_events(agent, {"messages": [...]}, config, toolkit)
```
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from time import monotonic
from typing import Any

from langgraph.types import Command, Interrupt

from som_agent.errors import InputError
from som_agent.watches import Watch, WatchEvent
from som_tools.call import Call
from som_tools.langchain.pausing import INTERRUPT
from som_tools.langchain.toolkit import VideoMarksToolkit

__all__ = ["resume_on_events", "stream_on_events", "wake_ups"]

CHECKED_S = 0.2
"""Seconds from one look at whether the session still runs to the next."""


async def resume_on_events(agent: Any, given: Any, config: Any, toolkit: VideoMarksToolkit) -> dict[str, Any]:
    """Run an agent to its end, over every watch that it waits for.

    Args:
        agent: a compiled graph with a checkpointer and the tools of `toolkit`.
        given: its input, or a `Command`; None goes on with a thread that waits.
        config: with the `thread_id`.
        toolkit: made with `interrupts=True`, of the store that the tools use.

    Returns:
        The last state. Where the agent waits for somebody else (an interrupt that is not ours), it is the
        state at that point, with "__interrupt__".
    """
    while True:
        state: dict[str, Any] = await agent.ainvoke(given, config)
        answers = await wake_ups(state.get("__interrupt__", ()), toolkit)
        if not answers:
            return state
        given = Command(resume=answers)


async def stream_on_events(
    agent: Any,
    given: Any,
    config: Any,
    toolkit: VideoMarksToolkit,
    *,
    stream_mode: str | Sequence[str] = "updates",
) -> AsyncIterator[Any]:
    """As `resume_on_events`, and gives what `agent.astream` gives, over every watch that is waited for."""
    while True:
        async for part in agent.astream(given, config, stream_mode=stream_mode):
            yield part
        answers = await wake_ups((await agent.aget_state(config)).interrupts, toolkit)
        if not answers:
            return
        given = Command(resume=answers)


async def wake_ups(interrupts: Iterable[Interrupt], toolkit: VideoMarksToolkit) -> dict[str, Any]:
    """Wait for the events of all our interrupts; for `Command(resume=…)`.

    Returns:
        Id of an interrupt → JSON object of its event, or `{"event": None, "why": …}` where none comes: the
        time is up, the session was closed, it can happen no more. Empty where no interrupt is ours.
    """
    ours = [
        interrupt
        for interrupt in interrupts
        if isinstance(interrupt.value, dict) and interrupt.value.get("type") == INTERRUPT
    ]
    answers = await asyncio.gather(*(_wake_up(interrupt.value, toolkit) for interrupt in ours))
    return {interrupt.id: answer for interrupt, answer in zip(ours, answers, strict=True)}


async def _wake_up(asked: dict[str, Any], toolkit: VideoMarksToolkit) -> dict[str, Any]:
    call = Call(toolkit.owner)
    try:
        opened = toolkit.store.get(asked["session"], call)
        watch = opened.watches.get(asked["watch"])
        if watch is None:
            return {"event": None, "why": f"watch {asked['watch']} waits no more"}
        coming = asyncio.ensure_future(_after(watch, asked["seen"]))
        end = math.inf if asked["wait_s"] is None else monotonic() + asked["wait_s"]
        try:
            while not coming.done() and not opened.ended and not opened.is_at(asked["until_s"]):
                if (left := end - monotonic()) <= 0:
                    break
                await asyncio.wait({coming}, timeout=min(left, CHECKED_S))
                toolkit.store.get(opened.id, call)  # it is in use: it is not closed as idle
            event = coming.result() if coming.done() else None
        finally:
            coming.cancel()
    except InputError as error:  # closed meanwhile, or a session of a process that is no more
        return {"event": None, "why": str(error)}
    if event is not None:
        return {"event": event.to_json()}
    return {"event": None, "why": watch.why_done or ("the session ended" if opened.ended else "time is up")}


async def _after(watch: Watch, seen: int) -> WatchEvent | None:
    """The first event after those that were seen; None where there will be none any more."""
    count = watch.dropped
    async for event in watch:
        count += 1
        if count > seen:
            return event
    return None
