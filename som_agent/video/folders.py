"""A folder of pictures as a video."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from som_agent.errors import InputError
from som_agent.video.frame import Image
from som_agent.video.kinds import PICTURE_SUFFIXES, is_picture
from som_agent.video.pictures import check_pixels, picture_size, read_image
from som_agent.video.readers import Reader, UnreadableError

__all__ = ["FolderReader", "natural_order", "picture_files"]

FOLDER_FPS = 24.0
"""Frames a second of a folder when the user gives none: pictures have no clock."""


def picture_files(folder: Path) -> list[Path]:
    """The pictures right in a folder, by name with numbers in numeric order; hidden ones left out.

    Raises:
        InputError: the folder cannot be listed or has none.
    """
    try:
        files = [f for f in folder.iterdir() if is_picture(f) and not f.name.startswith(".") and f.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    if not files:
        raise InputError(f"{folder} has no pictures (files ending in {', '.join(sorted(PICTURE_SUFFIXES))})")
    return sorted(files, key=natural_order)


class FolderReader(Reader):
    """The pictures of a folder in name order, all of one size."""

    missing = ""

    def __init__(self, folder: Path, fps: float | None, max_pixels: int | None = None) -> None:
        self.fps = FOLDER_FPS if fps is None else fps
        self._files = picture_files(folder)
        count = len(self._files)
        self.expected = count
        self.times = np.arange(count) / self.fps
        self.duration = count / self.fps
        # All headers now, so that a long run does not stop in the middle for a stray picture.
        self.size = picture_size(self._files[0])
        if max_pixels is not None:  # the others have the same size
            check_pixels(self._files[0], self.size, max_pixels)
        for file in self._files:
            size = picture_size(file)
            if size != self.size:
                w, h = self.size
                raise InputError(
                    f"{file} is {size[0]}x{size[1]} pixels, but {self._files[0].name} is {w}x{h}: "
                    "the pictures of a folder must have one size"
                )

    def read(self, indices: range) -> Iterator[tuple[int, Image]]:
        """The pictures of these numbers."""
        for i in indices:
            try:
                image = read_image(self._files[i])
            except InputError as error:
                raise UnreadableError(f"is damaged in {self._files[i].name}", after=i - 1) from error
            yield i, image

    def stem(self, index: int) -> str:
        """Name of the picture without its ending."""
        return self._files[index].stem


def natural_order(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key of a file: frame2 before frame10; the whole name decides between 01 and 1."""
    parts = re.findall(r"(\d+)|(\D+)", file.stem)
    return [(0, int(d), "") if d else (1, 0, t.lower()) for d, t in parts], file.name
