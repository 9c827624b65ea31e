"""An agent that watches a video by tools: open it, find a thing, ask, wait until it is hidden, cut it out.

    python examples/langchain_agent.py                        # a scripted planner: no model, no network
    python examples/langchain_agent.py --model openai:gpt-4o  # a real one, for the same task

Prints each step: the tool, its arguments, and the beginning of what came back.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from examples.planner import Plan, Planner, calls, read
from som_agent import Settings
from som_agent.errors import SomError
from som_agent.lmm import load_lmm
from som_tools import VideoMarksToolkit
from som_tools.langchain import ToolImagesToUser

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"
LINES = 6
"""Lines of a result that are printed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent and print its steps."""
    parser = argparse.ArgumentParser(description="An agent that watches a video by tools.")
    parser.add_argument("video", nargs="?", type=Path, default=CLIP)
    parser.add_argument("--thing", default="yellow thing", help="what to find, in colours and places")
    parser.add_argument("--model", help="openai:gpt-4o for example; a scripted planner if left out")
    parser.add_argument("--until", type=float, default=4.0, help="seconds of the video to watch")
    parser.add_argument("--size", type=int, default=320, help="long side of the pictures inside")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/agent"))
    options = parser.parse_args(argv)
    task = (
        f"Open {options.video.name} and watch half a second. Find the {options.thing}. Ask when it is "
        f"visible. Then wait until it leaves, up to second {options.until:g}, and export its masks as PNG."
    )
    try:
        model = load_lmm(options.model) if options.model else Planner(plan=planned(options))
        settings = Settings(size=options.size)
        with VideoMarksToolkit(roots=options.video.parent, out=options.out, settings=settings) as toolkit:
            agent = create_agent(model, toolkit.get_tools(), middleware=[ToolImagesToUser()])
            print(f"Task: {task}")
            for part in agent.stream({"messages": [HumanMessage(task)]}, stream_mode="updates"):
                for update in part.values():
                    show(update["messages"])
    except SomError as error:
        print(f"langchain_agent: {error}", file=sys.stderr)
        return 2
    return 0


def planned(options: argparse.Namespace) -> Plan:
    """The plan for the task. What it needs from one step to the next it reads in the results."""

    def plan(results: list[str]) -> AIMessage:
        if not results:
            return calls("open_video", source=options.video.name, until_s=0.5)
        session = read(r"Session (\w+) ", results[0], "session")
        if len(results) == 1:
            return calls("find", session=session, phrase=options.thing)
        mark = read(r"(?m)^\[(\w+)\] ", results[1], "mark")
        if len(results) == 2:
            return calls("ask", session=session, question=f"When is [{mark}] visible?")
        if len(results) == 3:
            leaves = {"kind": "leaves", "mark": mark}
            return calls("watch", session=session, when=[leaves], until_s=options.until)
        if len(results) == 4:
            return calls("export_masks", session=session, marks=[mark], form="png", start_s=0)
        happened = results[3].splitlines()[1:] or ["nothing"]
        masks = results[4].splitlines()[0].rstrip(":")
        return AIMessage(f"The {options.thing} is [{mark}]. What happened: {happened[0]}. Written: {masks}.")

    return plan


def show(messages: Sequence[BaseMessage]) -> None:
    """Print what was said: calls of tools, the beginnings of their results, words."""
    for message in messages:
        if isinstance(message, ToolMessage):
            lines = message.text.splitlines()
            more = [f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else []
            print("\n".join(f"    {line}" for line in [*lines[:LINES], *more]))
            continue
        for call in getattr(message, "tool_calls", ()):
            print(f"\n-> {call['name']} {json.dumps(call['args'])}")
        if message.text:
            print(f"\n{message.text}")


if __name__ == "__main__":
    sys.exit(main())
