"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from som_agent.errors import OutputError

__all__ = ["moved_into_place", "part_file"]


def part_file(path: Path) -> Path:
    """Create an empty hidden file beside `path`, with its ending, to write to and to move into place later.

    Raises:
        OutputError: nothing can be written there.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    part = path.with_name(f".som-{secrets.token_hex(6)}{path.suffix}")
    try:
        # Not tempfile: its files stay private to the user, the result should follow the umask.
        part.touch(exist_ok=False)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror} ({path.parent})") from error
    return part


def moved_into_place(part: Path, path: Path) -> None:
    """Give a part file its name at once, over an older file of that name."""
    os.replace(part, path)
