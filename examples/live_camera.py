"""An agent that waits for something to happen in front of a camera, and reacts.

    python examples/live_camera.py                        # a file pretends to be the camera
    python examples/live_camera.py --model openai:gpt-4o  # a real model, in place of the scripted one

While it waits, the agent's graph is paused and stored: only the camera's frames are looked at, without any
model. The event resumes it. Prints what happens when it happens.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from examples.langchain_agent import show
from examples.planner import Plan, Planner, calls, read
from som_agent import Settings
from som_agent.errors import SomError
from som_agent.lmm import load_lmm
from som_tools import VideoMarksToolkit
from som_tools.langchain import NewestMarkedFrame, ToolImagesToUser, stream_on_events

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent and print what happens."""
    parser = argparse.ArgumentParser(description="An agent that waits for something to happen.")
    parser.add_argument("video", nargs="?", type=Path, default=CLIP, help="plays as a camera would")
    parser.add_argument("--thing", default="yellow thing", help="what to watch, in colours and places")
    parser.add_argument("--model", help="openai:gpt-4o for example; a scripted planner if left out")
    parser.add_argument("--wait", type=float, default=20.0, help="most seconds to wait")
    parser.add_argument("--size", type=int, default=240, help="long side of the pictures inside")
    options = parser.parse_args(argv)
    try:
        asyncio.run(react(options))
    except SomError as error:
        print(f"live_camera: {error}", file=sys.stderr)
        return 2
    return 0


async def react(options: argparse.Namespace) -> None:
    """Drive the agent over what it waits for."""
    task = (
        f"Open {options.video.name} live. Find the {options.thing}. It will be hidden: wait at most "
        f"{options.wait:g} s until it comes back, and tell me where it was."
    )
    model = load_lmm(options.model) if options.model else Planner(plan=planned(options))
    settings = Settings(size=options.size)
    with VideoMarksToolkit(roots=options.video.parent, settings=settings, interrupts=True) as toolkit:
        agent = create_agent(
            model,
            toolkit.get_tools(),
            middleware=[ToolImagesToUser(), NewestMarkedFrame(toolkit)],
            checkpointer=InMemorySaver(),
        )
        print(f"Task: {task}")
        begun = time.monotonic()
        given = {"messages": [HumanMessage(task)]}
        thread = {"configurable": {"thread_id": "camera"}}
        async for part in stream_on_events(agent, given, thread, toolkit):
            print(f"\n({time.monotonic() - begun:.1f} s)", end="")
            for node, update in part.items():
                if node == "__interrupt__":
                    asked = update[0].value
                    print(f" paused until watch {asked['watch']} sees {asked['when']}")
                elif update:
                    show(update["messages"])


def planned(options: argparse.Namespace) -> Plan:
    """The plan for the task. What it needs from one step to the next it reads in the results."""

    def plan(results: list[str]) -> AIMessage:
        if not results:
            return calls("open_video", source=options.video.name, live=True)
        session = read(r"Session (\w+) ", results[0], "session")
        if len(results) == 1:
            return calls("find", session=session, phrase=options.thing)
        mark = read(r"(?m)^\[(\w+)\] ", results[1], "mark")
        if len(results) == 2:
            comes_back = {"kind": "comes_back", "mark": mark}
            return calls("watch", session=session, when=[comes_back], wait_s=options.wait)
        if len(results) == 3:
            return calls("describe_mark", session=session, mark=mark)
        happened = results[2].splitlines()[1:] or ["nothing"]
        seen = results[3].splitlines()[1].strip()
        return AIMessage(f"The {options.thing} is [{mark}]. What happened: {happened[0]}. It was {seen}.")

    return plan


if __name__ == "__main__":
    sys.exit(main())
