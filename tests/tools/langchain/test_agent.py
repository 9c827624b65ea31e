"""An agent follows a plan of five steps; what it says of a thing stays true of that thing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from pycocotools import mask as coco

from som_agent.video import write_video
from som_tools import VideoMarksToolkit
from som_tools.langchain import ToolImagesToUser
from tests.tools.langchain.scripted import Planner, call

FRAMES, FPS, SIZE = 30, 10, (180, 320)


def true_blue(k: int) -> np.ndarray:
    """Where the blue thing is in a frame, `[H, W] bool`."""
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    return (xs - (270 - 5 * k)) ** 2 + (ys - 100) ** 2 < 26**2


def picture(k: int) -> np.ndarray:
    """A blue disc comes from the right to a red box; a green one stands at the top."""
    image = np.full((*SIZE, 3), 200, np.uint8)
    image[60:150, 20:80] = (210, 25, 25)
    image[10:40, 120:200] = (30, 150, 40)
    image[true_blue(k)] = (25, 50, 200)
    return image


def plan(results: list[ToolMessage]) -> list | str:
    """Open, find, ask, watch, cut out: what is needed is read from what came back."""
    texts = [str(message.text) for message in results]

    def marks(text: str) -> list[str]:
        return re.findall(r"(?m)^\[(\w+)\] ", text)

    if not texts:
        return [call("open_video", "c0", source="scene.mp4", until_s=0.3)]
    session = re.search(r"Session (\w+) ", texts[0])[1]  # type: ignore[index]
    if len(texts) == 1:
        return [call("find", f"c1{n}", session=session, phrase=f"{n} thing") for n in ("blue", "red")]
    ((blue, *_), (red, *_)) = marks(texts[1]), marks(texts[2])
    if len(texts) == 3:
        return [call("ask", "c2", session=session, question=f"Which marks are right of [{red}]?")]
    if len(texts) == 4:
        near = {"kind": "near", "mark": blue, "other": red, "distance_px": 40}
        return [call("watch", "c3", session=session, when=[near], until_s=9)]
    if len(texts) == 5:
        return [call("export_masks", "c4", session=session, marks=[blue], start_s=0)]
    return f"[{blue}] came near [{red}]."


def iou(row: dict[str, Any]) -> float:
    """How well a mask fits the blue thing."""
    found, true = coco.decode(row["rle"]).astype(bool), true_blue(row["frame"])
    return float((found & true).sum() / (found | true).sum())


def test_five_steps_with_the_same_marks(tmp_path: Path) -> None:
    write_video(tmp_path / "scene.mp4", [picture(k) for k in range(FRAMES)], FPS)
    model = Planner(plan=plan)
    with VideoMarksToolkit(roots=tmp_path) as toolkit:
        agent = create_agent(model, toolkit.get_tools(), middleware=[ToolImagesToUser()])
        state = agent.invoke({"messages": [HumanMessage("When does the blue thing come near the red one?")]})
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    names = [message.name for message in results]
    assert names == ["open_video", "find", "find", "ask", "watch", "export_masks"]
    assert [message.status for message in results] == ["success"] * 6
    opened, blue, red, asked, watched, masks = (message.artifact for message in results)
    mark, other = blue["marks"][0]["mark"], red["marks"][0]["mark"]
    assert state["messages"][-1].content == f"[{mark}] came near [{other}]."

    # The same number in every result.
    assert {mark, other} <= {row["mark"] for row in opened["marks"]}
    assert mark in [row["mark"] for row in asked["marks"]]
    (event,) = watched["events"]
    assert {row["mark"] for row in event["marks"]} == {mark, other}
    assert {row["mark"] for row in masks["masks"]} == {mark}

    # The disc's left edge is at 244 - 50 t, the box ends at 80: they are 40 px apart at 2.48 s.
    assert abs(event["time"] - 2.48) <= 0.3

    # The number names the blue thing, in every frame.
    frames = [row["frame"] for row in masks["masks"]]
    assert frames == list(range(frames[-1] + 1))
    assert len(frames) >= 24
    ious = [iou(row) for row in masks["masks"]]
    assert min(ious) > 0.7
    assert np.mean(ious) > 0.9
    json.dumps([message.artifact for message in results])
