"""Reading a run back: its history, and its frames for questions that need pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from som_agent.errors import InputError, SomError
from som_agent.history import STATES, VISIBLE, History, MarkInfo, Observation, traces
from som_agent.keyframes import Keyframe, keyframe
from som_agent.marks.glyphs import plate_sizes
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.placement import place
from som_agent.marks.style import MarkStyle
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.runs.schema import INFO_FILE, TRACKS_FILE
from som_agent.video import Frame, open_video

__all__ = ["Run", "is_run", "read_run"]


def is_run(path: str | Path) -> bool:
    """Whether a folder holds a run."""
    return os.path.isfile(Path(path) / INFO_FILE)  # Path.is_file raises where a name is too long


def read_run(path: str | Path) -> Run:
    """Read a run's mark table and tracks.

    Raises:
        InputError: the folder lacks a file of a run, or one of them is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(path)
    try:
        info = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
        table = pq.read_table(folder / TRACKS_FILE)
        history = History(
            size=(int(info["size"][0]), int(info["size"][1])),
            frames=np.array(info["frames"], np.int32),
            times=np.array(info["times"], np.float64),
            marks={row["mark"]: _mark(row) for row in info["marks"]},
            traces=traces(_observations(table)),
            segmenter=info["segmenter"],
        )
        if history.marks.keys() != history.traces.keys():
            raise ValueError(f"{INFO_FILE} and {TRACKS_FILE} name different marks")
        return Run(
            path=folder,
            info=info,
            history=history,
            style=_style(info["settings"]["style"]),
            max_marks=int(info["settings"]["max_marks"]),
        )
    except (SomError, OSError, pa.ArrowException, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path} is not a readable run ({type(error).__name__}: {error})") from error


@dataclass(frozen=True)
class Run:
    """A stored run.

    Attributes:
        path: its folder.
        info: the contents of `run.json`.
        history: the mark table and what was seen.
        style: how its marks were drawn.
        max_marks: how many were drawn at once.
    """

    path: Path
    info: dict[str, Any]
    history: History
    style: MarkStyle
    max_marks: int

    def pictures(self, frames: Sequence[int]) -> list[Keyframe]:
        """The marked pictures of source frames, decoded from the run's source and drawn anew.

        Raises:
            InputError: the source is no longer where it was.
        """
        return [keyframe(marked) for marked in self._marked(sorted(set(frames)))]

    def _marked(self, frames: Sequence[int]) -> Iterator[MarkedFrame]:
        for index in frames:
            frame = self._frame(index)
            infos, masks, scores = [], [], []
            for mark, trace in self.history.traces.items():
                for k in np.flatnonzero((trace.frames == index) & (trace.states == VISIBLE)):
                    infos.append(self.history.marks[mark])
                    masks.append(decode(trace.rles[k], self.history.size))
                    scores.append(trace.scores[k])
            w, h = self.history.size
            regions = Regions.from_masks(np.array(masks, bool).reshape(len(masks), h, w))
            drawn = sorted(np.argsort(-regions.areas, kind="stable")[: self.max_marks].tolist())
            sizes = plate_sizes([infos[k].label for k in drawn], self.style, (w, h))
            placement = place(regions.select(drawn).visible(), sizes)
            yield MarkedFrame(
                frame, infos, np.array(scores, np.float32), regions, drawn, placement, self.style
            )

    def _frame(self, index: int) -> Frame:
        time = float(self.history.times[np.searchsorted(self.history.frames, index)])
        source = self.info["source"]
        # A folder of pictures has no clock of its own: the run's rate gives its frames the same times.
        fps = self.info["fps"] if Path(source).is_dir() else None
        with open_video(source, start=max(time - 1e-3, 0), end=time + 1e-3, fps=fps) as video:
            for frame in video:
                if frame.index == index:
                    return frame
        raise InputError(
            f"frame {index} of {source} is no longer there: the source of {self.path} was changed"
        )


def _style(fields: dict[str, Any]) -> MarkStyle:
    return MarkStyle(**{**fields, "draw": tuple(fields["draw"])})


def _mark(row: dict[str, Any]) -> MarkInfo:
    r, g, b = row["color"]
    return MarkInfo(row["mark"], row["label"], (r, g, b))


def _observations(table: Any) -> Iterator[Observation]:
    for batch in table.to_batches():
        for row in batch.to_pylist():
            yield Observation(
                mark=row["mark"],
                frame=row["frame"],
                time=row["time"],
                state=STATES.index(row["state"]),
                box=(row["x0"], row["y0"], row["x1"], row["y1"]),
                area=row["area"],
                anchor=(row["anchor_x"], row["anchor_y"]),
                score=row["score"],
                colors=bytes(row["colors"]),
                rle=row["rle"],
            )
