import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Interrupt, interrupt

from som_tools import VideoMarksToolkit
from som_tools.call import Call
from som_tools.langchain import resume_on_events, stream_on_events, wake_ups
from som_tools.sessions import FedSession
from tests.tools.langchain.scripted import Colours, Scripted, call

CONFIG = {"configurable": {"thread_id": "t1"}}
GIVEN = {"messages": [HumanMessage("Tell me when they meet.")]}
NEAR = {"kind": "near", "mark": "1", "other": "2", "distance_px": 10}


def picture(x: int) -> np.ndarray:
    """A red block that stands still, and a blue one at `x`."""
    image = np.full((90, 160, 3), 200, np.uint8)
    image[20:60, 15:55] = (210, 25, 25)
    image[35:70, x : x + 35] = (25, 50, 200)
    return image


@pytest.fixture
def kit(root: Path) -> Iterator[VideoMarksToolkit]:
    with VideoMarksToolkit(roots=root, segmenter=Colours(), interrupts=True) as kit:
        yield kit


class Camera:
    """Feeds a session: the blue block stands still for a while and then comes near."""

    def __init__(self, kit: VideoMarksToolkit, name: str = "robot") -> None:
        self.fed: FedSession = kit.store.feed(name)
        self.time_s = 0.0
        for _ in range(5):
            self.step(110)

    def step(self, x: int) -> None:
        self.fed.step(picture(x), self.time_s)
        self.time_s += 0.1

    def come_near(self) -> None:
        for x in range(110, 55, -5):
            self.step(x)
        for _ in range(5):
            self.step(60)


def waits(camera: Camera, id_: str = "c1", **more: Any) -> Any:
    return call("watch", id_, session=camera.fed.id, when=[NEAR], wait_s=30, **more)


def agent_of(kit: VideoMarksToolkit, *replies: AIMessage) -> tuple[Any, Scripted]:
    model = Scripted(responses=[*replies, AIMessage("They met.")])
    return create_agent(model, kit.get_tools(), checkpointer=InMemorySaver()), model


def results(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def test_a_watch_pauses_the_graph_and_is_found_again(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    agent, model = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    begun = time.monotonic()
    state = agent.invoke(GIVEN, CONFIG)
    assert time.monotonic() - begun < 10  # it does not wait
    (asked,) = state["__interrupt__"]
    assert asked.value == {
        "type": "som.watch",
        "session": "v1",
        "watch": "w1",
        "when": {"kind": "near", "mark": 1, "other": 2, "distance_px": 10.0},
        "seen": 0,
        "wait_s": 30.0,
        "until_s": None,
    }
    camera.come_near()
    state = agent.invoke(Command(resume="go on"), CONFIG)
    (message,) = results(state)
    assert message.status == "success"
    assert message.artifact["watch"] == "w1"
    (event,) = message.artifact["events"]
    assert event["kind"] == "near"
    assert event["text"] in message.content
    assert state["messages"][-1].content == "They met."
    assert len(camera.fed.session.watches) == 1  # the tool ran twice, the watch was set once
    assert len(model.seen) == 2


async def test_an_event_resumes_the_agent(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    running = asyncio.create_task(resume_on_events(agent, GIVEN, CONFIG, kit))
    while not camera.fed.session.watches:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not running.done()
    await asyncio.to_thread(camera.come_near)
    fired = time.monotonic()
    state = await asyncio.wait_for(running, 10)
    assert time.monotonic() - fired < 5
    assert results(state)[0].artifact["events"]
    assert state["messages"][-1].content == "They met."


async def test_a_thread_that_waits_already_is_gone_on_with(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    agent.invoke(GIVEN, CONFIG)
    threading.Timer(0.3, camera.come_near).start()
    state = await asyncio.wait_for(resume_on_events(agent, None, CONFIG, kit), 10)
    assert results(state)[0].artifact["events"]
    assert len(camera.fed.session.watches) == 1


async def test_several_watches_are_waited_for_at_once(kit: VideoMarksToolkit) -> None:
    cameras = [Camera(kit, f"camera {k}") for k in range(3)]
    asks = AIMessage("", tool_calls=[waits(camera, f"c{k}") for k, camera in enumerate(cameras)])
    agent, model = agent_of(kit, asks)
    running = asyncio.create_task(resume_on_events(agent, GIVEN, CONFIG, kit))
    while not all(camera.fed.session.watches for camera in cameras):
        await asyncio.sleep(0.01)
    for camera in reversed(cameras):
        await asyncio.to_thread(camera.come_near)
    state = await asyncio.wait_for(running, 10)
    assert [message.artifact["session"] for message in results(state)] == ["v1", "v2", "v3"]
    assert all(message.artifact["events"] for message in results(state))
    assert all(len(camera.fed.session.watches) == 1 for camera in cameras)
    assert len(model.seen) == 2


async def test_a_call_of_the_same_id_in_a_later_turn_is_another_one(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    again = AIMessage("", tool_calls=[call("watch", "c1", session="v1", watch="w1", wait_s=30)])
    agent, model = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]), again)
    running = asyncio.create_task(resume_on_events(agent, GIVEN, CONFIG, kit))
    while not camera.fed.session.watches:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(camera.come_near)
    while len(model.seen) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert not running.done()  # the first event does not count again
    for x in [*range(60, 115, 5), *[110] * 5]:
        await asyncio.to_thread(camera.step, x)
    await asyncio.to_thread(camera.come_near)
    state = await asyncio.wait_for(running, 10)
    first, second = results(state)
    assert first.artifact["events"][0]["time"] < second.artifact["events"][0]["time"]
    assert len(camera.fed.session.watches) == 1


async def test_what_is_seen_comes_out_as_it_happens(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    seen: list[str] = []
    async for part in stream_on_events(agent, GIVEN, CONFIG, kit):
        seen += part
        if "__interrupt__" in part:
            threading.Thread(target=camera.come_near).start()
    assert seen == ["model", "__interrupt__", "tools", "model"]


async def test_a_time_that_is_up_is_told(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    asks = call("watch", session="v1", when=[NEAR], wait_s=0.3)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[asks]))
    state = await asyncio.wait_for(resume_on_events(agent, GIVEN, CONFIG, kit), 10)
    (message,) = results(state)
    assert message.status == "success"
    assert message.artifact["events"] == []
    assert "no events; w1 of v1 waits" in message.content
    assert camera.fed.session.watches


async def test_it_waits_up_to_a_moment_of_the_session(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    asks = call("watch", session="v1", when=[NEAR], until_s=1.0)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[asks]))
    running = asyncio.create_task(resume_on_events(agent, GIVEN, CONFIG, kit))
    while not camera.fed.session.watches:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not running.done()
    for _ in range(8):
        await asyncio.to_thread(camera.step, 110)
    state = await asyncio.wait_for(running, 10)
    assert results(state)[0].artifact["events"] == []


async def test_a_session_that_is_closed_meanwhile_is_told(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    running = asyncio.create_task(resume_on_events(agent, GIVEN, CONFIG, kit))
    while not camera.fed.session.watches:
        await asyncio.sleep(0.01)
    kit.store.close("v1", Call())
    state = await asyncio.wait_for(running, 10)
    (message,) = results(state)
    assert message.status == "error"
    assert "there is no session 'v1'" in message.content


def test_what_holds_already_does_not_pause(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    camera.come_near()
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[waits(camera)]))
    state = agent.invoke(GIVEN, CONFIG)
    assert "__interrupt__" not in state
    assert results(state)[0].artifact["events"][0]["already"]


def test_a_watch_that_need_not_wait_does_not_pause(kit: VideoMarksToolkit) -> None:
    Camera(kit)
    asks = call("watch", session="v1", when=[NEAR])
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[asks]))
    state = agent.invoke(GIVEN, CONFIG)
    assert "__interrupt__" not in state
    assert results(state)[0].artifact["watch"] == "w1"


def test_a_stored_video_is_played_on(kit: VideoMarksToolkit) -> None:
    tools = {tool.name: tool for tool in kit.get_tools()}
    tools["open_video"].invoke({"source": "blocks.mp4", "until_s": 0.5})
    moves = {"kind": "faster", "mark": "2", "speed_px_s": 5}
    asks = call("watch", session="v1", when=[moves], until_s=9)
    agent, _ = agent_of(kit, AIMessage("", tool_calls=[asks]))
    state = agent.invoke(GIVEN, CONFIG)
    assert "__interrupt__" not in state
    assert results(state)[0].artifact["events"]


def test_outside_a_graph_it_waits(kit: VideoMarksToolkit) -> None:
    camera = Camera(kit)
    (watch,) = [tool for tool in kit.get_tools() if tool.name == "watch"]
    threading.Timer(0.3, camera.come_near).start()
    message = watch.invoke(waits(camera))
    assert message.artifact["events"]


def test_without_interrupts_it_waits_in_the_graph(root: Path) -> None:
    with VideoMarksToolkit(roots=root, segmenter=Colours()) as plain:
        camera = Camera(plain)
        agent, _ = agent_of(plain, AIMessage("", tool_calls=[waits(camera)]))
        threading.Timer(0.3, camera.come_near).start()
        state = agent.invoke(GIVEN, CONFIG)
        assert "__interrupt__" not in state
        assert results(state)[0].artifact["events"]


def test_the_model_sees_the_same_tool(kit: VideoMarksToolkit, root: Path) -> None:
    def schema(toolkit: VideoMarksToolkit) -> Any:
        (watch,) = [tool for tool in toolkit.get_tools() if tool.name == "watch"]
        return watch.tool_call_schema.model_json_schema()  # type: ignore[union-attr]

    paused, plain = schema(kit), schema(VideoMarksToolkit(roots=root))
    assert paused["properties"] == plain["properties"]


async def test_interrupts_of_others_are_left_to_them(kit: VideoMarksToolkit) -> None:
    from langchain_core.tools import tool

    @tool
    def ask_person(question: str) -> str:
        """Ask a person."""
        return str(interrupt({"type": "person", "question": question}))

    camera = Camera(kit)
    asks = AIMessage("", tool_calls=[waits(camera), call("ask_person", "c2", question="Really?")])
    model = Scripted(responses=[asks, AIMessage("Done.")])
    agent = create_agent(model, [*kit.get_tools(), ask_person], checkpointer=InMemorySaver())
    threading.Timer(0.5, camera.come_near).start()
    state = await asyncio.wait_for(resume_on_events(agent, GIVEN, CONFIG, kit), 10)
    (left,) = state["__interrupt__"]
    assert left.value["type"] == "person"
    state = await resume_on_events(agent, Command(resume={left.id: "yes"}), CONFIG, kit)
    watched, person = results(state)
    assert watched.artifact["events"]
    assert person.content == "yes"
    assert len(camera.fed.session.watches) == 1


async def test_wake_ups_of_nothing_are_none(kit: VideoMarksToolkit) -> None:
    assert await wake_ups((), kit) == {}
    assert await wake_ups((Interrupt(value="a question", id="i1"),), kit) == {}
    lost = {"type": "som.watch", "session": "v9", "watch": "w1", "seen": 0, "wait_s": None, "until_s": None}
    woken = await wake_ups((Interrupt(value=lost, id="i1"),), kit)
    assert woken == {"i1": {"event": None, "why": "there is no session 'v9'; open sessions: none"}}
    Camera(kit)
    woken = await wake_ups((Interrupt(value={**lost, "session": "v1"}, id="i1"),), kit)
    assert woken["i1"]["why"] == "watch w1 waits no more"
