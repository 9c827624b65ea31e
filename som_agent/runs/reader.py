"""Reading a run back: its history, and its frames for questions that need pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from som_agent.errors import InputError, SomError, first_line
from som_agent.history import STATES, History, MarkInfo, Observation, Trace, traces
from som_agent.keyframes import Pictures
from som_agent.marks.style import MarkStyle
from som_agent.recall import Recall
from som_agent.runs.schema import INFO_FILE, TRACKS_FILE, tracks_schema, with_hiders
from som_agent.video import Frame
from som_agent.video.again import frame_again
from som_agent.video.kinds import check_regular

__all__ = ["Run", "is_run", "read_run"]

T = TypeVar("T")

# What the fields of a damaged file make of the code that takes them as they should be.
_SENSELESS = (TypeError, ValueError, IndexError, AttributeError, OverflowError, SomError)


def is_run(path: str | Path) -> bool:
    """Whether a folder holds a run; an empty name is no folder."""
    # os.path: Path.is_file raises where a name is too long.
    return path != "" and os.path.isfile(Path(path) / INFO_FILE)


def read_run(path: str | Path) -> Run:
    """Read a run's mark table and tracks.

    Raises:
        InputError: the folder lacks a file of a run, or one of them is damaged.
    """
    folder = Path(path)
    try:
        if path == "":
            raise InputError("its name is empty")
        info = _read_info(folder / INFO_FILE)
        settings = _field(info, "settings", dict)
        history = History(
            size=_field(info, "size", _size),
            frames=_field(info, "frames", lambda frames: np.array(frames, np.int32)),
            times=_field(info, "times", lambda times: np.array(times, np.float64)),
            # Runs of before did not measure it.
            sharpness=_field({"sharpness": [], **info}, "sharpness", lambda row: np.array(row, np.float32)),
            marks=_field(info, "marks", lambda rows: {row["mark"]: _mark(row) for row in rows}),
            traces=_read_tracks(folder / TRACKS_FILE),
            segmenter=_field(info, "segmenter", _text),
        )
        if info.get("in_repair"):  # cut short in `som_agent.runs.store`: marks without a row are none
            history.marks = {mark: row for mark, row in history.marks.items() if mark in history.traces}
        if history.marks.keys() != history.traces.keys():
            raise InputError(f"{INFO_FILE} and {TRACKS_FILE} name different marks")
        return Run(
            path=folder,
            info=info,
            source=_field(info, "source", _text),
            fps=_field(info, "fps", lambda fps: None if fps is None else float(fps)),
            history=history,
            style=_field(settings, "style", _style),
            max_marks=_field(settings, "max_marks", int),
        )
    except InputError as error:
        raise InputError(f"{path} is not a readable run: {error}") from error


@dataclass(frozen=True)
class Run:
    """A stored run.

    Attributes:
        path: its folder.
        info: the contents of `run.json`.
        source: what was tracked: a path or an address.
        fps: mean frames a second of the source, None if unknown.
        history: the mark table and what was seen.
        style: how its marks were drawn.
        max_marks: how many were drawn at once.
    """

    path: Path
    info: dict[str, Any]
    source: str
    fps: float | None
    history: History
    style: MarkStyle
    max_marks: int

    @property
    def pictures(self) -> Pictures:
        """Draws source frames with their marks, decoded from the run's source.

        It raises an InputError where the source is no longer what it was.
        """
        return Recall(lambda: self.history, self._frame, self.style, self.max_marks).pictures

    def _frame(self, index: int, time: float) -> Frame:
        return frame_again(self.source, index, time, self.fps)


def _read_info(file: Path) -> dict[str, Any]:
    check_regular(file)
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is not text in UTF-8") from error
    except ValueError as error:
        raise InputError(f"{file.name} is not JSON: {error}") from error
    if not isinstance(info, dict):
        raise InputError(f"{file.name} is not a JSON object")
    return info


def _read_tracks(file: Path) -> dict[int, Trace]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_regular(file)
    if not file.exists():
        raise InputError(f"{file.name} is missing")
    try:
        table = with_hiders(pq.read_table(file))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file.name} cannot be read: {first_line(error)}") from error
    lacking = [repr(name) for name in tracks_schema().names if name not in table.column_names]
    if lacking:
        raise InputError(f"{file.name} lacks {', '.join(lacking)}")
    try:
        return traces(_observations(table))
    except _SENSELESS as error:
        raise InputError(f"the rows of {file.name} make no sense") from error


def _field(values: dict[str, Any], name: str, parse: Callable[[Any], T]) -> T:
    """A field of `run.json`; what is wrong with it is said in words."""
    try:
        value = values[name]
    except KeyError as error:
        raise InputError(f"{INFO_FILE} lacks {name!r}") from error
    try:
        return parse(value)
    except KeyError as error:
        raise InputError(f"{name!r} of {INFO_FILE} lacks {error}") from error
    except _SENSELESS as error:
        shown = json.dumps(value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise InputError(f"{name!r} of {INFO_FILE} makes no sense: {shown}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _size(value: Any) -> tuple[int, int]:
    w, h = value
    return int(w), int(h)


def _style(fields: dict[str, Any]) -> MarkStyle:
    return MarkStyle(**{**fields, "draw": tuple(fields["draw"])})


def _mark(row: dict[str, Any]) -> MarkInfo:
    r, g, b = row["color"]
    parent, made_of = row.get("parent"), row.get("made_of")  # runs of before had neither
    return MarkInfo(
        row["mark"],
        row["label"],
        (r, g, b),
        None if parent is None else int(parent),
        None if made_of is None else _text(made_of),
    )


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
                hidden_by=row["hidden_by"],
            )
