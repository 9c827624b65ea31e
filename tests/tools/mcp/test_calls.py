"""Tools through a real client: what is listed, what comes back, what goes wrong, who goes away."""

from __future__ import annotations

import asyncio
import base64
import logging
import time

import cv2
import numpy as np
import pytest
from mcp import types
from mcp.shared.memory import create_connected_server_and_client_session

from som_agent.regions import Regions
from som_tools.actions import ACTIONS, Action, Form, Outcome
from som_tools.call import Call
from som_tools.mcp.server import make_server, tool_of
from som_tools.sessions import SessionStore

OPEN = {"source": "blocks.mp4"}


def text(result: types.CallToolResult) -> str:
    block = result.content[0]
    assert isinstance(block, types.TextContent)
    return block.text


async def test_every_action_is_a_tool(connect):
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [action.name for action in ACTIONS]
    for action in ACTIONS:
        tool = tools[action.name]
        assert tool.inputSchema == action.form.model_json_schema()
        assert tool.description == action.description
        assert set(tool.outputSchema["properties"]) == set(action.keys)
        assert tool.annotations.readOnlyHint is not action.changes
        assert tool.annotations.destructiveHint is False
        assert tool.annotations.openWorldHint is False
    assert tools["open_video"].title == "Open video"


@pytest.mark.parametrize(
    ("lmm", "goes_out"), [("attributes", False), ("llava:some/dir", False), ("openai:gpt-4o", True)]
)
async def test_tools_say_whether_pictures_may_leave_the_machine(store, lmm, goes_out):
    other = SessionStore(store.access, lmm=lmm)
    async with create_connected_server_and_client_session(make_server(other)) as client:
        tools = (await client.list_tools()).tools
    assert {tool.annotations.openWorldHint for tool in tools} == {goes_out}


async def test_results_are_those_of_the_plain_actions(connect, store):
    actions = {action.name: action for action in ACTIONS}
    plain = Call("somebody else")

    def directly(name, **arguments):
        return actions[name].run(store, actions[name].form(**arguments), plain)

    async with connect() as client:
        opened = await client.call_tool("open_video", {**OPEN, "until_s": 0.9})
        expected = directly("open_video", **OPEN, until_s=0.9)
        ids = opened.structuredContent.pop("session"), expected.data.pop("session")
        assert ids == ("v1", "v2")
        assert opened.structuredContent == expected.data
        assert text(opened).replace("v1", "v2") == expected.text
        asked = await client.call_tool("ask", {"session": "v1", "question": "Which mark is red?"})
        answer = directly("ask", session="v2", question="Which mark is red?")
        assert text(asked) == answer.text
        assert asked.structuredContent["marks"] == answer.data["marks"]
        played = await client.call_tool("play", {"session": "v1"})
        assert played.structuredContent["ended"] is True
        assert played.structuredContent["marks_given"] == opened.structuredContent["marks_given"]


async def test_a_picture_is_an_image_beside_the_text(connect):
    async with connect() as client:
        await client.call_tool("open_video", OPEN)
        seen = await client.call_tool("look", {"session": "v1", "image": True})
        bare = await client.call_tool("look", {"session": "v1"})
    words, image = seen.content
    assert words.type == "text"
    assert (image.type, image.mimeType) == ("image", "image/png")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(image.data), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[0] * 16 == picture.shape[1] * 9
    assert [block.type for block in bare.content] == ["text"]


async def test_progress_goes_up_and_says_what_is_done(connect):
    told = []

    async def on_progress(progress, total, message):
        told.append((progress, total, message))

    async with connect() as client:
        await client.call_tool("open_video", OPEN, progress_callback=on_progress)
        await client.call_tool(
            "ask", {"session": "v1", "question": "Which mark is red?"}, progress_callback=on_progress
        )
    watching, asking = told[0], told[-1]
    assert watching == (1, 12, "watching blocks.mp4: frame 1 of 12, 0.0 s")
    assert asking[2] == "asking: Which mark is red?"
    numbers = [progress for progress, _, message in told if message.startswith("watching")]
    assert numbers == sorted(set(numbers))


async def test_progress_of_many_events_is_bounded_and_rises(connect):
    """An action that tells faster than the client hears waits for nobody."""

    def run(_store, _form, call):
        for k in range(5000):
            call.tell({"type": "som.watching", "video": "x", "frame": k, "frames": 5000, "time": 0.0})
        return Outcome("done", {})

    told = []

    async def on_progress(progress, total, _message):
        told.append((progress, total))

    async with connect(Action("fast", "Tells a lot.", Form, run)) as client:
        done = await client.call_tool("fast", {}, progress_callback=on_progress)
    assert text(done) == "done"
    numbers = [progress for progress, _ in told]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
    assert all(total >= progress for progress, total in told)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("open_video", {"source": "../secret.mp4"}, ["'../secret.mp4'", "allowed"]),
        ("open_video", {}, ["open_video", "source", "required"]),
        ("open_video", {"source": "blocks.mp4", "until_s": "soon"}, ["until_s", "number"]),
        ("look", {"session": "v9"}, ["no session 'v9'"]),
        ("fly", {}, ["no tool 'fly'", "open_video"]),
    ],
)
async def test_what_a_client_can_mend_is_one_line(connect, name, arguments, words):
    async with connect() as client:
        result = await client.call_tool(name, arguments)
        assert result.isError
        assert result.structuredContent is None
        assert "\n" not in text(result)
        for word in words:
            assert word in text(result)


@pytest.mark.parametrize("data", [None, {"x": float("nan")}, {"x": np.float32(1)}])
async def test_a_bug_costs_one_call(connect, caplog, data):
    def run(*_):
        if data is None:
            raise KeyError("secret detail")
        return Outcome("fine", data)

    async with connect(Action("faulty", "Has a bug.", Form, run)) as client:
        result = await client.call_tool("faulty", {})
        assert result.isError
        assert text(result).startswith("internal error in faulty: ")
        assert "secret detail" not in text(result)
        assert not (await client.call_tool("open_video", OPEN)).isError
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None


async def test_other_requests_are_answered_meanwhile(connect, long):
    async with connect(long.action) as client:
        waiting = asyncio.create_task(client.call_tool("long", {"seconds": 0.5}))
        await asyncio.to_thread(long.running.wait, 20)
        await client.send_ping()
        assert not waiting.done()
        assert text(await waiting) == "nobody stopped me"


async def test_a_cancelled_call_stops_and_the_client_goes_on(connect, long, until):
    async with connect(long.action) as client:
        waiting = asyncio.create_task(client.call_tool("long", {}))
        await until(long.running.is_set)
        request = client._request_id - 1
        await client.send_notification(
            types.ClientNotification(
                types.CancelledNotification(params=types.CancelledNotificationParams(requestId=request))
            )
        )
        await until(long.stopped.is_set)
        with pytest.raises(Exception, match="cancelled"):
            await waiting
        assert not (await client.call_tool("open_video", OPEN)).isError


async def test_a_cancelled_tracking_leaves_no_session(connect, store, until):
    """`open_video` in mid-video: nobody has the id of that session."""
    told = asyncio.Event()

    async def on_progress(*_):
        told.set()

    class Slow:
        name = "slow"

        def segment(self, frame):
            time.sleep(0.2)
            return Regions.from_labels(np.ones(frame.image.shape[:2], np.int64))

    store._loaded = (Slow(), "attributes")
    async with connect() as client:
        waiting = asyncio.create_task(client.call_tool("open_video", OPEN, progress_callback=on_progress))
        await told.wait()
        request = client._request_id - 1
        await client.send_notification(
            types.ClientNotification(
                types.CancelledNotification(params=types.CancelledNotificationParams(requestId=request))
            )
        )
        with pytest.raises(Exception, match="cancelled"):
            await waiting
        await until(lambda: not store._open)


async def test_clients_have_sessions_of_their_own(connect, store):
    async with connect() as one, connect() as other:
        await one.call_tool("open_video", OPEN)
        assert "no session 'v1'" in text(await other.call_tool("look", {"session": "v1"}))
        await other.call_tool("open_video", OPEN)
        assert "open sessions: v2" in text(await other.call_tool("look", {"session": "v1"}))
        assert "no session 'v2'" in text(await one.call_tool("close_session", {"session": "v2"}))
        assert len(store._open) == 2


async def test_who_leaves_takes_its_sessions_along(connect, store):
    async with connect() as stays:
        await stays.call_tool("open_video", OPEN)
        async with connect() as leaves:
            await leaves.call_tool("open_video", OPEN)
            assert sorted(store._open) == ["v1", "v2"]
        assert list(store._open) == ["v1"]
        assert not (await stays.call_tool("look", {"session": "v1"})).isError
    assert not store._open


async def test_who_leaves_in_mid_call_stops_it(connect, store, long, until):
    async with connect(long.action) as client:
        await client.call_tool("open_video", OPEN)
        waiting = asyncio.create_task(client.call_tool("long", {}))
        await until(long.running.is_set)
        waiting.cancel()
    assert long.stopped.is_set()
    assert not store._open


def test_a_title_is_made_of_the_name():
    action = Action("draw_it", "Draws.", Form, lambda *_: Outcome(""), changes=True)
    tool = tool_of(action, reaches_out=True)
    assert (tool.title, tool.annotations.readOnlyHint, tool.annotations.openWorldHint) == (
        "Draw it",
        False,
        True,
    )
