"""What clients read and are told beside the tools."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import cv2
import numpy as np
import pytest
from mcp import types
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl

from som_agent.watches import ComesBack, Enters, Leaves, Zone
from som_tools.mcp.pulse import MOVING_S
from som_tools.mcp.resources import EVENTS

OPEN = {"source": "blocks.mp4", "until_s": 0.4}


async def read(client, address):
    (content,) = (await client.read_resource(AnyUrl(address))).contents
    assert str(content.uri) == address
    if isinstance(content, types.TextResourceContents):
        assert content.mimeType == "application/json"
        return json.loads(content.text)
    assert content.mimeType == "image/png"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content.blob), np.uint8), cv2.IMREAD_COLOR)


def of(heard, kind):
    return [message for message in heard if isinstance(message, kind)]


def updates(heard):
    return [str(message.params.uri) for message in of(heard, types.ResourceUpdatedNotification)]


async def test_what_can_be_read(connect):
    async with connect() as client:
        assert [str(r.uri) for r in (await client.list_resources()).resources] == ["som://sessions"]
        assert await read(client, "som://sessions") == {"sessions": []}
        opened = (await client.call_tool("open_video", OPEN)).structuredContent
        listed = [str(r.uri) for r in (await client.list_resources()).resources]
        assert listed == [
            "som://sessions",
            "som://sessions/v1/frame",
            "som://sessions/v1/tracks",
            "som://sessions/v1/watches",
        ]
        templates = (await client.list_resource_templates()).resourceTemplates
        assert [t.uriTemplate.replace("{session}", "v1") for t in templates] == listed[1:]
        (session,) = (await read(client, "som://sessions"))["sessions"]
        assert (session["session"], session["source"], session["ended"]) == ("v1", "blocks.mp4", False)
        assert session["time"] == opened["time"]
        picture = await read(client, "som://sessions/v1/frame")
        assert picture.shape[1] * 9 == picture.shape[0] * 16
        tracks = await read(client, "som://sessions/v1/tracks")
        boxes = {mark["mark"]: mark["box"] for mark in opened["marks"]}
        assert {mark["mark"]: mark["box"] for mark in tracks["marks"]} == boxes
        assert all(mark["state"] == "visible" for mark in tracks["marks"])
        assert tracks["marks"][0]["visible"] == [[0.0, opened["time"]]]


async def test_the_frame_is_the_newest_with_its_marks(connect, store):
    async with connect() as client:
        await client.call_tool("open_video", OPEN)
        before = await read(client, "som://sessions/v1/frame")
        await client.call_tool("play", {"session": "v1"})
        after = await read(client, "som://sessions/v1/frame")
    assert before.shape == after.shape
    assert np.abs(before.astype(int) - after).max() > 100


@pytest.mark.parametrize(
    "address", ["som://sessions/v9/frame", "som://sessions/v1/secrets", "som://nothing", "file:///etc/passwd"]
)
async def test_what_is_not_there_is_said(connect, address):
    async with connect() as client, connect() as other:
        await client.call_tool("open_video", OPEN)
        for ask in (client.read_resource, client.subscribe_resource):
            with pytest.raises(McpError, match="there is no") as refused:
                await ask(AnyUrl(address))
            assert refused.value.error.code == -32002
        with pytest.raises(McpError, match="no session 'v1'"):  # another client's looks the same
            await other.read_resource(AnyUrl("som://sessions/v1/frame"))
        assert [str(r.uri) for r in (await other.list_resources()).resources] == ["som://sessions"]


async def test_changes_of_the_list_are_told(connect, until):
    heard, elsewhere = [], []
    async with connect(heard=heard) as client, connect(heard=elsewhere) as other:
        await other.send_ping()
        await client.subscribe_resource(AnyUrl("som://sessions"))
        await client.call_tool("open_video", OPEN)
        await until(lambda: len(of(heard, types.ResourceListChangedNotification)) == 1)
        await until(lambda: updates(heard) == ["som://sessions"])
        await client.call_tool("close_session", {"session": "v1"})
        await until(lambda: len(of(heard, types.ResourceListChangedNotification)) == 2)
    assert not of(elsewhere, types.ResourceListChangedNotification)


async def test_a_session_that_moves_is_told_but_not_too_often(connect, store, blocks, until):
    heard = []
    async with connect(heard=heard) as client:
        await client.call_tool("sessions", {})
        owner = await _owner(client, store)
        fed = store.feed("camera", owner=owner)
        fed.step(blocks(0), 0.0)
        await client.subscribe_resource(AnyUrl(f"som://sessions/{fed.id}/frame"))
        await client.subscribe_resource(AnyUrl(f"som://sessions/{fed.id}/tracks"))
        await client.unsubscribe_resource(AnyUrl(f"som://sessions/{fed.id}/tracks"))
        await asyncio.sleep(0.4)
        assert updates(heard) == []  # nothing moved
        began = time.monotonic()
        for k in range(1, 13):
            await asyncio.to_thread(fed.step, blocks(k), k / 10)
            await asyncio.sleep(0.1)
        lasted = time.monotonic() - began
        await until(lambda: len(updates(heard)) >= 2)
        assert len(updates(heard)) <= lasted / MOVING_S + 2
        assert set(updates(heard)) == {f"som://sessions/{fed.id}/frame"}


async def _owner(client, store):
    """Who a client is to the store: nobody is told, so it is read off a session that it opens."""
    opened = await client.call_tool("open_video", OPEN)
    id_ = opened.structuredContent["session"]
    owner = store._open[id_].owner
    await client.call_tool("close_session", {"session": id_})
    return owner


async def test_what_watches_see_is_told(connect, store, until):
    heard = []
    async with connect(heard=heard) as client:
        opened = await client.call_tool("open_video", OPEN)
        blue = max(opened.structuredContent["marks"], key=lambda mark: mark["box"][0])["mark"]
        await client.subscribe_resource(AnyUrl("som://sessions/v1/watches"))
        watch = store._open["v1"].watch(Enters(zone=Zone(box=(115, 0, 160, 90)), mark=blue), once=True)
        store._open["v1"].watch(ComesBack(mark=blue))
        await until(lambda: "som://sessions/v1/watches" in updates(heard))
        await client.call_tool("play", {"session": "v1"})
        assert watch.done
        (log,) = await until(lambda: of(heard, types.LoggingMessageNotification))
        assert (log.params.level, log.params.logger) == ("notice", "som_agent.watches")
        assert log.params.data == {"session": "v1", **watch.events[0].to_json()}
        told = await read(client, "som://sessions/v1/watches")
        first, second = told["watches"]  # the first is done, and the session knows it no more
        assert first == watch.to_json()
        assert (second["done"], second["events"]) == (False, [])
        assert updates(heard).count("som://sessions/v1/watches") >= 2


async def test_events_without_end_are_bounded_and_levels_kept(connect, store, blocks, until):
    heard = []
    async with connect(heard=heard) as client:
        owner = await _owner(client, store)
        fed = store.feed("camera", owner=owner)
        empty = np.full_like(blocks(0), 200)
        fed.step(blocks(0), 0.0)
        await client.set_logging_level("warning")
        watch = fed.watch(Leaves(mark=1))
        for k in range(1, 9):
            fed.step(empty, float(k))
        watch._events.extend(watch._events[0] for _ in range(200))
        watch._count += 200
        await asyncio.sleep(0.6)
        assert not of(heard, types.LoggingMessageNotification)
        told = (await read(client, f"som://sessions/{fed.id}/watches"))["watches"][0]
        assert len(told["events"]) == EVENTS
        assert told["dropped"] == len(watch.events) - EVENTS
