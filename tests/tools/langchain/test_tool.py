import asyncio
import base64
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException

from som_agent.regions import Regions
from som_agent.video import Frame
from som_tools import VideoMarksToolkit
from som_tools.actions import ACTIONS, Outcome
from som_tools.call import Call, StoppedError
from som_tools.langchain.tool import ActionTool
from tests.tools.langchain.scripted import Colours, Scripted, call

Tools = dict[str, BaseTool]


def test_a_result_is_text_and_an_artifact(tools: Tools) -> None:
    message = tools["open_video"].invoke(call("open_video", source="blocks.mp4"))
    assert isinstance(message, ToolMessage)
    assert message.status == "success"
    assert "Session v1" in message.content
    assert message.artifact["session"] == "v1"
    assert [mark["mark"] for mark in message.artifact["marks"]] == [1, 2]
    json.dumps(message.artifact)
    assert tools["look"].invoke({"session": "v1"}).startswith("At 1.83 s")  # without a ToolCall: the text


def test_pictures_are_blocks_after_the_text(tools: Tools) -> None:
    tools["open_video"].invoke({"source": "blocks.mp4"})
    message = tools["look"].invoke(call("look", session="v1", image=True))
    text, image = message.content
    assert text["type"] == "text"
    assert (image["type"], image["mime_type"]) == ("image", "image/png")
    data = np.frombuffer(base64.b64decode(image["base64"]), np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape[:2] == (180, 320)  # a small one is enlarged to read it
    assert message.content_blocks[1]["type"] == "image"


def test_what_the_caller_can_mend_is_a_tool_error(tools: Tools) -> None:
    message = tools["look"].invoke(call("look", session="v9"))
    assert message.status == "error"
    assert message.content == "there is no session 'v9'; open sessions: none"
    tools["look"].handle_tool_error = False
    with pytest.raises(ToolException, match="no session 'v9'"):
        tools["look"].invoke({"session": "v9"})


def test_wrong_arguments_are_told_in_one_line(tools: Tools) -> None:
    message = tools["look"].invoke(call("look", time_s="soon", image=7))
    assert message.status == "error"
    assert len(message.content.splitlines()) == 1
    assert message.content.startswith("wrong arguments: session: Field required; time_s: Input should be")
    assert "image: Input should be a valid boolean" in message.content
    message = tools["look"].invoke(call("look", session="v1", second=3))
    assert message.content == "wrong arguments: second: Extra inputs are not permitted"


def test_a_bug_is_raised(root: Path) -> None:
    class Broken(Colours):
        def segment(self, frame: Frame) -> Regions:
            raise ZeroDivisionError("a bug")

    (open_, *_) = VideoMarksToolkit(roots=root, segmenter=Broken()).get_tools()
    with pytest.raises(ZeroDivisionError):
        open_.invoke({"source": "blocks.mp4"})
    with pytest.raises(ZeroDivisionError):
        asyncio.run(open_.ainvoke({"source": "blocks.mp4"}))


async def test_it_works_in_another_thread(toolkit: VideoMarksToolkit) -> None:
    seen: list[threading.Thread] = []

    def run(*_: Any) -> Outcome:
        seen.append(threading.current_thread())
        return Outcome("done")

    tool = ActionTool.of(replace(ACTIONS[0], run=run), toolkit.store)
    assert await tool.ainvoke({"source": "blocks.mp4"}) == "done"
    assert seen[0] is not threading.current_thread()


async def test_many_that_wait_do_not_wait_for_each_other(toolkit: VideoMarksToolkit) -> None:
    all_here = threading.Barrier(20)

    def run(*_: Any) -> Outcome:
        all_here.wait(5)
        return Outcome("done")

    tool = ActionTool.of(replace(ACTIONS[0], run=run), toolkit.store)
    assert await asyncio.gather(*(tool.ainvoke({"source": "blocks.mp4"}) for _ in range(20))) == ["done"] * 20


async def test_a_cancelled_call_lets_its_session_go(toolkit: VideoMarksToolkit, tools: Tools) -> None:
    fed = toolkit.store.feed("robot")
    fed.step(np.zeros((90, 160, 3), np.uint8), 0.0)
    waits = asyncio.create_task(tools["play"].ainvoke({"session": fed.id, "until_s": 60.0}))
    await asyncio.sleep(0.1)
    before = {thread for thread in threading.enumerate() if thread.name.startswith("play")}
    assert before
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    for thread in before:
        await asyncio.to_thread(thread.join, 2.0)
    assert not any(thread.is_alive() for thread in before)
    fed.step(np.zeros((90, 160, 3), np.uint8), 1.0)
    assert "now at 1.00 s" in await tools["play"].ainvoke({"session": fed.id, "until_s": 1.0})


async def test_a_cancelled_call_is_told_nothing_more(toolkit: VideoMarksToolkit) -> None:
    told, go, over = [], threading.Event(), threading.Event()

    def run(_store: Any, _form: Any, call: Call) -> Outcome:
        call.tell({"type": "som.test", "n": 1})
        go.wait(5)
        call.tell({"type": "som.test", "n": 2})
        try:
            call.check()
        except StoppedError:
            over.set()
            raise
        return Outcome("done")

    tool = ActionTool.of(replace(ACTIONS[0], run=run), toolkit.store)

    async def listen() -> None:
        async for event in tool.astream_events({"source": "blocks.mp4"}, version="v2"):
            if event["event"] == "on_custom_event":
                told.append(event["data"]["n"])

    task = asyncio.create_task(listen())
    while not told:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.05)
    go.set()
    assert await asyncio.to_thread(over.wait, 2)
    assert told == [1]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_progress_comes_out_of_a_graph(tools: Tools, asynchronous: bool) -> None:
    asks = AIMessage("", tool_calls=[call("open_video", source="blocks.mp4")])
    agent = create_agent(Scripted(responses=[asks, AIMessage("Seen.")]), tools=list(tools.values()))
    given = {"messages": [HumanMessage("Open it.")]}

    async def listen() -> list[Any]:
        return [event async for event in agent.astream(given, stream_mode="custom")]

    events = asyncio.run(listen()) if asynchronous else list(agent.stream(given, stream_mode="custom"))
    assert events
    assert {event["type"] for event in events} == {"som.watching"}
    assert events[0]["session"] == "v1"
    assert events[0]["frames"] == 12


@pytest.mark.parametrize("asynchronous", [False, True])
def test_progress_outside_a_graph_is_a_custom_event(tools: Tools, asynchronous: bool) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    events: list[tuple[str, Any]] = []

    class Listens(BaseCallbackHandler):
        def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
            events.append((name, data))

    config = {"callbacks": [Listens()]}
    if asynchronous:
        asyncio.run(tools["open_video"].ainvoke({"source": "blocks.mp4"}, config))
    else:
        tools["open_video"].invoke({"source": "blocks.mp4"}, config)
    assert events
    assert all(name == data["type"] == "som.watching" for name, data in events)


def test_a_bare_run_tells_nobody(tools: Tools) -> None:
    text, data = tools["open_video"]._run(source="blocks.mp4")
    assert "Session v1" in text
    assert data["session"] == "v1"


def test_agents_that_call_at_once_are_served_at_once(tools: Tools) -> None:
    tools["open_video"].invoke({"source": "blocks.mp4"})
    asks = AIMessage("", tool_calls=[call("look", f"c{k}", session="v1", time_s=k / 6) for k in range(8)])
    agent = create_agent(Scripted(responses=[asks, AIMessage("Seen.")]), tools=list(tools.values()))
    begun = time.monotonic()
    state = agent.invoke({"messages": [HumanMessage("Look.")]})
    results = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert [m.artifact["frame"] for m in results] == list(range(8))
    assert time.monotonic() - begun < 20
