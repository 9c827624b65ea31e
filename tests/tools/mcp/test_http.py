"""The server over HTTP: who may come in, and what becomes of clients that go away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

from som_agent.errors import OutputError
from som_tools.mcp.http import BODY_LIMIT, listen

OPEN = {"source": "blocks.mp4"}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": types.LATEST_PROTOCOL_VERSION,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}

CLIENT = """
import asyncio, httpx, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

async def main(url, token):
    async with httpx.AsyncClient(headers={"Authorization": token}, timeout=200) as http:
        async with streamable_http_client(url, http_client=http) as (read, write, _):
            async with ClientSession(read, write) as client:
                await client.initialize()
                await client.call_tool("open_video", {"source": "blocks.mp4"})
                await client.call_tool("long", {})

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def connected(served, hear=None):
    async with (
        httpx.AsyncClient(headers=served.bearer, trust_env=False, timeout=200) as http,
        streamable_http_client(served.url, http_client=http) as (read, write, _),
        ClientSession(read, write, message_handler=hear) as client,
    ):
        await client.initialize()
        yield client


def test_who_may_come_in(serve):
    with serve() as served, httpx.Client(trust_env=False) as http:

        def post(headers, body=HELLO, path=""):
            return http.post(served.url + path, json=body, headers={**HEADERS, **headers}).status_code

        assert post({}) == 401
        assert post({"Authorization": "Bearer wrong"}) == 401
        assert post({"Authorization": served.bearer["Authorization"].removeprefix("Bearer ")}) == 401
        assert post({"Authorization": "Bearer é".encode("latin-1").decode("latin-1").encode()}) == 401
        refused = http.post(served.url, json=HELLO, headers=HEADERS)
        assert refused.headers["www-authenticate"] == "Bearer"
        assert post(served.bearer, path="/elsewhere") == 404
        assert post({**served.bearer, "Host": f"evil.example:{served.port}"}) == 421
        assert post({**served.bearer, "Origin": "http://evil.example"}) == 403
        assert post(served.bearer, {**HELLO, "padding": "x" * BODY_LIMIT}) == 413
        assert post({**served.bearer, "mcp-session-id": "0123"}) == 404
        assert post(served.bearer) == 200
        assert post({**served.bearer, "Origin": f"http://127.0.0.1:{served.port}"}) == 200


def test_a_port_that_cannot_be_had_is_one_line():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"cannot serve on port {port} of 127.0.0.1"):
            listen("127.0.0.1", port)
    with pytest.raises(OutputError, match="cannot serve on port 70000"):
        listen("127.0.0.1", 70000)


async def test_clients_have_sessions_of_their_own_until_they_leave(serve, until):
    with serve() as served:
        async with connected(served) as one:
            opened = await one.call_tool("open_video", OPEN)
            assert opened.structuredContent["session"] == "v1"
            async with connected(served) as other:
                hidden = await other.call_tool("look", {"session": "v1"})
                assert hidden.isError
                await other.call_tool("open_video", OPEN)
            await until(lambda: list(served.store._open) == ["v1"])
            assert not (await one.call_tool("look", {"session": "v1"})).isError
        await until(lambda: not served.store._open)


async def test_changes_are_told_over_the_open_stream(serve, until):
    heard = []

    async def hear(message):
        heard.append(type(getattr(message, "root", message)))

    with serve() as served:
        async with connected(served, hear) as client:
            await asyncio.sleep(0.3)  # the client opens the stream for such messages by itself
            await client.call_tool("open_video", OPEN)
            await until(lambda: types.ResourceListChangedNotification in heard)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
async def test_a_client_that_is_killed_in_mid_call_is_let_go(serve, long, until):
    with serve(long.action, keep_s=0.5) as served:
        async with connected(served) as stays:
            await stays.call_tool("open_video", OPEN)
            line = [sys.executable, "-c", CLIENT, served.url, served.bearer["Authorization"]]
            with subprocess.Popen(line) as client:
                try:
                    await until(long.running.is_set, 60)
                    assert sorted(served.store._open) == ["v1", "v2"]
                finally:
                    client.send_signal(signal.SIGKILL)
            await until(long.stopped.is_set)
            await until(lambda: list(served.store._open) == ["v1"])
            assert not (await stays.call_tool("look", {"session": "v1"})).isError


async def test_who_hangs_up_with_its_answer_has_not_left(serve):
    """Clients read an answer to its end, not the stream; and some open no stream for messages."""
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "open_video", "arguments": OPEN},
    }
    with serve(keep_s=0.3) as served:
        async with httpx.AsyncClient(
            headers={**HEADERS, **served.bearer}, trust_env=False, timeout=200
        ) as http:
            hello = await http.post(served.url, json=HELLO)
            session = {"mcp-session-id": hello.headers["mcp-session-id"]}
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await http.post(served.url, json=ready, headers=session)
            async with http.stream("POST", served.url, json=call, headers=session) as answer:
                async for line in answer.aiter_lines():
                    if '"id":2' in line:
                        break
            await asyncio.sleep(1.0)
            assert list(served.store._open) == ["v1"]


async def test_a_client_whose_connection_broke_may_come_back(serve, long, until):
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "long", "arguments": {"seconds": 60}},
    }
    with serve(long.action, keep_s=1.0) as served:
        async with httpx.AsyncClient(
            headers={**HEADERS, **served.bearer}, trust_env=False, timeout=200
        ) as http:
            hello = await http.post(served.url, json=HELLO)
            session = {"mcp-session-id": hello.headers["mcp-session-id"]}
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await http.post(served.url, json=ready, headers=session)
            async with http.stream("POST", served.url, json=call, headers=session):
                await until(long.running.is_set)

            async def ping(id_):
                body = {"jsonrpc": "2.0", "id": id_, "method": "ping"}
                return (await http.post(served.url, json=body, headers=session)).status_code

            await asyncio.sleep(0.3)
            assert await ping(3) == 200
            await asyncio.sleep(
                1.5
            )  # longer than sessions are kept: it came back, and did not break off again
            assert await ping(4) == 200
            assert not long.stopped.is_set()
            assert (await http.delete(served.url, headers=session)).status_code == 200
            await until(long.stopped.is_set)
            assert await ping(5) == 404
