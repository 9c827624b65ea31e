import asyncio
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import ToolException
from pydantic import ValidationError

from som_agent.regions import Regions
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.settings import Settings
from som_agent.video import Frame, write_image, write_video
from som_tools import AskVideoTool
from tests.tools.langchain import scripted
from tests.tools.langchain.scripted import Colours, Scripted

Blocks = Callable[[int], np.ndarray]
FRAMES = 12
RED = {"video": "blocks.mp4", "question": "Which mark is red?"}


def call(**arguments: str) -> ToolCall:
    return scripted.call("ask_video", **arguments)


@pytest.fixture
def tool(root: Path) -> AskVideoTool:
    return AskVideoTool(roots=(root,), segmenter=Colours())


def test_invoke_gives_text_with_citations_and_a_roster(tool: AskVideoTool) -> None:
    text = tool.invoke(RED)
    first, head, roster = text.splitlines()
    assert "[1]" in first or "[2]" in first
    assert "red" in first
    assert head == "Marks (picture 160x90 px, seen 0.0-1.8 s):"
    assert "0.0-1.8 s; box (15, 20, 55, 60) at " in roster


def test_ainvoke_says_the_same(tool: AskVideoTool) -> None:
    assert asyncio.run(tool.ainvoke(RED)) == tool.invoke(RED)


def test_a_tool_call_gives_a_message_with_the_answer_as_artifact(tool: AskVideoTool) -> None:
    message = tool.invoke(call(**RED))
    assert isinstance(message, ToolMessage)
    assert message.status == "success"
    assert message.tool_call_id == "call_1"
    assert message.artifact["lmm"] == "attributes"
    assert message.artifact["segmenter"] == "colours"
    assert str(message.content).startswith(message.artifact["answer"])
    (mark,) = message.artifact["marks"]
    assert mark["evidence"][0]["box"] == [15, 20, 55, 60]
    json.dumps(message.artifact)
    assert asyncio.run(tool.ainvoke(call(**RED))).artifact == message.artifact


def test_many_spans_are_cut_short(tool: AskVideoTool, root: Path, blocks: Blocks) -> None:
    gone = blocks(0)
    gone[:, 70:] = 200
    blinks = [blocks(0) if k % 9 < 4 else gone for k in range(54)]
    write_video(root / "blinks.mp4", blinks, 6)
    message = tool.invoke(call(video="blinks.mp4", question="When is the blue mark visible?"))
    assert len(message.artifact["marks"][0]["intervals"]) == 6
    assert "0.0-0.5 s, 1.5-2.0 s, 3.0-3.5 s, 4.5-5.0 s, 2 more times; box" in str(message.content)


def test_what_cannot_be_grounded_is_said(tool: AskVideoTool) -> None:
    text = tool.invoke({"video": "blocks.mp4", "question": "Which dog is red?"})
    assert 'Not grounded: "dog"' in text


def test_a_video_is_tracked_once(tool: AskVideoTool, root: Path) -> None:
    segmenter = tool.segmenter
    assert isinstance(segmenter, Colours)
    first = tool.invoke(call(**RED)).artifact["marks"][0]["mark"]
    again = tool.invoke(call(video=str(root / "blocks.mp4"), question=f"What colour is [{first}]?"))
    assert again.artifact["marks"][0]["mark"] == first
    assert segmenter.frames == FRAMES
    other = AskVideoTool(roots=(root,), segmenter=segmenter)
    other.invoke(RED)
    assert segmenter.frames == 2 * FRAMES


def test_a_changed_file_is_tracked_again(tool: AskVideoTool, root: Path, blocks: Blocks) -> None:
    tool.invoke(RED)
    write_video(root / "blocks.mp4", [blocks(0)] * 3, 6)
    os.utime(root / "blocks.mp4", ns=(1, 1))
    tool.invoke(RED)
    assert tool.segmenter.frames == FRAMES + 3  # type: ignore[union-attr]


def test_only_the_last_few_videos_are_remembered(tool: AskVideoTool, root: Path, blocks: Blocks) -> None:
    for k in range(5):
        write_image(root / f"{k}.png", blocks(k))
    for name in [*(f"{k}.png" for k in range(5)), "4.png", "1.png", "0.png"]:
        tool.invoke({"video": name, "question": "How many marks are there?"})
    assert tool.segmenter.frames == 6  # type: ignore[union-attr]  # only 0.png was forgotten


def test_more_questions_at_once_than_videos_are_remembered(
    tool: AskVideoTool, root: Path, blocks: Blocks
) -> None:
    for k in range(8):
        write_image(root / f"{k}.png", blocks(k))
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda k=k: results.append(tool.invoke({**RED, "video": f"{k}.png"})))
        for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all("is red" in result for result in results)


def test_parallel_questions_share_one_tracking(tool: AskVideoTool) -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(tool.invoke(RED))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1
    assert tool.segmenter.frames == FRAMES  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"video": "none.mp4", "question": "?"}, "there is no video, picture or folder"),
        ({"video": "../secret.mp4", "question": "Which mark is red?"}, "is not in a folder where videos"),
        ({"video": "blocks.mp4", "question": "  "}, "the question is empty"),
        ({"video": "bad.mp4", "question": "Which mark is red?"}, "bad.mp4"),
    ],
)
def test_what_the_caller_can_mend_is_a_tool_error(
    tool: AskVideoTool, root: Path, arguments: dict[str, str], says: str
) -> None:
    (root / "bad.mp4").write_bytes(b"\0" * 100)
    message = tool.invoke(call(**arguments))
    assert message.status == "error"
    assert says in message.content
    assert len(message.content.splitlines()) == 1
    tool.handle_tool_error = False
    with pytest.raises(ToolException, match=says):
        tool.invoke(arguments)


def test_an_unknown_model_is_named_before_anything_is_tracked(root: Path) -> None:
    segmenter = Colours()
    tool = AskVideoTool(roots=(root,), segmenter=segmenter, lmm="nobody:nothing")
    message = tool.invoke(call(**RED))
    assert message.status == "error"
    assert "unknown model 'nobody:nothing'" in message.content
    assert segmenter.frames == 0


def test_an_unknown_segmenter(root: Path) -> None:
    message = AskVideoTool(roots=(root,), segmenter="magic").invoke(call(**RED))
    assert message.status == "error"
    assert "unknown segmenter 'magic'; known: hierarchy" in message.content


def test_a_bug_is_raised_and_not_remembered(root: Path) -> None:
    class Broken(Colours):
        def segment(self, frame: Frame) -> Regions:
            if self.frames == 0:
                self.frames = 1
                raise ZeroDivisionError("a bug")
            return super().segment(frame)

    tool = AskVideoTool(roots=(root,), segmenter=Broken())
    with pytest.raises(ZeroDivisionError):
        tool.invoke(call(**RED))
    assert tool.invoke(call(**RED)).status == "success"


def test_roots_are_folders(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="is no folder"):
        AskVideoTool(roots=(tmp_path / "none",))


def test_the_current_folder_is_the_default_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    tool = AskVideoTool(segmenter=Colours())
    assert tool.roots == (root.resolve(),)
    assert tool.invoke(call(**RED)).status == "success"


def test_pictures_and_folders_of_pictures(tool: AskVideoTool, root: Path, blocks: Blocks) -> None:
    (root / "shots").mkdir()
    for k in range(3):
        write_image(root / "shots" / f"{k}.png", blocks(k))
    assert "red" in tool.invoke({**RED, "video": "shots"})
    assert "seen 0.0-0.0 s" in tool.invoke({**RED, "video": "shots/0.png"})


def test_a_truncated_video_is_reported(root: Path, tool: AskVideoTool) -> None:
    whole = (root / "blocks.mp4").read_bytes()
    (root / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.9)])
    message = tool.invoke(call(**{**RED, "video": "cut.mp4"}))
    assert "cut.mp4 is cut off" in str(message.content).splitlines()[-1]
    assert "cut.mp4 is cut off" in message.artifact["unsupported"][-1]["text"]


def test_a_model_that_looks_at_pictures(root: Path) -> None:
    class Eyes(Scripted):
        pass

    eyes = Eyes(responses=[AIMessage("The left block is [1].")])
    tool = AskVideoTool(roots=(root,), segmenter=Colours(), lmm=eyes)
    message = tool.invoke(call(video="blocks.mp4", question="Which block is on the left?"))
    assert message.artifact["lmm"] == "Eyes"
    assert [mark["mark"] for mark in message.artifact["marks"]] == [1]
    kinds = [part["type"] for part in eyes.seen[0][-1].content]
    assert any("image" in kind for kind in kinds)


def agent_with(tool: AskVideoTool, *calls: ToolCall) -> Any:
    asks = AIMessage("", tool_calls=list(calls))
    return create_agent(Scripted(responses=[asks, AIMessage("It is [1].")]), tools=[tool])


def test_an_agent_calls_it(tool: AskVideoTool) -> None:
    agent = agent_with(tool, call(**RED))
    events: list[Any] = []
    states: list[Any] = []
    for mode, event in agent.stream(
        {"messages": [HumanMessage("What is red?")]}, stream_mode=["custom", "values"]
    ):
        (events if mode == "custom" else states).append(event)
    (message,) = [m for m in states[-1]["messages"] if isinstance(m, ToolMessage)]
    assert message.status == "success"
    assert message.artifact["marks"]
    assert states[-1]["messages"][-1].content == "It is [1]."
    assert [event["type"] for event in events] == ["som.watching"] * (len(events) - 1) + ["som.asking"]
    assert (events[0]["video"], events[0]["frames"]) == ("blocks.mp4", FRAMES)
    assert events[-1] == {"type": "som.asking", "session": "v1", **RED}


def test_an_agent_reads_its_errors(tool: AskVideoTool) -> None:
    agent = agent_with(tool, call(video="/etc/passwd", question="Which mark is red?"))
    state = asyncio.run(agent.ainvoke({"messages": [HumanMessage("What is red?")]}))
    (message,) = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert message.status == "error"
    assert "is not in a folder where videos may be opened" in message.content


def test_the_embedded_path(root: Path) -> None:
    """No test double: frames, hierarchy, tracker, answerer."""
    tool = AskVideoTool(roots=(root,), segmenter="hierarchy", settings=Settings(max_marks=5))
    artifact = tool.invoke(call(**RED)).artifact
    assert artifact["segmenter"] == HierarchySegmenter().name
    box = artifact["marks"][0]["evidence"][0]["box"]
    assert np.abs(np.array(box) - (15, 20, 55, 60)).max() <= 3


def test_the_schema_is_for_a_model(tool: AskVideoTool) -> None:
    schema = tool.tool_call_schema.model_json_schema()  # type: ignore[union-attr]
    assert set(schema["properties"]) == {"video", "question"}
    assert all(field["description"] for field in schema["properties"].values())
