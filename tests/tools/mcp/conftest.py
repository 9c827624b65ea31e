"""A server in this process, with real clients: in memory, or over HTTP on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import ClientSession
from mcp.shared.memory import create_connected_server_and_client_session
from pydantic import Field

from som_agent.regions import Regions
from som_agent.settings import Settings
from som_agent.video import Frame
from som_tools.access import Access
from som_tools.actions import ACTIONS, Action, Form, Outcome
from som_tools.call import Call
from som_tools.mcp.http import listen, serve_http
from som_tools.mcp.server import make_server
from som_tools.sessions import SessionStore

TOKEN = "a token for tests"


class ByColor:
    """Segments red and blue, at once."""

    name = "by color"

    def segment(self, frame: Frame) -> Regions:
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))


class WaitForm(Form):
    """What the long action is given."""

    seconds: float = Field(20.0, description="How long, if nobody stops it")


class Long:
    """An action that goes on until its caller is gone, as tracking does; and what became of its calls."""

    def __init__(self) -> None:
        self.running, self.stopped = threading.Event(), threading.Event()

    def run(self, store: SessionStore, form: WaitForm, call: Call) -> Outcome:
        self.running.set()
        deadline = time.monotonic() + form.seconds
        while time.monotonic() < deadline:
            if call.stopped():
                self.stopped.set()
                call.check()
            time.sleep(0.01)
        return Outcome("nobody stopped me", {})

    @property
    def action(self) -> Action[WaitForm]:
        return Action("long", "Goes on and on.", WaitForm, self.run)


@pytest.fixture
def long() -> Long:
    return Long()


@pytest.fixture
def store(root: Path) -> Iterator[SessionStore]:
    store = SessionStore(Access.to(root), segmenter=ByColor(), settings=Settings(size=160))
    yield store
    store.close_all()


Heard = list[Any]
Connect = Callable[..., AbstractAsyncContextManager[ClientSession]]


@pytest.fixture
def connect(store: SessionStore) -> Connect:
    """Clients of one server, in memory; `heard` collects what a client is told without asking."""
    servers: dict[Any, Any] = {}

    @asynccontextmanager
    async def connect(*more: Action[Any], heard: Heard | None = None) -> AsyncIterator[ClientSession]:
        server = servers.setdefault(tuple(a.name for a in more), make_server(store, (*ACTIONS, *more)))

        async def hear(message: Any) -> None:
            if heard is not None:
                heard.append(getattr(message, "root", message))

        async with create_connected_server_and_client_session(server, message_handler=hear) as client:
            yield client

    return connect


async def until(holds: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for something that will be so."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)
    return value


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


@dataclass(frozen=True)
class Served:
    """A server over HTTP in a thread of this process."""

    store: SessionStore
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def serve(store: SessionStore) -> Callable[..., Any]:
    """Serves over HTTP for as long as the context lasts."""

    @contextmanager
    def serve(*more: Action[Any], keep_s: float = 30.0) -> Iterator[Served]:
        ready = threading.Event()
        ending: list[Callable[[], None]] = []

        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            loop = asyncio.get_running_loop()
            ending.append(lambda: loop.call_soon_threadsafe(task.cancel))
            ready.set()
            hosts = [f"127.0.0.1:{port}"]
            server = make_server(store, (*ACTIONS, *more))
            await serve_http(server, listening, hosts=hosts, token=TOKEN, keep_s=keep_s)

        def thread() -> None:
            try:
                asyncio.run(run())
            except asyncio.CancelledError:
                return

        with listen("127.0.0.1", 0) as listening:
            port = listening.getsockname()[1]
            running = threading.Thread(target=thread)
            running.start()
            ready.wait()
            try:
                yield Served(store, port)
            finally:
                ending[0]()
                running.join(20)
                assert not running.is_alive()

    return serve
