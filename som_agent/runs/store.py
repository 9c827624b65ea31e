"""The files of a repaired run: the log of edits, the tables as they were recorded, and those of now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from som_agent.errors import InputError
from som_agent.history import STATES, VISIBLE
from som_agent.runs.edits import Edit, MarkRow, Tables, apply
from som_agent.runs.reader import read_run
from som_agent.runs.schema import INFO_FILE, TRACKS_FILE, with_hiders
from som_agent.video.output import moved_into_place, part_file, unwritable

__all__ = ["LOG_FILE", "ORIGINAL_INFO", "ORIGINAL_TRACKS", "Store"]

LOG_FILE = "edits.jsonl"
ORIGINAL_TRACKS = "tracks.original.parquet"
ORIGINAL_INFO = "run.original.json"

ROWS_A_GROUP = 20_000


@dataclass(frozen=True)
class Store:
    """The files of one run.

    Attributes:
        folder: the run's.
        info: `run.json` as the run was recorded.
        entries: the lines of the log.
    """

    folder: Path
    info: dict[str, Any]
    entries: list[dict[str, Any]]

    @classmethod
    def opened(cls, folder: Path) -> Store:
        """Read them, and complete a repair that was cut short.

        Raises:
            InputError: it is no readable run, or its log is damaged.
        """
        now = read_run(folder).info
        log, kept = folder / LOG_FILE, folder / ORIGINAL_INFO
        if not (log.exists() and kept.exists() and (folder / ORIGINAL_TRACKS).exists()):
            return cls(folder, now, [])
        store = cls(folder, _json(kept), _lines(log))
        if "repairs" in now:
            is_whole = now["repairs"]["lines"] == len(store.entries) and not now.get("in_repair")
        elif len(store.entries) > 1 or now != store.info or _is_newer(folder / INFO_FILE, log):
            return cls(folder, now, [])  # it was recorded anew: the log is of the run that was here before
        else:
            is_whole = False
        if not is_whole:
            store._install()
        return store

    @property
    def active(self) -> list[dict[str, Any]]:
        """The edits that were not undone."""
        undone = {entry["undo"] for entry in self.entries if "undo" in entry}
        return [entry for entry in self.entries if "did" in entry and entry["edit"] not in undone]

    @property
    def all_edits(self) -> list[Edit]:
        """Those that were undone included."""
        return [Edit.of_json(entry["did"]) for entry in self.entries if "did" in entry]

    @cached_property
    def original(self) -> Tables:
        """The tables as they were recorded."""
        import pyarrow.parquet as pq

        kept = self.folder / ORIGINAL_TRACKS
        w, h = self.info["size"]
        rows = with_hiders(pq.read_table(kept if self.entries else self.folder / TRACKS_FILE))
        marks = {row["mark"]: {k: v for k, v in row.items() if k != "mark"} for row in self.info["marks"]}
        return Tables(rows, marks, (w, h))

    def tables(self) -> Tables:
        """The tables with the edits."""
        tables = self.original
        for entry in self.active:
            tables, _ = apply(tables, Edit.of_json(entry["did"]))
        return tables

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        """Let these be the lines of the log, and the tables what they say.

        The order of the steps is what makes each of them leave a run that can be read.

        Raises:
            OutputError: the folder cannot be written.
        """
        try:
            if not self.entries:
                for name, copy in ((TRACKS_FILE, ORIGINAL_TRACKS), (INFO_FILE, ORIGINAL_INFO)):
                    part = part_file(self.folder / copy)
                    shutil.copyfile(self.folder / name, part)
                    moved_into_place(part, self.folder / copy)
            text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
            self._put(LOG_FILE, text)
            Store(self.folder, self.info, list(entries))._install()
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def say(self, key: str, text: str) -> None:
        """Put a word about the repairs into `run.json`."""
        now = _json(self.folder / INFO_FILE)
        now["repairs"][key] = text
        self._put(INFO_FILE, _text(now))

    def _install(self) -> None:
        """Make the tables those of the log.

        In between `run.json` lists the marks of before and after: `in_repair` tells the reader that those
        without a row are none.
        """
        import pyarrow.parquet as pq

        tables = self.tables()
        before = _json(self.folder / INFO_FILE)
        after = self._info(tables)
        both = {row["mark"]: row for row in [*before["marks"], *after["marks"]]}
        self._put(INFO_FILE, _text({**after, "marks": list(both.values()), "in_repair": True}))
        part = part_file(self.folder / TRACKS_FILE)
        if self.active:
            pq.write_table(tables.rows, part, compression="zstd", row_group_size=ROWS_A_GROUP)
        else:
            shutil.copyfile(self.folder / ORIGINAL_TRACKS, part)
        moved_into_place(part, self.folder / TRACKS_FILE)
        self._put(INFO_FILE, _text(after))

    def _info(self, tables: Tables) -> dict[str, Any]:
        """`run.json` for the tables."""
        given = {*self.original.marks, *(edit.other for edit in self.all_edits if edit.op == "split")}
        repairs = {
            "lines": len(self.entries),
            "edits": len(self.active),
            "retired": sorted(mark for mark in given if mark is not None and mark not in tables.marks),
            "video": "as it was before: it is not drawn anew yet",
        }
        numbers, times = tables.column("mark"), tables.column("time")
        visible = np.array([state == STATES[VISIBLE] for state in tables.rows["state"].to_pylist()], bool)
        marks = [
            {"mark": mark, **_lived(row, times[mine], times[mine & visible])}
            for mark, row in sorted(tables.marks.items())
            for mine in [numbers == mark]
        ]
        return {**self.info, "marks": marks if self.active else self.info["marks"], "repairs": repairs}

    def _put(self, name: str, text: str) -> None:
        part = part_file(self.folder / name)
        part.write_text(text, encoding="utf-8")
        moved_into_place(part, self.folder / name)


def _lived(row: MarkRow, times: Any, seen: Any) -> MarkRow:
    """A row of the mark table with when and how often its mark is seen."""
    of = seen if len(seen) else times
    return {**row, "first_time": float(of[0]), "last_time": float(of[-1]), "frames": len(seen)}


def _is_newer(file: Path, other: Path) -> bool:
    return file.stat().st_mtime_ns > other.stat().st_mtime_ns


def _text(info: dict[str, Any]) -> str:
    return json.dumps(info, indent=1) + "\n"


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{file} is not a JSON object")
    return value


def _lines(file: Path) -> list[dict[str, Any]]:
    entries = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            if "undo" not in entry:
                Edit.of_json(entry["did"])
            entries.append(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"line {number} of {file} makes no sense: {line[:60]}") from error
    return entries
