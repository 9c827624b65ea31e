"""Writing a run as its frames come."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from som_agent.errors import OutputError
from som_agent.history import STATES, VISIBLE, MarkInfo, Observation
from som_agent.marks.marked import MarkedFrame
from som_agent.runs.schema import INFO_FILE, TRACKS_FILE, VIDEO_FILE, tracks_schema
from som_agent.settings import Settings
from som_agent.video import VideoWriter
from som_agent.video.output import moved_into_place, part_file, refuse_to_overwrite, unwritable
from som_kernels import encode_rle

__all__ = ["RunWriter"]

ROWS_A_GROUP = 20_000
PACKAGES = ("som-agent", "torch", "numpy", "opencv-python", "higra", "decord", "av")


@dataclass
class _Life:
    """A row of the mark table in `run.json`."""

    label: str
    color: tuple[int, int, int]
    first_time: float
    last_time: float
    frames: int = 0
    parent: int | None = None
    made_of: str | None = None


@dataclass
class RunWriter:
    """Writes one run; no file appears under its name before it is whole.

    As a context manager it finishes the run on success and on Ctrl-C (what was done is kept and `run.json`
    says so; the exception's note too), and takes back what it wrote on any other exception.

    Args:
        path: the run's folder; it is made if missing.
        source: what the user named as input.
        size: width and height of the source.
        fps: mean frames a second of the source, None if unknown.
        segmenter: its name.
        settings: the session's.
        cut: start, end and step of the frames taken.

    Raises:
        OutputError: the folder cannot be made or written in, or the run would overwrite its own source.
    """

    path: Path
    source: str
    size: tuple[int, int]
    fps: float | None
    segmenter: str
    settings: Settings
    cut: dict[str, float | int | None] = field(default_factory=dict)
    ended: str = "complete"
    """How the run came to its end, for `run.json`: one line, "complete" unless it is set otherwise."""

    def __post_init__(self) -> None:
        import pyarrow.parquet as pq

        for name in (VIDEO_FILE, TRACKS_FILE, INFO_FILE):
            refuse_to_overwrite(self.path / name, self.source)
        self._schema = tracks_schema()
        with ExitStack() as leftovers:  # what must not stay behind, whichever step fails
            for folder in _make_folders(self.path):
                leftovers.callback(_remove_if_empty, folder)
            self._video = VideoWriter(self.path / VIDEO_FILE, self.size, self.fps)
            leftovers.callback(self._video.abort)
            self._tracks_part = part_file(self.path / TRACKS_FILE)
            leftovers.callback(self._tracks_part.unlink, missing_ok=True)
            self._info_part = part_file(self.path / INFO_FILE)
            leftovers.callback(self._info_part.unlink, missing_ok=True)
            with self._writing():
                self._tracks = pq.ParquetWriter(self._tracks_part, self._schema, compression="zstd")
            leftovers.callback(self._abandon_tracks)
            self._leftovers = leftovers.pop_all()
        self._rows: list[Observation] = []
        self._lives: dict[int, _Life] = {}
        self._frames: list[int] = []
        self._times: list[float] = []
        self._sharpness: list[float] = []

    def add(self, marked: MarkedFrame, observations: Sequence[Observation]) -> None:
        """Write the next frame: its picture, and what was seen of every mark in it.

        Raises:
            OutputError: the disk is full, for example.
        """
        regions = marked.source_regions
        rows = {info.mark: k for k, info in enumerate(marked.infos)}
        rles = encode_rle(regions.packed())
        seen = []
        for observation in observations:
            if observation.state != VISIBLE:
                # A mark that was made since the last frame and hides in this one comes in when it is seen.
                if observation.mark in self._lives:
                    seen.append(observation)
                continue
            k = rows[observation.mark]
            x0, y0, x1, y1 = (int(v) for v in regions.boxes[k])
            area = int(regions.areas[k])
            seen.append(replace(observation, box=(x0, y0, x1, y1), area=area, rle=rles[k]))
        self._video.write(marked.image, marked.time)
        # Only now: a frame that Ctrl-C cut short is in none of the tables.
        for info in marked.infos:
            self._live(info, marked.time)
        self._rows += seen
        self._frames.append(marked.index)
        self._times.append(marked.time)
        self._sharpness.append(marked.sharpness)
        if len(self._rows) >= ROWS_A_GROUP:
            with self._writing():
                self._flush()

    def close(self) -> None:
        """Finish the files and give them their names, `run.json` last. Ctrl-C waits until that is done.

        Raises:
            OutputError: the disk is full, for example.
        """
        with _no_interrupt(), self._leftovers, self._writing():
            self._flush()
            self._tracks.close()
            self._info_part.write_text(json.dumps(self._info(), indent=1) + "\n", encoding="utf-8")
            self._video.close()
            moved_into_place(self._tracks_part, self.path / TRACKS_FILE)
            moved_into_place(self._info_part, self.path / INFO_FILE)

    def abort(self) -> None:
        """Take back what was written."""
        with _no_interrupt():
            self._leftovers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.ended = f"interrupted after frame {self._frames[-1] if self._frames else 'none'}"
        if (kind is None or issubclass(kind, KeyboardInterrupt)) and self._frames:
            self.close()
        else:
            self.abort()
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"{self.path}: {self.ended if self._frames else 'nothing was kept'}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _abandon_tracks(self) -> None:
        with suppress(OSError):  # they are thrown away: that their end could not be written either is no news
            self._tracks.close()

    def _live(self, info: MarkInfo, time: float) -> None:
        first = _Life(info.label, info.color, time, time, parent=info.parent, made_of=info.made_of)
        life = self._lives.setdefault(info.mark, first)
        life.last_time = time
        life.frames += 1

    def _flush(self) -> None:
        import pyarrow as pa

        rows, self._rows = self._rows, []
        boxes = np.array([row.box for row in rows], np.float32).reshape(-1, 4)
        anchors = np.array([row.anchor for row in rows], np.float32).reshape(-1, 2)
        columns: dict[str, Any] = {
            "mark": [row.mark for row in rows],
            "frame": [row.frame for row in rows],
            "time": [row.time for row in rows],
            "state": [STATES[row.state] for row in rows],
            **{name: boxes[:, k] for k, name in enumerate(("x0", "y0", "x1", "y1"))},
            "area": [row.area for row in rows],
            "anchor_x": anchors[:, 0],
            "anchor_y": anchors[:, 1],
            "score": np.array([row.score for row in rows], np.float32),
            "rle": [row.rle for row in rows],
            "colors": [list(row.colors) for row in rows],
            "hidden_by": [row.hidden_by for row in rows],
        }
        self._tracks.write_table(pa.table(columns, schema=self._schema))

    def _info(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "fps": self.fps,
            "size": list(self.size),
            "cut": self.cut,
            "frames": self._frames,
            "times": [round(time, 6) for time in self._times],
            "sharpness": [round(value, 2) for value in self._sharpness],
            "ended": self.ended,
            "segmenter": self.segmenter,
            "settings": asdict(self.settings),
            "marks": [{"mark": mark, **asdict(life)} for mark, life in sorted(self._lives.items())],
            "versions": {name: _version(name) for name in PACKAGES},
        }


def _make_folders(path: Path) -> list[Path]:
    """Make a folder and what is missing above it; those that were made, the outermost first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        for folder in missing:
            with suppress(OSError):  # it was not made
                folder.rmdir()
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return missing[::-1]


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ignore Ctrl-C for a moment; only the main thread gets it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
