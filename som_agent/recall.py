"""Frames of the past for questions: read from their source again, and marked as they were.

A session keeps few frames. Where the source can be read again, any frame that was looked at can be shown,
with the masks that the history has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from som_agent.history import VISIBLE, History
from som_agent.keyframes import Keyframe, Wanted, keyframes
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.placement import place
from som_agent.marks.style import MarkStyle
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.video import Frame

__all__ = ["Recall"]


@dataclass(frozen=True)
class Recall:
    """Draws frames of the past.

    Attributes:
        history: what was seen by now.
        frame: reads the source frame of a number and a time in seconds.
        style: how marks are drawn.
        max_marks: most marks that are drawn where it is not said which.
    """

    history: Callable[[], History]
    frame: Callable[[int, float], Frame]
    style: MarkStyle
    max_marks: int

    def pictures(self, frames: Sequence[int], wanted: Wanted) -> list[Keyframe]:
        """The marked pictures of source frames, see `som_agent.keyframes.Pictures`.

        Raises:
            InputError: the source is no longer what it was.
        """
        history = self.history()
        return keyframes([self._marked(history, index) for index in sorted(set(frames))], wanted)

    def _marked(self, history: History, index: int) -> MarkedFrame:
        time = float(history.times[np.searchsorted(history.frames, index)])
        frame = self.frame(index, time)
        infos, masks, scores = [], [], []
        for mark, trace in history.traces.items():
            for k in np.flatnonzero((trace.frames == index) & (trace.states == VISIBLE)):
                infos.append(history.marks[mark])
                masks.append(decode(trace.rles[k], history.mask_size))
                scores.append(trace.scores[k])
        w, h = history.mask_size
        regions = Regions.from_masks(np.array(masks, bool).reshape(len(masks), h, w))
        drawn = sorted(np.argsort(-regions.areas, kind="stable")[: self.max_marks].tolist())
        sizes = plate_sizes([infos[k].label for k in drawn], self.style, (w, h))
        placement = place(regions.select(drawn).visible(), sizes)
        return MarkedFrame(frame, infos, np.array(scores, np.float32), regions, drawn, placement, self.style)
