"""`som-agent mcp`: how it is plugged in, what it refuses, and how it serves over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest
import typer
from mcp import types

from som_agent.cli.main import app
from som_agent.cli.plugins import GROUP, plug_in
from som_agent.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def declared():
    """The plug-ins that pyproject declares, whichever are installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [EntryPoint(name, value, GROUP) for name, value in project["entry-points"][GROUP].items()]


@pytest.fixture(autouse=True)
def _plugged(monkeypatch):
    monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
    monkeypatch.delenv("SOM_AGENT_TOKEN", raising=False)
    plug_in(app, declared())


def plugged(*points):
    fresh = typer.Typer()
    fresh.command("mark")(lambda: None)
    plug_in(fresh, points)
    return {command.name: command for command in fresh.registered_commands}


def test_it_is_a_command_like_the_others(cli):
    done = cli("-h")
    assert done.code == 0
    assert re.search(r"\bmcp\b", done.out)
    assert "--allow-address" in cli("mcp", "-h").out


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package.at_all:run", "No module named"),
        ("som_agent.cli.plugins:nothing", "nothing"),
        ("som_agent.cli.plugins:GROUP", "a str is no command"),
    ],
)
def test_a_broken_plug_in_says_so_when_it_is_called(value, reason):
    commands = plugged(EntryPoint("broken", value, GROUP))
    assert reason in commands["broken"].callback.__doc__
    with pytest.raises(InputError, match=f"command broken cannot be loaded from {value}: .*{reason}"):
        commands["broken"].callback()
    assert commands["broken"].context_settings["ignore_unknown_options"]


def test_a_broken_plug_in_stands_in_no_other_ways(cli, monkeypatch):
    plug_in(app, [EntryPoint("broken", "no_such_package:run", GROUP)])
    cli("broken", "--whatever", "x").refused("command broken", "no_such_package")
    assert cli("doctor", "-h").code == 0
    assert "Cannot be loaded" in cli("-h").out


def test_a_plug_in_replaces_no_command():
    before = plugged()["mark"].callback
    after = plugged(EntryPoint("mark", "som_agent.cli.track:track", GROUP))["mark"].callback
    assert after.__code__ is before.__code__


def test_help_loads_nothing_heavy(environment):
    code = (
        "import json, sys\n"
        "from som_tools.mcp.command import mcp\n"
        "print(json.dumps(sorted({'mcp', 'torch', 'cv2', 'uvicorn', 'pydantic'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--root", "nowhere"], ["nowhere", "no folder"]),
        (["--transport", "pigeon"], ["--transport pigeon", "stdio, http"]),
        (["--segmenter", "nobody"], ["nobody"]),
        (["--lmm", "nobody"], ["nobody"]),
        (["--port", "x"], ["--port x"]),
        (["--keep", "0"], ["--keep 0"]),
        (["--max-sessions", "0"], ["--max-sessions 0"]),
        (["--allow-camera", "front"], ["front"]),
        (["--transport", "http", "--port", "70000"], ["70000", "127.0.0.1"]),
        (["--transport", "http", "--host", "0.0.0.0"], ["--host 0.0.0.0", "SOM_AGENT_TOKEN"]),
        (["--transport", "http", "--host", "0.0.0.0", "--no-token"], ["--host 0.0.0.0", "SOM_AGENT_TOKEN"]),
        (["--transport", "http", "--host", "0.0.0.0", "--token", "x"], ["0.0.0.0", "--allow-host"]),
        (["--transport", "http", "--host", "my.lan"], ["--host my.lan", "SOM_AGENT_TOKEN"]),
        (["--transport", "http", "--token", " "], ["token is empty"]),
        (["--transport", "http", "--token", "x", "--no-token"], ["--no-token"]),
    ],
)
def test_what_it_refuses(cli, arguments, words):
    given = [] if "--root" in arguments else ["--root", "."]
    cli("mcp", *given, *arguments).refused(*words)


def test_a_root_must_be_named(cli):
    cli("mcp").refused("--root")


def test_a_port_that_is_taken(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("mcp", "--root", ".", "--transport", "http", "--port", port)
    done.refused(f"cannot serve on port {port} of 127.0.0.1")


def test_a_missing_extra_is_named(cli, monkeypatch):
    for name in [
        name for name in sys.modules if name.split(".")[0] == "mcp" or name == "som_tools.mcp.server"
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    cli("mcp", "--root", ".").refused('pip install "som-agent[mcp]"')


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_over_http_until_it_is_told_to_end(environment, tmp_path):
    line = [sys.executable, "-m", "som_tools.mcp", "--root", str(tmp_path)]
    line += ["--transport", "http", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=environment, stdout=pipe, stderr=pipe, text=True) as server:
        try:
            url = re.fullmatch(
                r"som-agent: serving at (http://127.0.0.1:\d+/mcp)\n", server.stderr.readline()
            )
            token = re.fullmatch(r"som-agent: token, .*: (\S{20,})\n", server.stderr.readline())
            hello = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {
                    "protocolVersion": types.LATEST_PROTOCOL_VERSION,
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                },
            }
            headers = {"accept": "application/json, text/event-stream"}
            with httpx.Client(trust_env=False, headers=headers, timeout=30) as http:
                assert http.post(url[1], json=hello).status_code == 401
                http.headers["authorization"] = f"Bearer {token[1]}"
                answer = http.post(url[1], json=hello)
                assert answer.status_code == 200
                http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
                with http.stream("GET", url[1]) as stream:  # a client that listens is no reason to stay
                    assert stream.status_code == 200
                    server.send_signal(signal.SIGTERM)
                    out, err = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode == 0, err
    assert (out, err) == ("", "")
