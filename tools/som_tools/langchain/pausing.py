"""The tool that waits for something, in a graph that pauses meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar

from langchain.tools import ToolRuntime
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, PrivateAttr

from som_tools.actions import Outcome
from som_tools.actions.watch import WatchForm
from som_tools.call import Call
from som_tools.langchain.tool import ActionTool
from som_tools.sessions import Opened

__all__ = ["INTERRUPT", "PausingWatchTool"]

INTERRUPT = "som.watch"
"""The "type" of our interrupts."""
REMEMBERED = 1000
"""Calls that may pause at a time, and be run again."""


class PausingWatchForm(WatchForm):
    """`WatchForm`, and what the graph adds where it runs the tool."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    runtime: ToolRuntime = None  # type: ignore[assignment]  # `| None` has no JSON schema


@dataclass
class _Paused:
    """A call that paused.

    Attributes:
        watch: id of its watch.
        condition: what it waits for, as a JSON object.
        seen: events that it had been told by then.
        outcome: what came of it, once it went on.
    """

    watch: str
    condition: dict[str, Any]
    seen: int
    outcome: Outcome | None = None


class PausingWatchTool(ActionTool):
    """`watch` that pauses its graph where it would wait in a live session or one that a program feeds.

    It calls `langgraph.types.interrupt` with `{"type": "som.watch", "session", "watch", "when", "seen",
    "wait_s", "until_s"}`; `resume_on_events` waits and resumes. A graph that is resumed runs the tool again
    from its start: the same call finds the watch that it set. Outside a graph it waits as it always does.
    """

    form: ClassVar[type[BaseModel] | None] = PausingWatchForm

    _paused: OrderedDict[Hashable, _Paused] = PrivateAttr(default_factory=OrderedDict)
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def outcome(self, arguments: dict[str, Any], call: Call) -> Outcome:
        """See `OutcomeTool.outcome`."""
        runtime: ToolRuntime | None = arguments.pop("runtime", None)
        form = WatchForm.model_validate(arguments)
        opened = self.store.get(form.session, call)
        waits = (form.wait_s > 0 or form.until_s is not None) and not form.stop
        if runtime is None or opened.kind == "stored" or not waits:
            return self.action.run(self.store, form, call)
        key = _key(runtime)
        with self._lock:
            paused = self._paused.get(key)
        if paused is None:
            at_once = form.model_copy(update={"wait_s": 0.0, "until_s": None})
            seen = _events(opened, form.watch.strip())
            outcome = self.action.run(self.store, at_once, call)
            if outcome.data["events"] or outcome.data["done"] or outcome.data["ended"]:
                return outcome
            paused = _Paused(outcome.data["watch"], outcome.data["condition"], seen)
            self._remember(key, paused)
        interrupt(
            {
                "type": INTERRUPT,
                "session": form.session,
                "watch": paused.watch,
                "when": paused.condition,
                "seen": paused.seen,
                "wait_s": form.wait_s or None,
                "until_s": form.until_s,
            }
        )
        if paused.outcome is None:  # else the graph runs it once more, for another call beside it
            told = WatchForm.model_validate({"session": form.session, "watch": paused.watch})
            paused.outcome = self.action.run(self.store, told, call)
        return paused.outcome

    def _remember(self, key: Hashable, paused: _Paused) -> None:
        with self._lock:
            self._paused[key] = paused
            while len(self._paused) > REMEMBERED:
                self._paused.popitem(last=False)


def _key(runtime: ToolRuntime) -> Hashable:
    """The same whenever a graph runs the same call: models may give an id to many calls."""
    known = runtime.config.get("configurable", {})
    return known.get("thread_id"), known.get("checkpoint_ns"), runtime.tool_call_id


def _events(opened: Opened, watch: str) -> int:
    """How many events a watch that was set before has had; 0 for a new one."""
    known = opened.watches.get(watch)
    return 0 if known is None else len(known.events) + known.dropped
