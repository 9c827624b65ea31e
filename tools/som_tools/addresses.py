"""Network addresses that may be opened: compared part by part, as texts can be made to look alike."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit

from som_agent.errors import InputError
from som_agent.video.kinds import ADDRESS_SCHEMES, printable
from som_tools.roots import shown as quoted

__all__ = ["Address", "is_like_address"]

_PORTS = {"http": 80, "https": 443, "rtmp": 1935, "rtmps": 443, "rtsp": 554, "rtsps": 322}
"""Ports that may be left out, of the schemes whose addresses have paths."""

_HOST = re.compile(r"(?!-)[a-z0-9_-]+(\.[a-z0-9_-]+)*")
# No percent sign, no backslash and no "@": what a server or FFmpeg takes for another path is not let through.
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:-]*)*")
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:/?-]*")


def is_like_address(name: str) -> bool:
    """Whether a name is meant as an address, `scheme:` and slashes, of whatever kind."""
    return re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]+:[/\\]", name) is not None


@dataclass(frozen=True)
class Address:
    """The parts of an address, each in the one way of writing it.

    Attributes:
        scheme: lower case.
        host: lower case, or an IP address in its shortest form.
        port: the scheme's own where none was written.
        path: "/" where none was written.
        query: what follows "?".
        login: `user:password`; only an address that a person allows may have one.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    query: str = ""
    login: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Take an address apart.

        Raises:
            InputError: it is none, or written in a way that could be read in two ways.
        """
        shown = quoted(printable(text))
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise InputError(f"address {shown} cannot be read: {error}") from error
        scheme = parts.scheme.lower()
        if scheme not in ADDRESS_SCHEMES:
            raise InputError(
                f"unknown kind of address {shown}: known are {', '.join(sorted(ADDRESS_SCHEMES))}"
            )
        if port is None:
            port = _PORTS.get(scheme)
        if not port:
            raise InputError(f"address {shown} has no port, and {scheme} has none of its own")
        if "#" in text or not text.isascii() or not text.isprintable():
            raise InputError(f"address {shown} has characters that no camera needs")
        path, host = parts.path or "/", _host(parts, shown)
        if not _PATH.fullmatch(path) or "//" in path or {".", ".."} & set(path.split("/")):
            raise InputError(f"the path of address {shown} is not plain: no %, no \\, no . or .. and no //")
        if not _QUERY.fullmatch(parts.query):
            raise InputError(
                f"the query of address {shown} is not plain: letters, digits and -._~!$&'()*+,;=:/?"
            )
        return cls(scheme, host, port, path, parts.query, parts.netloc.rpartition("@")[0])

    def allows(self, other: Address) -> bool:
        """Whether who may open this one may open the other.

        It is the same, or lies below it where this one's path ends in "/" and its scheme has paths.
        """
        if other.login or (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        if self.path.endswith("/") and not self.query and self.scheme in _PORTS:
            return other.path.startswith(self.path)
        return (self.path, self.query) == (other.path, other.query)

    def with_login_of(self, allowed: Address) -> Address:
        """The same with the password that the person who allowed it gave."""
        return replace(self, login=allowed.login)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        login = f"{self.login}@" if self.login else ""
        query = f"?{self.query}" if self.query else ""
        path = self.path if self.scheme in _PORTS or self.path != "/" else ""
        return f"{self.scheme}://{login}{host}:{self.port}{path}{query}"


def _host(parts: SplitResult, shown: str) -> str:
    name = (parts.hostname or "").lower()
    try:
        return ipaddress.ip_address(name).compressed
    except ValueError:
        pass  # a name
    if not _HOST.fullmatch(name):
        raise InputError(f"address {shown} has no host that can be compared: {name!r}")
    return name
