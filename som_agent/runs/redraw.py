"""Drawing the marked video of a run anew, from its source and its tables."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from som_agent.errors import InputError
from som_agent.history import VISIBLE
from som_agent.marks.algebra import united
from som_agent.marks.book import CHALLENGE
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.steady import SteadyPlacer
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.runs.reader import Run
from som_agent.runs.schema import VIDEO_FILE
from som_agent.video import Frame, VideoWriter, open_video

__all__ = ["redraw"]


def redraw(run: Run) -> str | None:
    """Write `marked.mp4` anew; an older one stays until the new one is whole.

    Returns:
        None where that is done, or why it cannot be, in a few words: the source is gone or was changed.

    Raises:
        OutputError: the disk is full, for example.
    """
    if not os.path.exists(run.source):
        return f"its source {run.source} is not there"
    times = dict(zip(run.history.frames.tolist(), run.history.times.tolist(), strict=True))
    artist = _Artist(run)
    try:
        with VideoWriter(run.path / VIDEO_FILE, run.history.size, run.fps) as writer:
            for frame in _frames(run, set(times)):
                writer.write(artist.marked(frame).image, times[frame.index])
    except InputError as error:
        return str(error)
    return None


def _frames(run: Run, wanted: set[int]) -> Iterator[Frame]:
    """The frames of the run, all of them."""
    cut = run.info.get("cut") or {}
    fps = run.fps if os.path.isdir(run.source) else None
    every = int(cut.get("every") or 1)
    left = set(wanted)
    with open_video(run.source, start=cut.get("start"), end=cut.get("end"), every=every, fps=fps) as video:
        if video.size != run.history.size:
            raise InputError(f"its source {run.source} was changed: it has another size")
        for frame in video:
            if frame.index in left:
                left.remove(frame.index)
                yield frame
            if not left:
                return
    raise InputError(f"its source {run.source} was changed: frame {min(left)} is not there")


class _Artist:
    """Draws frame after frame; marks move as little as in the video that was recorded."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._placer = SteadyPlacer(run.style)
        self._drawn: set[int] = set()
        self._rows: dict[int, list[tuple[int, int]]] = {}  # frame → marks and their rows
        for mark, trace in run.history.traces.items():
            for k in np.flatnonzero(trace.states == VISIBLE).tolist():
                self._rows.setdefault(int(trace.frames[k]), []).append((mark, k))

    def marked(self, frame: Frame) -> MarkedFrame:
        run, (w, h) = self._run, self._run.history.size
        rows = sorted(self._rows.get(frame.index, []))
        traces = [(run.history.traces[mark], k) for mark, k in rows]
        masks = [decode(trace.rles[k], (w, h)) for trace, k in traces]
        regions = Regions.from_masks(np.array(masks, bool).reshape(len(masks), h, w))
        infos = [run.history.marks[mark] for mark, _ in rows]
        covered = united(infos)
        weights = [
            area * (CHALLENGE if info.mark in self._drawn else 1.0)
            for area, info in zip(regions.areas.tolist(), infos, strict=True)
        ]
        free = [k for k, info in enumerate(infos) if info.label not in covered]
        drawn = sorted(sorted(free, key=lambda k: (-weights[k], k))[: run.max_marks])
        self._drawn = {infos[k].mark for k in drawn}
        shown = regions.select(drawn)
        centers = np.array([_center(masks[k]) for k in drawn], np.float32).reshape(-1, 2)
        placement = self._placer.place([infos[k] for k in drawn], shown, centers, (w, h))
        scores = np.array([trace.scores[k] for trace, k in traces], np.float32)
        return MarkedFrame(frame, infos, scores, regions, drawn, placement, run.style)


def _center(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.mean()), float(ys.mean())
