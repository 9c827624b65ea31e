"""What the exception of a provider means: whether to try again, when, and what to tell the user.

Every provider's package has exceptions of its own, and none of them may be imported here. All of those that
LangChain reaches carry the HTTP status, or have a name or a cause that tells.
"""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import Iterator
from typing import Any

from som_agent.errors import first_line

__all__ = ["fault_line", "may_have_cost", "refuses_tools", "retry_after_s", "status_of", "transient"]

_HINTS = {
    401: "check the API key",
    403: "the key has no access to this model",
    404: "check the model's name and the address of the server",
    413: "show it fewer or smaller pictures",
    429: "the rate limit or the quota is reached; wait or raise it",
}
_TRANSIENT = {408, 409, 425, 429}
_UNREAD = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError", "gaierror"}
"""Exceptions of requests that no server has read."""
_BROKEN = {
    "APIConnectionError",  # OpenAI, Anthropic
    "TransportError",  # httpx
    "ClientConnectionError",  # aiohttp
    "HTTPClientError",  # botocore
    "ConnectionError",  # requests
    "Timeout",
}
"""Classes, or bases of classes, that packages raise when a connection breaks or time runs out."""
_NO_MONEY = "insufficient_quota"  # OpenAI's 429 that no waiting mends
_LATER = re.compile(r"(?:retry|try again) (?:in|after) ([\d.]+) ?(ms|s)", re.I)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception or one of its causes carries."""
    for link in _chain(error):
        response = getattr(link, "response", None)
        if isinstance(response, dict):  # botocore
            response = response.get("ResponseMetadata", {})
            found = [response.get("HTTPStatusCode")]
        else:
            found = [getattr(link, "status_code", None), getattr(response, "status_code", None)]
        found.append(getattr(link, "code", None))  # google; text for OpenAI
        for status in found:
            if isinstance(status, int) and 100 <= status < 600:
                return int(status)
    return None


def transient(error: BaseException) -> bool:
    """Whether the same request may well succeed a little later."""
    status = status_of(error)
    if status is not None:
        return (status in _TRANSIENT or status >= 500) and not _out_of_money(error)
    return any(
        isinstance(link, TimeoutError | ConnectionError) or _BROKEN & _names(link) for link in _chain(error)
    )


def may_have_cost(error: BaseException) -> bool:
    """Whether the provider may have worked on the request, and may charge for it, although no reply came."""
    if isinstance(error, asyncio.CancelledError):
        return True
    status = status_of(error)
    if status is not None:
        return status in {408, 504, 524}  # a gateway lost patience, not the model behind it
    return transient(error) and not any(_UNREAD & _names(link) for link in _chain(error))


def refuses_tools(error: BaseException) -> bool:
    """Whether a server may have refused a request because of the tools in it.

    Servers say so with 400 or 422; some with another status, and then in words.
    """
    status = status_of(error)
    return status in {400, 422} or (status in {404, 500, 501} and "tool" in str(error).lower())


def retry_after_s(error: BaseException) -> float | None:
    """Seconds that the server asks to wait; None where it does not say."""
    for link in _chain(error):
        headers = getattr(getattr(link, "response", None), "headers", None)
        if headers is not None and (told := _told(headers)) is not None:
            return told
    # Gemini, and OpenAI on its limits by the minute, say it in words only.
    said = _LATER.search(str(error))
    try:
        return float(said[1]) / (1000 if said[2].lower() == "ms" else 1) if said else None
    except ValueError:
        return None


def fault_line(error: BaseException) -> str:
    """One line for the user: what failed, the first cause of it, and what would help."""
    line = first_line(error)
    causes = [first_line(link) for link in _chain(error)][1:]
    if causes and causes[-1] not in line:
        line += f" ({causes[-1]})"
    hint = _HINTS.get(status_of(error) or 0)
    if any(isinstance(link, ConnectionRefusedError) for link in _chain(error)):
        hint = "the connection was refused: check the server's address, and that it runs"
    return line[:400] + (f"; {hint}" if hint else "")


def _told(headers: Any) -> float | None:
    """`Retry-After` in seconds or as a date; OpenAI's own header in milliseconds."""
    try:
        if (ms := headers.get("retry-after-ms")) is not None:
            return max(float(ms) / 1000, 0.0)
        value = headers.get("retry-after")
    except (ValueError, TypeError, AttributeError):
        return None  # no headers that one can read
    if value is None:
        return None
    if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value):
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None  # neither a number nor a date


def _out_of_money(error: BaseException) -> bool:
    return any(
        _NO_MONEY in {getattr(link, "code", None), getattr(link, "type", None)} for link in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, the outermost first."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        # What was meant to be hidden, too: httpcore hides which error of the system it was.
        link = link.__cause__ or link.__context__


def _names(error: BaseException) -> set[str]:
    return {base.__name__ for base in type(error).__mro__}
