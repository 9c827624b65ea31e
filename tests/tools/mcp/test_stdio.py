"""The server over stdio as a process of its own: what is on stdout, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from mcp import types

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

SERVER = """
import os, sys, time
from som_tools.access import Access
from som_tools.actions import ACTIONS, Action, Form, Outcome
from som_tools.mcp.command import _until_ctrl_c
from som_tools.mcp.server import make_server
from som_tools.mcp.stdio import serve_stdio
from som_tools.sessions import SessionStore

def long(store, form, call):
    print("printed by a careless library")
    os.write(1, b"written by a library in C\\n")
    sys.stderr.write("running\\n")
    while not call.stopped():
        time.sleep(0.01)
    sys.stderr.write("stopped\\n")
    call.check()

def big(store, form, call):
    return Outcome("x" * 3_000_000)

store = SessionStore(Access.to(sys.argv[1]))
more = Action("long", "Goes on.", Form, long), Action("big", "Much.", Form, big)
_until_ctrl_c(lambda: serve_stdio(make_server(store, (*ACTIONS, *more))))
sys.stderr.write(f"open: {sorted(store._open)}\\n")
"""

CLIENT = """
import asyncio, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(code, root):
    server = StdioServerParameters(command=sys.executable, args=["-c", code, root], env=dict(os.environ))
    async with stdio_client(server, errlog=sys.stderr) as (read, write):
        async with ClientSession(read, write) as client:
            await client.initialize()
            await client.call_tool("long", {})

asyncio.run(main(*sys.argv[1:]))
"""

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


class Talk:
    """A client of few words."""

    def __init__(self, process):
        self.process = process

    def say(self, message):
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def hear(self):
        """The next message; all that is on stdout is one."""
        return json.loads(self.process.stdout.readline())

    def hear_answer(self, id_):
        while (message := self.hear()).get("id") != id_:
            pass
        return message

    def call(self, id_, name):
        self.say(
            {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": name, "arguments": {}}}
        )

    def wait_for(self, word):
        while line := self.process.stderr.readline():
            if word in line:
                return
        pytest.fail(f"{word} was not said")


@contextmanager
def talking(environment, root):
    line = [sys.executable, "-c", SERVER, str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            talk = Talk(process)
            talk.say(HELLO)
            assert talk.hear_answer(1)["result"]["serverInfo"]["name"] == "som-agent"
            talk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield talk
        finally:
            process.kill()


def ended(process):
    """Wait for the end; the rest of stdout and stderr."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"Traceback" not in err, err
    assert b"open: []" in err
    return out, err


def test_stdout_is_the_protocol_alone_and_the_end_of_stdin_ends_it(environment, root):
    with talking(environment, root) as talk:
        talk.say(b"this is no JSON\n")
        talk.say(b"\n")
        talk.call(2, "big")
        assert len(talk.hear_answer(2)["result"]["content"][0]["text"]) == 3_000_000
        talk.call(3, "long")
        talk.wait_for(b"running")
        talk.say({"jsonrpc": "2.0", "id": 4, "method": "ping"})
        talk.hear_answer(4)
        talk.process.stdin.close()
        talk.process.stdin = None
        out, err = ended(talk.process)
        assert b"stopped" in err
        for line in out.splitlines():
            assert json.loads(line)["jsonrpc"] == "2.0"


@pytest.mark.slow
def test_ctrl_c_ends_it_even_where_the_client_reads_nothing(environment, root):
    with talking(environment, root) as talk:
        talk.call(2, "long")
        talk.wait_for(b"running")
        talk.call(3, "big")  # more than a pipe holds: the server waits for a client that reads
        time.sleep(0.5)
        talk.process.send_signal(signal.SIGINT)
        _, err = ended(talk.process)
        assert b"stopped" in err


@pytest.mark.slow
def test_a_client_that_is_killed_in_mid_call_takes_the_server_along(environment, root):
    line = [sys.executable, "-c", CLIENT, SERVER, str(root)]
    with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE) as client:
        Talk(client).wait_for(b"running")
        client.kill()
        rest = client.stderr.read()  # the server's end of it, too: it ends when the server does
    assert b"stopped" in rest
    assert b"open: []" in rest
    assert b"Traceback" not in rest
