"""What tools write: under one folder, in so many megabytes, and through no link."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from som_agent.errors import OutputError

__all__ = ["Outputs", "safe_name"]

_MB = 1_000_000
_DIR_FDS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
LONGEST_NAME = 80
"""Characters of a file name."""


def safe_name(name: str) -> str:
    """A name of letters, digits, dots, dashes and underscores: no path, no hidden file, not too long.

    Whatever else a model put there becomes "_".
    """
    tidy = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".-")
    if len(tidy) > LONGEST_NAME:
        tidy = tidy[: LONGEST_NAME - 20] + tidy[-20:]  # the ending says what it is
    return tidy or "_"


class Outputs:
    """The folder under which all files of a store are written.

    Files that are there already count: the folder never holds more than `most_mb` by what is written here.
    Folders are opened one by one without following links, so that a link that somebody puts in their place
    leads nowhere (on Windows, which cannot do that, links are looked for beforehand).

    Args:
        root: the folder, made when something is written; None for a new one among the temporary files.
        most_mb: megabytes.
    """

    def __init__(self, root: Path | None, most_mb: int) -> None:
        self._given, self.most_mb = root, most_mb
        self._root: Path | None = None
        self._used: int | None = None
        self._lock = Lock()

    @property
    def root(self) -> Path:
        """The folder itself, absolute and free of links.

        Raises:
            OutputError: it cannot be made.
        """
        with self._lock:
            if self._root is None:
                try:
                    if self._given is not None:
                        self._given.mkdir(parents=True, exist_ok=True)
                    self._root = (self._given or Path(mkdtemp(prefix="som-tools-"))).resolve(strict=True)
                except OSError as error:
                    raise OutputError(f"cannot write to {self._given}: {error.strerror}") from error
            return self._root

    def folder(self, name: str) -> Path:
        """A new folder for the files of one result.

        Raises:
            OutputError: it cannot be made, or the megabytes are used up.
        """
        root = self.root
        self._reserve(0, anew=True)
        try:
            return Path(mkdtemp(prefix=f"{safe_name(name)}-", dir=root))
        except OSError as error:
            raise OutputError(f"cannot write to {root}: {error.strerror}") from error

    def write(self, folder: Path, name: str, data: bytes) -> Path:
        """Write a file; it appears under its name only when it is whole.

        Args:
            folder: from `folder`, or one below it.
            name: of the file, one that `safe_name` would not change.
            data: all of it.

        Raises:
            OutputError: the name is not safe, the folder is elsewhere or behind a link, no megabytes are
                left, or the disk fails.
        """
        if name != safe_name(name):
            raise OutputError(f"{name!r} is no plain file name: {safe_name(name)!r} would be one")
        path = folder / name
        self._steps_to(path)
        self._reserve(len(data))
        try:
            self._write(path, data)
        except OSError as error:
            self._reserve(0, anew=True)
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        return path

    def check(self, path: Path) -> None:
        """Where a library writes a file by itself: is it under the folder, free of links, and is there room?

        Raises:
            OutputError: one of these is not so.
        """
        self._steps_to(path)
        if path.resolve().parent != path.parent or path.is_symlink():
            raise OutputError(f"{path} leads through a link: nothing is written there")
        self._reserve(0, anew=True)

    @property
    def used_mb(self) -> float:
        """Megabytes of all files under the folder now."""
        return _size(self.root) / _MB

    def _reserve(self, size: int, *, anew: bool = False) -> None:
        root = self.root
        with self._lock:
            if self._used is None or anew:
                self._used = _size(root)
            if self._used + size > self.most_mb * _MB or (not size and self._used >= self.most_mb * _MB):
                raise OutputError(
                    f"{self._used / _MB:.1f} MB are written and {size / _MB:.1f} more are wanted: "
                    f"at most {self.most_mb} MB are allowed in {root}"
                )
            self._used += size

    def _steps_to(self, path: Path) -> tuple[str, ...]:
        """The folders from the root to a file, by name."""
        root = self.root
        if not path.is_relative_to(root) or ".." in path.parts or path == root:
            raise OutputError(f"{path} is not under {root}, where files are written")
        return path.relative_to(root).parts[:-1]

    def _write(self, path: Path, data: bytes) -> None:
        steps = self._steps_to(path)
        part = f".som-{secrets.token_hex(6)}"
        if not _DIR_FDS:
            self.check(path)
            path.with_name(part).write_bytes(data)
            os.replace(path.with_name(part), path)
            return
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for step in steps:
                inner = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder)
            try:
                with os.fdopen(file, "wb") as stream:
                    stream.write(data)
                os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(part, dir_fd=folder)
                raise
        finally:
            os.close(folder)


def _size(folder: Path) -> int:
    """Bytes of all files in a folder and below; links are not followed."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _size(Path(entry.path))
            else:
                total += entry.stat(follow_symlinks=False).st_size
    return total
