"""A LangChain agent in place of the rules: the same tools, and two that move the robot.

`--planner openai:gpt-4o`, or any model that LangChain's `init_chat_model` knows, becomes an agent by
`create_agent`. `--planner MODULE:FUNCTION` calls `FUNCTION(tools, prompt)`, which returns an agent, or a chat
model to make one of.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from examples.robot.rules import DRIVE_M, TURN_DEG, Decision
from examples.robot.run import MOST_STEPS, STEP_S, Result, Robot, Watcher
from som_agent.errors import InputError
from som_tools.langchain import VideoMarksToolkit

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

__all__ = ["PROMPT", "Wheels", "load_agent", "run_agent"]

OFFERED = ("look", "find", "ask", "zoom", "describe_mark", "relate_marks", "locate_marks")
"""Tools of the session that see something."""
MOST_CALLS = 400
PROMPT = """You drive a small robot in a room. Its camera feeds the video session "{session}"; every thing \
in view has a number, its mark, cited as [3]. You are asked for: the {asked} thing.
Drive to it and call stop when locate_marks says that its range is between 0.58 and 0.66 m and its direction \
within 12 degrees of straight ahead. Touch nothing: pass other things at half a metre. If it is not in view, \
turn to look for it; if something hides it, drive round that. After every drive the marks are somewhere \
else: call locate_marks again. Small steps are safe steps."""


class _Drive(BaseModel):
    turn_deg: float = Field(description="Degrees to turn on the spot first, to the right", ge=-180, le=180)
    forward_m: float = Field(
        description="Metres to drive straight after that; negative is back", ge=-0.5, le=1
    )


class _Stop(BaseModel):
    pass


class Wheels:
    """Moves the robot for an agent, a picture at every step on the way.

    Args:
        robot: the robot; it has looked once.
        watch: is shown every frame.

    Attributes:
        stopped: whether the agent said that it is there.
        decide_ms: from the end of each move to the next one.
    """

    def __init__(self, robot: Robot, watch: Watcher | None) -> None:
        self._robot, self._watch = robot, watch
        self.stopped = False
        self.decide_ms: list[float] = []
        self._since = time.perf_counter()

    def drive(self, turn_deg: float, forward_m: float) -> str:
        """Turn, then drive; says what came of it."""
        self._decided()
        robot, began = self._robot, self._robot.world.time_s
        steps = [*_parts(turn_deg, TURN_DEG, turns=True), *_parts(forward_m, DRIVE_M, turns=False)]
        for turn, forward in steps or [(0.0, 0.0)]:
            if len(robot.perceive_ms) >= MOST_STEPS:
                raise ToolException("the time for this task is up")
            free = robot.world.drive(turn, forward, STEP_S)
            self._look(Decision(turn, forward, f"the agent: turn {turn_deg:+.0f}°, drive {forward_m:.2f} m"))
            if not free:
                raise ToolException("the robot touched something and stopped")
        self._since = time.perf_counter()
        return f"Turned {turn_deg:+.0f}° and drove {forward_m:.2f} m in {robot.world.time_s - began:.1f} s."

    def stop(self) -> str:
        """This is the place."""
        self._decided()
        self.stopped = True
        return "The robot stands, the task is over. Say so in one sentence."

    def tools(self) -> list[BaseTool]:
        """`drive` and `stop` as tools."""
        return [
            StructuredTool.from_function(
                self.drive,
                name="drive",
                description="Turn on the spot, then drive straight; returns when the robot stands again.",
                args_schema=_Drive,
                handle_tool_error=True,
            ),
            StructuredTool.from_function(
                self.stop,
                name="stop",
                description="Say that the robot is in front of what was asked for. This ends the task.",
                args_schema=_Stop,
            ),
        ]

    def _decided(self) -> None:
        if self.stopped:
            raise ToolException("the task is over")
        self.decide_ms.append(1000 * (time.perf_counter() - self._since))

    def _look(self, decision: Decision) -> None:
        marked = self._robot.look()
        if self._watch is not None:
            self._watch(marked, self._robot.tools.locate(), decision)


def run_agent(robot: Robot, planner: str, watch: Watcher | None = None) -> Result:
    """Let an agent drive.

    Raises:
        SomError: there is no such planner.
    """
    from langgraph.errors import GraphRecursionError

    robot.look()
    wheels = Wheels(robot, watch)
    prompt = PROMPT.format(session=robot.fed.id, asked=robot.world.room.asked)
    seeing = VideoMarksToolkit(robot.store, include=OFFERED).get_tools()
    agent = load_agent(planner, [*seeing, *wheels.tools()], prompt)
    asked = {"messages": [("user", f"Go to the {robot.world.room.asked} thing.")]}
    try:
        agent.invoke(asked, {"recursion_limit": MOST_CALLS})
    except GraphRecursionError:
        return robot.result(False, wheels.decide_ms)  # it never came to an end: out of time
    return robot.result(wheels.stopped, wheels.decide_ms)


def load_agent(planner: str, tools: Sequence[BaseTool], prompt: str) -> Runnable[Any, Any]:
    """The agent that a name stands for; see the module.

    Raises:
        InputError: a name of neither form, or a model that LangChain cannot make.
    """
    from langchain.agents import create_agent
    from langchain.chat_models import init_chat_model

    module, _, name = planner.partition(":")
    if not module or not name:
        raise InputError(f"planner {planner!r} is neither rules, nor provider:model, nor MODULE:FUNCTION")
    made: Any
    if name.isidentifier() and _is_module(module) and hasattr(importlib.import_module(module), name):
        made = getattr(importlib.import_module(module), name)(tools, prompt)
    else:
        try:
            made = init_chat_model(planner)
        except (ImportError, ValueError) as error:
            raise InputError(f"planner {planner!r}: {error}") from error
    if isinstance(made, BaseChatModel):
        return create_agent(made, list(tools), system_prompt=prompt)
    agent: Runnable[Any, Any] = made
    return agent


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a package of it is missing, or it is no name of a module
        return False


def _parts(total: float, most: float, *, turns: bool) -> list[tuple[float, float]]:
    """A turn or a drive in steps of at most `most`."""
    if not total:
        return []
    count = math.ceil(abs(total) / most)
    return [(total / count, 0.0) if turns else (0.0, total / count)] * count
