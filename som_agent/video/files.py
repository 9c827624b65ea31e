"""Video files: through decord where that is safe, else through PyAV.

decord decodes ahead of its reader without a limit: while a slow reader works on one frame, the rest of the
file is decoded into memory. So it gets only files that fit there whole; PyAV, nearly as fast, reads the
others, and also what decord refuses or gives up in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from som_agent.video.frame import Image
from som_agent.video.pyav import PyavReader

__all__ = ["FileReader"]

# Decoded frames of a file that decord may hold in memory, in bytes.
_READ_AHEAD_BYTES = 128 * 2**20

# Up to so many frames, decoding on is cheaper than jumping to the next keyframe and starting again.
_WORTH_A_JUMP = 32

# Where decord keeps to its own index. In MPEG transport streams it may begin at a wrong frame.
_TRUSTED_FORMATS = {"avi", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"}


class FileReader(PyavReader):
    """A video file. PyAV knows its times and its damage; decord decodes it if it is short."""

    def read(self, indices: range) -> Iterator[tuple[int, Image]]:
        """Decode with decord as far as it goes, and with PyAV from there on."""
        done = 0
        fits = len(self.times) * self.size[0] * self.size[1] * 3 <= _READ_AHEAD_BYTES
        # decord knows no limit of pixels, and a frame in the middle may be larger than the first one.
        suits = fits and self.max_pixels is None and self.form in _TRUSTED_FORMATS
        reader = _decord(self.path) if indices and suits else None
        if reader is not None and self._agrees(reader):
            for number, image in _decode(reader, indices):
                if image.shape != (self.size[1], self.size[0], 3):  # wrong for widths below 64
                    break
                yield number, image
                done += 1
        del reader
        yield from super().read(indices[done:])

    def _agrees(self, reader: Any) -> bool:
        """Whether decord counts the same frames at the same times.

        It does not for trimmed files, whose hidden frames it counts, nor where times are missing.
        """
        if len(reader) != len(self.times):
            return False
        times = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        # decord keeps times as 32-bit floats.
        return bool(np.allclose(times - times[0], self.times, rtol=1e-6, atol=1e-3))


def _decord(path: Path) -> Any:
    """The decord reader of a file, None where there is none."""
    try:
        import decord
    except ImportError:  # no wheels for this machine
        return None
    decord.logging.set_level(decord.logging.QUIET)
    try:
        # One thread: a second one gains up to a quarter on two cores, and costs memory that grows.
        # The tolerance: give up rather than repeat a frame in place of one that was lost.
        return decord.VideoReader(str(path), num_threads=1, fault_tol=1e-9)
    except (decord.DECORDError, RuntimeError, AssertionError):
        return None  # PyAV opened it: it reads what can be read, and says what cannot


def _decode(reader: Any, indices: range) -> Iterator[tuple[int, Image]]:
    """The frames of these numbers, up to the first that decord cannot deliver."""
    import decord

    position = 0
    for number in indices:
        try:
            if number - position > _WORTH_A_JUMP:
                reader.seek_accurate(number)
            elif number > position:
                reader.skip_frames(number - position)
            image: Image = reader.next().asnumpy()
        except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, StopIteration):
            return
        position = number + 1
        yield number, image
