"""Where a tool's progress goes: the stream of the graph that it runs in, or the callbacks of its run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables.config import ensure_config
from langgraph.config import get_stream_writer

__all__ = ["Tell", "teller"]

Tell = Callable[[dict[str, Any]], None]


def teller(in_run: bool) -> Tell:
    """Takes progress events, from any thread.

    In a graph they come out of `stream_mode="custom"`. In a run without a graph they are custom events of
    `astream_events` and of callbacks, named by their "type". A bare `tool._run(…)` tells nobody.

    Args:
        in_run: whether LangChain runs the tool, which it does unless `_run` is called by hand.
    """
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):  # no run at all; a run outside a graph (langgraph 1.2)
        pass
    if not in_run:
        return lambda _event: None
    config = ensure_config()  # of this run: other threads have none
    return lambda event: dispatch_custom_event(event["type"], event, config=config)
