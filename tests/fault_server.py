"""A server that speaks OpenAI's chat completions on loopback, and fails on demand.

    with FaultServer([429, "It is [1]."]) as server:
        model = server.chat()  # a ChatOpenAI without retries of its own
        ...
    assert len(server.requests) == 2

A reply, in the order in which requests come in, is one of

- a text;
- a dictionary that is merged into the choice: `calls(...)`, a `finish_reason`, a message with a refusal;
- a status code, or `Status(code, retry_after)`;
- `SLOW`, `CUT`, `HANG` or `EMPTY`;
- a function of the request's body that returns one of these. It runs in the request's thread and may wait.

A request beyond the last reply gets the status 418, which nobody tries again.
"""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Fault(Enum):
    """Ways to fail that no status tells.

    Attributes:
        SLOW: the head of a reply, then a byte every 0.2 s, for ever.
        CUT: half of a reply, then the connection is closed.
        HANG: nothing, for ever.
    """

    SLOW = "slow"
    CUT = "cut"
    HANG = "hang"


SLOW, CUT, HANG = Fault
EMPTY = ""


@dataclass(frozen=True)
class Status:
    """An error of HTTP.

    Attributes:
        code: the status.
        retry_after: what the header says, seconds or a date; None leaves it out.
        message: what the body says.
    """

    code: int
    retry_after: str | None = None
    message: str | None = None


Reply = str | dict[str, Any] | int | Status | Fault | Callable[[dict[str, Any]], Any]

_BYTE_S = 0.2


def calls(name: str, arguments: dict[str, Any] | str, finish_reason: str = "tool_calls") -> dict[str, Any]:
    """The choice of a model that called a tool; `arguments` as a text need be no JSON."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": "call-1", "type": "function", "function": {"name": name, "arguments": text}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"message": message, "finish_reason": finish_reason}


class FaultServer:
    """See the module.

    Attributes:
        url: of the API.
        replies: those to come.
        requests: path, `Authorization` header and body of each request so far.
        usage: tokens of the prompt and of the reply that each reply claims; None leaves them out.
        keep_alive: whether connections stay open for further requests.
        hung_up: how many clients closed the connection while they were kept waiting.
    """

    def __init__(
        self,
        replies: Sequence[Reply] = (),
        usage: tuple[int, int] | None = (1, 1),
        keep_alive: bool = False,  # clients that nobody closes would complain of their sockets in the end
    ) -> None:
        self.replies = list(replies)
        self.keep_alive = keep_alive
        self.requests: list[tuple[str, str | None, dict[str, Any]]] = []
        self.usage = usage
        self.hung_up = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def chat(self, **settings: Any) -> Any:
        """A `ChatOpenAI` of this server, without retries of its own."""
        from langchain_openai import ChatOpenAI

        known = {"model": "eyes-1", "api_key": "sk-very-secret-key", "max_retries": 0, "timeout": 30}
        return ChatOpenAI(**{**known, "base_url": self.url, **settings})

    def texts(self, request: int) -> list[str]:
        """The texts of a request's messages in their order."""
        return [block["text"] for block in self._blocks(request) if block["type"] == "text"]

    def images(self, request: int) -> list[dict[str, Any]]:
        """The pictures of a request, `url` and `detail`."""
        return [block["image_url"] for block in self._blocks(request) if block["type"] == "image_url"]

    def _blocks(self, request: int) -> list[dict[str, Any]]:
        contents = [message["content"] for message in self.requests[request][2]["messages"]]
        return [
            block
            for content in contents
            for block in ([{"type": "text", "text": content}] if isinstance(content, str) else content or [])
        ]

    def _take(self, path: str, key: str | None, body: dict[str, Any]) -> Any:
        with self._lock:
            self.requests.append((path, key, body))
            reply = self.replies.pop(0) if self.replies else Status(418, message="no reply is left to play")
        return reply(body) if callable(reply) else reply

    def _leave(self) -> None:
        with self._lock:
            self.hung_up += 1

    def _completion(self, body: dict[str, Any], reply: str | dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": reply if isinstance(reply, str) else ""}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if isinstance(reply, dict):
            choice.update(reply)
        data = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
        if self.usage is not None:
            read, wrote = self.usage
            data["usage"] = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
        return {**data, "choices": [choice]}


def _handler(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server._take(self.path, self.headers["Authorization"], body)
            if isinstance(reply, int):
                reply = Status(reply)
            try:
                if isinstance(reply, Fault):
                    self._fail(reply, body)
                elif isinstance(reply, Status):
                    said = reply.message or f"fault {reply.code}\nsecond line"
                    error = {"error": {"message": said, "type": "fault", "code": None}}
                    self._send(reply.code, json.dumps(error).encode(), reply.retry_after)
                else:
                    self._send(200, json.dumps(server._completion(body, reply)).encode())
            except OSError:  # the client has gone
                server._leave()
                self.close_connection = True

        def _fail(self, fault: Fault, body: dict[str, Any]) -> None:
            self.close_connection = True
            whole = json.dumps(server._completion(body, "It is [1].")).encode()
            if fault is CUT:
                self._head(200, len(whole))
                self.wfile.write(whole[: len(whole) // 2])
                return
            if fault is SLOW:
                self._head(200, 1_000_000)
            while not server._closing.is_set():
                if fault is SLOW:
                    self.wfile.write(b" ")
                if select.select([self.connection], [], [], _BYTE_S)[0] and not self.connection.recv(1):
                    server._leave()
                    return

        def _send(self, status: int, data: bytes, retry_after: str | None = None) -> None:
            self._head(status, len(data), retry_after)
            self.wfile.write(data)

        def _head(self, status: int, length: int, retry_after: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(length))
            if not server.keep_alive:
                self.send_header("Connection", "close")
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    return Handler
