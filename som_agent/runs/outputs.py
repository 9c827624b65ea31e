"""What is made of a run beside it: whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from som_agent.errors import OutputError
from som_agent.runs.reader import Run
from som_agent.runs.schema import INFO_FILE, TRACKS_FILE, VIDEO_FILE
from som_agent.video.output import moved_into_place, part_file, refuse_to_overwrite, unwritable

__all__ = ["new_file", "new_folder"]


@contextmanager
def new_file(path: Path, run: Run) -> Iterator[Path]:
    """A hidden file to write to, which gets the name `path` when the block ends well and else is gone.

    Raises:
        OutputError: nothing can be written there, or it would overwrite the run or its source.
    """
    for read in (INFO_FILE, TRACKS_FILE, VIDEO_FILE):
        refuse_to_overwrite(path, run.path / read)
    refuse_to_overwrite(path, run.source)
    part = part_file(path)
    try:
        yield part
        moved_into_place(part, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to write in, which gets the name `path` when the block ends well and else is gone.

    Raises:
        OutputError: something is there already that is no empty folder, or nothing can be written there.
    """
    place = path.resolve()
    try:
        if place.is_dir() and any(place.iterdir()):
            raise OutputError(f"cannot write {path}: the folder is not empty; name a new one")
        if place.exists() and not place.is_dir():
            raise OutputError(f"cannot write {path}: it is a file; this export is a folder")
        part = place.with_name(f".som-{secrets.token_hex(6)}")
        part.mkdir()
        try:
            yield part
            if place.exists():
                place.rmdir()
            part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)  # where it got its name there is nothing left to remove
    except OSError as error:
        raise unwritable(path, error) from error
