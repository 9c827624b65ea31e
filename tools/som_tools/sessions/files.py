"""A stored video that stays the one that was checked: what lies under its name may change at any time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from som_agent.errors import InputError
from som_agent.keyframes import Pictures
from som_agent.recall import Recall
from som_agent.session import Session
from som_agent.video import Frame, VideoSource, open_video, picture_files
from som_agent.video.again import frame_again
from som_tools.roots import is_inside

__all__ = ["CheckedFile"]

_Id = tuple[int, int]


@dataclass(frozen=True)
class CheckedFile:
    """A file or a folder of pictures that may be opened.

    Every frame is handed out only if the file that it was read from is still the one that was checked, by
    device and inode. So a name that was turned into a link after the check gives no frame. What this cannot
    see: a name that was changed and changed back between two looks, and a file rewritten in its place.

    Attributes:
        name: what the caller named.
        path: what it stands for, absolute and free of links.
        ids: device and inode of the file, or of the folder's pictures in their order.
        version: changes when a file's size or time does, or the folder's list of pictures.
        max_pixels: of a frame.
    """

    name: str
    path: Path
    ids: tuple[_Id, ...]
    version: int
    max_pixels: int

    @classmethod
    def of(cls, name: str, path: Path, roots: Sequence[Path], max_pixels: int) -> CheckedFile:
        """Remember what a path from `Access.source` is now.

        Raises:
            InputError: it went away, or leads out of the roots by now.
        """
        files = _files(path)
        states = [_state(file, name) for file in files]
        # Links are looked for after that: one put there before is seen, one put there later gives no frame.
        if path.resolve() != path or not all(is_inside(file.resolve(), roots) for file in files):
            raise InputError(f"{name!r} turned into a link while it was opened")
        ids = tuple((state.st_dev, state.st_ino) for state in states)
        version = hash(tuple((state.st_size, state.st_mtime_ns) for state in states))
        return cls(name, path, ids, version, max_pixels)

    def open(
        self, start_s: float | None = None, end_s: float | None = None, *, every: int = 1
    ) -> VideoSource:
        """Open it; see `som_agent.video.open_video`.

        Raises:
            InputError: it cannot be read, has too many pixels, or is not what it was.
        """
        source = open_video(self.path, start=start_s, end=end_s, every=every, max_pixels=self.max_pixels)
        files = _files(self.path)
        if len(files) != len(self.ids):
            raise self._changed()
        checked = _Checked(source, self, files)
        for k in range(len(files)):
            checked.check(k)
        return checked

    def pictures(self, session: Session) -> Pictures:
        """Draws any frame that a session saw: it is read again, if the file is still the same."""

        def read(index: int, time_s: float) -> Frame:
            frame = frame_again(self.path, index, time_s, max_pixels=self.max_pixels)
            files = _files(self.path)
            self.check(files, index)
            return frame

        settings = session.settings
        return Recall(lambda: session.history, read, settings.style, settings.max_marks).pictures

    def check(self, files: list[Path], index: int) -> None:
        """Is the file that a frame was read from still the one that was checked?

        Raises:
            InputError: it is not.
        """
        k = index if self.path.is_dir() else 0
        if k >= len(files) or len(files) != len(self.ids):
            raise self._changed()
        state = _state(files[k], self.name)
        if (state.st_dev, state.st_ino) != self.ids[k]:
            raise self._changed()

    def _changed(self) -> InputError:
        return InputError(f"{self.name!r} is not the file any more that was opened: open it again")


class _Checked(VideoSource):
    """The frames of a file, each checked before it is handed out."""

    def __init__(self, video: VideoSource, file: CheckedFile, files: list[Path]) -> None:
        self.name, self.size, self.fps = video.name, video.size, video.fps
        self.frame_count, self.duration, self.is_live = video.frame_count, video.duration, video.is_live
        self._video, self._file, self._files = video, file, files

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._video:
            self.check(frame.index)
            yield frame
        self.problem = self._video.problem

    def check(self, index: int) -> None:
        self._file.check(self._files, index)

    def close(self) -> None:
        self._video.close()


def _files(path: Path) -> list[Path]:
    return picture_files(path) if path.is_dir() else [path]


def _state(path: Path, name: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise InputError(f"{name!r} cannot be looked up: {error.strerror}") from error
