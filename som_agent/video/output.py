"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from som_agent.errors import OutputError, first_line
from som_agent.video.kinds import is_picture

__all__ = ["moved_into_place", "part_file", "refuse_to_overwrite", "unwritable"]


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


def refuse_to_overwrite(output: Path, source: str | Path) -> None:
    """Say so where writing `output` would destroy what is read, under whichever name it goes.

    Args:
        output: a file to be written.
        source: what is read: a file, a folder of pictures, or a camera or an address, which no file can harm.

    Raises:
        OutputError: both are one file, or `output` is a picture of that folder.
    """
    try:
        written = output.stat()
        files = [Path(source)]
        if os.path.isdir(source):
            files = [file for file in files[0].iterdir() if is_picture(file)]
    except OSError:
        return  # what is not there cannot be lost
    for file in files:
        if os.path.exists(file) and os.path.samestat(written, file.stat()):
            raise OutputError(f"{output} would overwrite its own input {file}: write to another place")


def unwritable(path: Path, error: OSError) -> OutputError:
    """What is raised where a library could not write `path`; each words the same reason in its own way."""
    reason = os.strerror(error.errno) if error.errno else error.strerror or first_line(error)
    return OutputError(f"cannot write {path}: {reason}")
