"""What a name stands for: a picture, a camera or a network address; anything else is a file or a folder."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from som_agent.errors import InputError

__all__ = [
    "ADDRESS_SCHEMES",
    "PICTURE_SUFFIXES",
    "camera_number",
    "check_regular",
    "is_address",
    "is_picture",
    "printable",
]

PICTURE_SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Lower case, with the dot. A GIF is read as a video."""

ADDRESS_SCHEMES = frozenset({"http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})


def is_picture(path: str | Path) -> bool:
    """Whether the name ends like a picture's; the file need not exist."""
    return Path(path).suffix.lower() in PICTURE_SUFFIXES


def check_regular(path: str | Path) -> None:
    """Refuse what opens but may never end or never begin: pipes, sockets and devices.

    Raises:
        InputError: it is one of them. What is missing is left to whoever opens it.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise InputError(f"{path} is not a regular file: it is {kind}")


def is_address(source: str) -> bool:
    """Whether `source` is a network address.

    Raises:
        InputError: it is one of a kind that is not known.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", source)
    if scheme is None:
        return False
    if scheme[1].lower() not in ADDRESS_SCHEMES:
        known = ", ".join(sorted(ADDRESS_SCHEMES))
        raise InputError(f"unknown kind of address {scheme[1]}:// in {printable(source)}: known are {known}")
    return True


def camera_number(source: str | int) -> int | None:
    """The number of the camera that `source` names (`0`, `"0"` or `"/dev/video0"`), None if it names none."""
    if isinstance(source, int):
        return source
    match = re.fullmatch(r"(?:/dev/video)?(\d{1,4})", source)
    # A file or folder of that name comes first; a device node is no file.
    return int(match[1]) if match and not (Path(source).is_file() or Path(source).is_dir()) else None


def printable(source: str) -> str:
    """`source` as it may be shown and stored: the password of an address becomes `***`."""
    if "://" not in source or "@" not in source:
        return source
    password = urlsplit(source).password
    return source.replace(f":{password}@", ":***@", 1) if password else source
