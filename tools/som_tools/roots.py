"""Which files a tool may open: an agent passes on what a model wrote, and a model may write anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from som_agent.errors import InputError, first_line
from som_agent.video import is_picture, picture_files
from som_agent.video.containers import is_text

__all__ = ["allowed_source", "is_inside", "resolved_roots", "shown"]


LONGEST_SHOWN = 120
"""Characters of a name that an error quotes."""

_PICTURES = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"P%d" % kind for kind in range(1, 8)),
)
"""What pictures begin with, beside WebP: PNG, JPEG, BMP, GIF, TIFF and the portable maps."""


def resolved_roots(roots: Sequence[str | Path]) -> tuple[Path, ...]:
    """Absolute folders, free of links.

    Raises:
        InputError: one of them is no folder.
    """
    folders = []
    for root in roots:
        if not str(root):
            raise InputError("a root is empty; roots are folders in which videos may be opened")
        folder = Path(root).expanduser().resolve()
        if not folder.is_dir():
            raise InputError(f"{root} is no folder; roots are folders in which videos may be opened")
        folders.append(folder)
    return tuple(folders)


def allowed_source(source: str, roots: Sequence[Path]) -> Path:
    """The file or folder of pictures that `source` names, if it lies in one of the roots.

    Links are followed first and the place where they end decides. A relative path is looked for in each root
    in turn. Cameras, network addresses, devices and pipes are not files and are refused, and so are texts:
    video decoders read playlists, which name other files wherever those lie. What is found may be another
    file by the time it is opened: see `som_tools.sessions.files`.

    Args:
        source: what the model wrote.
        roots: from `resolved_roots`.

    Raises:
        InputError: it lies elsewhere, or is neither a file nor a folder. What lies outside the roots is
            refused alike whether it exists or not.
    """
    if not source:  # as a path it would be the root itself
        raise InputError("no video is named: the path is empty")
    inside = " or ".join(str(root) for root in roots) or "no folder at all"
    outside = InputError(
        f"{shown(source)} is not in a folder where videos may be opened; allowed: files in {inside}"
    )
    try:
        places = [path for root in roots if is_inside(path := (root / source).resolve(), roots)]
        if not places:
            raise outside
        for path in places:
            if path.is_file():
                _check_content(path, source)
                return path
            if path.is_dir():
                files = picture_files(path)
                if not all(is_inside(file.resolve(), roots) for file in files):
                    raise outside
                for file in files:
                    _check_content(file, str(Path(source) / file.name))
                return path
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a zero byte, no right to look
        why = (isinstance(error, OSError) and error.strerror) or first_line(error)
        raise InputError(f"{shown(source)} cannot be looked up: {why}; allowed: files in {inside}") from error
    raise InputError(f"there is no video, picture or folder of pictures {shown(source)} in {inside}")


def is_inside(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a path without links lies in one of the roots."""
    return any(path.is_relative_to(root) for root in roots)


def shown(name: str) -> str:
    """A name as an error may quote it: a model may write a very long one."""
    return repr(name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…")


def _check_content(path: Path, source: str) -> None:
    """Refuse texts, and under a picture's name all that is none: Pillow knows formats that run programs."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise InputError(f"{source!r} is empty (0 bytes)")
    if not is_picture(path):
        if is_text(head):
            raise InputError(f"{source!r} is a text, perhaps a playlist, and not a video")
    elif not (head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")):
        raise InputError(f"{source!r} is not a picture that can be read: its content is of no known format")
