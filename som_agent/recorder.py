"""The memory of a session: observations as they come, bounded, and read back as a `History`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet

import numpy as np

from som_agent.history import GONE, History, MarkInfo, Observation, traces

__all__ = ["Recorder"]


_FrameRows = tuple[int, float, list[Observation], float]
"""Number of a frame, its time, what was seen in it, and how sharp it is."""


class Recorder:
    """Keeps what was seen, at most `max_rows` observations; three frames are kept whatever they hold.

    The newest frames are all kept, of those before them every `stride`-th one. When there are too many, the
    stride doubles: the past becomes coarser, but evenly so and without a hole.
    """

    def __init__(self, max_rows: int = 100_000) -> None:
        self.max_rows = max_rows
        self._past: list[_FrameRows] = []  # every stride-th frame from the first one on
        self._recent: list[_FrameRows] = []  # every frame since
        self._stride = 1
        self._added = 0
        self._count: Counter[int] = Counter()

    def add(self, frame: int, time: float, observations: list[Observation], sharpness: float = 0.0) -> None:
        """Take in what was seen of every mark in one frame, and how sharp it is."""
        self._recent.append((frame, time, observations, sharpness))
        self._added += 1
        self._count.update(row.mark for row in observations)
        self._trim()

    def renew(self, observations: list[Observation]) -> None:
        """Take in what is seen of every mark in the newest frame now: it has new marks.

        What was given up in it is not described again and stays as it was told.
        """
        frame, time, before, sharpness = self._recent[-1]
        rows = [*observations, *(row for row in before if row.state == GONE)]
        self._recent[-1] = (frame, time, rows, sharpness)
        self._count.update(row.mark for row in rows)
        self._count.subtract(row.mark for row in before)
        self._count = +self._count
        self._trim()

    def _trim(self) -> None:
        """Let the past become sparser until there is room."""
        while self._count.total() > self.max_rows and len(self._past) + len(self._recent) > 3:
            if len(self._past) >= len(self._recent):
                forgotten, self._past = self._past[1::2], self._past[::2]
                self._stride *= 2
            else:
                forgotten = self._age()
            self._count.subtract(row.mark for _, _, rows, _ in forgotten for row in rows)
            self._count = +self._count

    def _age(self) -> list[_FrameRows]:
        """Let the older half of the recent frames become past; those that are forgotten."""
        first = self._added - len(self._recent)
        half = len(self._recent) // 2
        leaving, self._recent = self._recent[:half], self._recent[half:]
        stays = slice(-first % self._stride, None, self._stride)
        self._past += leaving[stays]
        del leaving[stays]
        return leaving

    @property
    def newest(self) -> list[Observation]:
        """What was seen in the newest frame."""
        return self._recent[-1][2] if self._recent else []

    def frames(self) -> list[tuple[int, float, list[Observation]]]:
        """Number, time and observations of the remembered frames, in time order."""
        return [(frame, time, rows) for frame, time, rows, _ in (*self._past, *self._recent)]

    @property
    def remembered(self) -> AbstractSet[int]:
        """The marks that some remembered frame still speaks of."""
        return self._count.keys()

    def history(
        self,
        table: dict[int, MarkInfo],
        *,
        size: tuple[int, int],
        mask_size: tuple[int, int],
        segmenter: str,
    ) -> History:
        """Everything remembered; marks of the table of which nothing is remembered are left out."""
        remembered = [*self._past, *self._recent]
        found = traces(row for _, _, rows, _ in remembered for row in rows)
        return History(
            size=size,
            mask_size=mask_size,
            frames=np.array([frame for frame, _, _, _ in remembered], np.int32),
            times=np.array([time for _, time, _, _ in remembered], np.float64),
            sharpness=np.array([sharpness for _, _, _, sharpness in remembered], np.float32),
            marks={mark: table[mark] for mark in found},
            traces=found,
            segmenter=segmenter,
        )
