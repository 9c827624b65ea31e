"""`som-agent mcp`: the actions for MCP clients, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from som_agent.cli.options import (
    Discover,
    Embedder,
    Finder,
    Granularity,
    Labels,
    LabelScheme,
    Lmm,
    MaxMarks,
    MaxSeconds,
    MaxTokens,
    MaxUsd,
    Propagator,
    Segmenter,
    Size,
    dialled,
    number,
    place,
    settings,
    whole,
)
from som_agent.cli.output import note
from som_agent.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["mcp"]


class Transport(StrEnum):
    """How clients reach the server."""

    stdio = "stdio"
    http = "http"


def _transport(text: str) -> Transport:
    try:
        return Transport(text)
    except ValueError as error:
        raise InputError(f"--transport {text} is not known; known: {', '.join(Transport)}") from error


def mcp(
    roots: Annotated[
        list[str],
        typer.Option(
            "--root", metavar="DIR", help="A folder in which videos may be opened; may be repeated."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=place, metavar="DIR", help="Where files are written; a temporary folder if left out."
        ),
    ] = None,
    allow_camera: Annotated[
        list[str] | None,
        typer.Option(metavar="N", help="A camera that may be opened, 0 for example; may be repeated."),
    ] = None,
    allow_address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREFIX",
            help="An address that may be opened, rtsp://cam.local/door; with / at its end all below it. "
            "May be repeated.",
        ),
    ] = None,
    transport: Annotated[
        Transport, typer.Option(parser=_transport, metavar="stdio|http", help="How clients reach the server.")
    ] = Transport.stdio,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="With http: the address of this machine to serve on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(parser=whole("--port", 0), metavar="PORT", help="With http: 0 takes a free one."),
    ] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="SOM_AGENT_TOKEN",
            help="With http: what requests must bear. Others on this machine see it in the list of "
            "processes: the variable is better. Left out, one is made and printed.",
        ),
    ] = None,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="With http: whoever is on this machine may come in.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With http: what else clients call this machine; may be repeated."),
    ] = None,
    keep: Annotated[
        float,
        typer.Option(
            parser=number("--keep", "in seconds, above 0", lambda value: value > 0),
            metavar="S",
            help="With http: how long a client's sessions are kept after its connection broke off.",
        ),
    ] = 30.0,
    lmm: Lmm = "attributes",
    segmenter: Segmenter = "hierarchy",
    granularity: Granularity = None,
    propagator: Propagator = "",
    discover: Discover = 5,
    embedder: Embedder = "",
    finder: Finder = "",
    size: Size = 480,
    max_marks: MaxMarks = 20,
    labels: Labels = LabelScheme.numbers,
    max_usd: MaxUsd = None,
    max_tokens: MaxTokens = None,
    max_seconds: MaxSeconds = 120.0,
    max_sessions: Annotated[
        int,
        typer.Option(
            parser=whole("--max-sessions", 1), metavar="N", help="Most sessions open at once, of all clients."
        ),
    ] = 8,
    max_length: Annotated[
        float,
        typer.Option(
            parser=number("--max-length", "in seconds, above 0", lambda value: value > 0),
            metavar="S",
            help="Longest stored video, or part of one, that a session takes in.",
        ),
    ] = 3600.0,
    max_out_mb: Annotated[
        int,
        typer.Option(
            parser=whole("--max-out-mb", 1), metavar="N", help="Most megabytes that are written in all."
        ),
    ] = 1000,
) -> None:
    """Serve the tools to MCP clients: programs in which a language model calls tools.

    Over stdio, the client starts this command and speaks to it on stdin and stdout. Over http it is reached
    at http://ADDRESS:PORT/mcp. Ctrl-C ends it.
    """
    hosts = _checked_hosts(host, allow_host or [], token, no_token) if transport == Transport.http else []
    try:
        from som_tools.mcp.server import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "uvicorn", "starlette"):
            raise
        raise MissingExtraError("the MCP server", "mcp") from error
    from som_agent.grounding import Asking
    from som_agent.lmm.calls.limits import Limits
    from som_tools.access import Access
    from som_tools.quota import Quota
    from som_tools.sessions import SessionStore

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="som-agent: %(message)s")
    store = SessionStore(
        Access.to(roots, out=out, cameras=allow_camera or (), addresses=allow_address or ()),
        quota=Quota(sessions=max_sessions, seconds=max_length, out_mb=max_out_mb),
        segmenter=dialled(segmenter, granularity),
        settings=settings(max_marks, labels, "mark,mask,contour", 0.12, size, propagator, discover, embedder),
        lmm=lmm,
        asking=Asking(limits=Limits(tokens=max_tokens, usd=max_usd, seconds=max_seconds)),
        finder=finder or None,
    )
    store.load()  # a wrong name of a model is said before any client comes
    try:
        if transport == Transport.stdio:
            from som_tools.mcp.stdio import serve_stdio

            _until_ctrl_c(lambda: serve_stdio(make_server(store)))
        else:
            _serve_http(make_server(store), host, port, hosts, token, no_token, keep)
    finally:
        store.close_all()


def _serve_http(
    server: Server[Any, Any],
    host: str,
    port: int,
    hosts: list[str],
    token: str | None,
    no_token: bool,
    keep_s: float,
) -> None:
    from som_tools.mcp.http import PATH, listen, serve_http

    with listen(host, port) as listening:
        port = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        note(f"serving at http://{shown}:{port}{PATH}")
        if token is None and not no_token:
            token = secrets.token_urlsafe(24)
            note(f"token, made for this run: {token}")
        # Behind a proxy that ends TLS, clients name no port.
        named = [name for host in hosts for name in (f"{host}:{port}", host)]
        _until_ctrl_c(lambda: serve_http(server, listening, hosts=named, token=token, keep_s=keep_s))


def _checked_hosts(host: str, also: list[str], token: str | None, no_token: bool) -> list[str]:
    """What clients may call this machine.

    Raises:
        InputError: whoever reaches the address could come in, or no name for it is known.
    """
    if token is not None and (no_token or not token.strip()):
        raise InputError("--token and --no-token contradict each other" if no_token else "the token is empty")
    if _is_loopback(host):
        return ["127.0.0.1", "localhost", "[::1]", *also]
    if token is None:
        raise InputError(
            f"--host {host} can be reached from other machines: set a token with SOM_AGENT_TOKEN or --token"
        )
    if host in ("", "0.0.0.0", "::"):
        if not also:
            raise InputError(
                f"--host {host or repr('')} is every address of this machine: say with --allow-host what "
                "clients call it"
            )
        return ["127.0.0.1", "localhost", *also]
    return [f"[{host}]" if ":" in host else host, *also]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _until_ctrl_c(serve: Callable[[], Awaitable[None]]) -> None:
    """Run a server; Ctrl-C is how it is meant to end, and a request to terminate is the same."""

    async def run() -> None:
        await serve()

    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(run())
    finally:
        signal.signal(signal.SIGTERM, before)
