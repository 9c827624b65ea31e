"""What a repair does to the table of a run: marks merged, split, renamed, reassigned and deleted.

Everything here works on tables in memory; `som_agent.runs.repair` keeps them on disk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError
from som_agent.history import STATES, VISIBLE
from som_agent.runs.hiders import renamed_hider, with_hiders_of, without_lost_hiders
from som_agent.runs.unite import unite

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Counts", "Edit", "MarkRow", "Tables", "apply"]

MarkRow = dict[str, Any]
"""A row of the mark table in `run.json`."""

_NAME = re.compile(r"\w[^\[\]{}<>,;:#∪∩∖\x00-\x1f]{0,39}")
_SIGNS = re.compile(r"( [∪∩∖] )")


@dataclass(frozen=True)
class Edit:
    """One edit; what it does not need is None.

    Attributes:
        op: `merge`, `split`, `rename`, `reassign` or `delete`.
        mark: the mark that is edited; of a merge one of the two.
        other: the mark that rows go to: of a split the new number, of a merge the other one.
        label: the new name.
        since: seconds; earlier rows stay as they are.
        until: seconds; this and later rows stay as they are.
        frames: numbers of the frames whose rows are edited; None for all.
        color: of the new number of a split, RGB.
        force: two marks that are visible in one frame become one mask.
    """

    op: str
    mark: int
    other: int | None = None
    label: str | None = None
    since: float | None = None
    until: float | None = None
    frames: tuple[int, ...] | None = None
    color: tuple[int, int, int] | None = None
    force: bool = False

    def to_json(self) -> dict[str, Any]:
        """Without what it does not need."""
        return {key: value for key, value in asdict(self).items() if value is not None and value is not False}

    @classmethod
    def of_json(cls, fields: dict[str, Any]) -> Edit:
        """What `to_json` wrote."""
        frames, color = fields.get("frames"), fields.get("color")
        return cls(
            **{
                **fields,
                "frames": None if frames is None else tuple(frames),
                "color": None if color is None else tuple(color),
            }
        )


@dataclass(frozen=True)
class Tables:
    """The rows of `tracks.parquet` and the mark table of `run.json`.

    Attributes:
        rows: a row per mark and frame, by frame.
        marks: number → its row, without what the rows say themselves.
        size: width and height of the source, which the masks have.
    """

    rows: pa.Table
    marks: dict[int, MarkRow]
    size: tuple[int, int]

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers."""
        return np.asarray(self.rows[name].to_numpy())

    def with_marks(self, numbers: npt.NDArray[np.int32]) -> Tables:
        """The same rows under other numbers, `[K] int32`."""
        import pyarrow as pa

        at = self.rows.column_names.index("mark")
        rows = self.rows.set_column(at, self.rows.schema.field("mark"), pa.array(numbers, pa.int32()))
        return replace(self, rows=rows)

    def hidden_by(self, old: int, new: int, frames: npt.NDArray[np.int32]) -> Tables:
        """What mark `old` hides in some frames is hidden by mark `new`, 0 for none."""
        return replace(self, rows=renamed_hider(self.rows, old, new, frames))

    def kept(self, keep: npt.NDArray[np.bool_]) -> Tables:
        """Some of the rows, `[K] bool`."""
        import pyarrow as pa

        return replace(self, rows=self.rows.filter(pa.array(keep)))


@dataclass(frozen=True)
class Counts:
    """What an edit did to the rows."""

    changed: int = 0
    removed: int = 0
    united: int = 0


def apply(tables: Tables, edit: Edit) -> tuple[Tables, Counts]:
    """The tables after an edit.

    Raises:
        InputError: there is no such mark, nothing to edit, or two marks are visible in one frame.
    """
    if edit.mark not in tables.marks:
        known = ", ".join(str(mark) for mark in tables.marks) or "none"
        raise InputError(f"there is no mark {edit.mark} in the run; its marks are {known}")
    if edit.op == "rename":
        return _renamed(tables, edit), Counts()
    if edit.op == "split":
        return _split(tables, edit)
    if edit.op == "delete":
        rows = _chosen(tables, edit)
        cleared = tables.hidden_by(edit.mark, 0, tables.column("frame")[rows])
        return _swept(cleared.kept(~rows)), Counts(removed=int(rows.sum()))
    return _moved(tables, edit)


def _chosen(tables: Tables, edit: Edit) -> npt.NDArray[np.bool_]:
    """The rows of the edit's mark in its time and frames, `[K] bool`; times count to the millisecond."""
    times = tables.column("time").round(3)
    chosen: npt.NDArray[np.bool_] = tables.column("mark") == edit.mark
    if edit.since is not None:
        chosen &= times >= round(edit.since, 3)
    if edit.until is not None:
        chosen &= times < round(edit.until, 3)
    if edit.frames is not None:
        chosen &= np.isin(tables.column("frame"), edit.frames)
    if not chosen.any():
        raise InputError(f"mark {edit.mark} has no row {_when(edit)}")
    return chosen


def _when(edit: Edit) -> str:
    parts = [
        "" if edit.since is None else f"from {edit.since:g} s on",
        "" if edit.until is None else f"before {edit.until:g} s",
        "" if edit.frames is None else "in those frames",
    ]
    return " and ".join(filter(None, parts)) or "at all"


def _moved(tables: Tables, edit: Edit) -> tuple[Tables, Counts]:
    """Give rows of one mark to another; where both have one in a frame, the visible one counts."""
    target = edit.other
    if target is None or target not in tables.marks:
        raise InputError(f"there is no mark {target} in the run")
    if target == edit.mark:
        raise InputError(f"mark {target} cannot be given to itself")
    moved = _chosen(tables, edit)
    numbers, frames = tables.column("mark"), tables.column("frame")
    visible = np.asarray([state == STATES[VISIBLE] for state in tables.rows["state"].to_pylist()], bool)
    theirs = numbers == target
    at = {int(frame): int(k) for k, frame in zip(np.flatnonzero(theirs), frames[theirs], strict=True)}
    keep = np.ones(len(numbers), bool)
    both = []
    stays: dict[int, int] = {}  # row → the one of the same frame that it replaces
    for k in np.flatnonzero(moved):
        other = at.get(int(frames[k]))
        if other is None:
            continue
        if visible[k] and visible[other]:
            both.append((int(k), other))
        keep[other if visible[k] else k] = False
        stays |= {int(k): other} if visible[k] else {other: int(k)}
    if both and not edit.force:
        first = min(float(tables.column("time")[k]) for k, _ in both)
        raise InputError(
            f"marks {edit.mark} and {target} are both visible in {len(both)} frames, first at {first:.3f} s: "
            "two marks seen in one frame are different objects; --force makes one mask of both"
        )
    rows = tables if not both else _unite_rows(tables, both)
    numbers = np.where(moved, np.int32(target), numbers).astype(np.int32)
    lost = int((~keep).sum())
    rows = replace(rows, rows=with_hiders_of(rows.rows, stays, (edit.mark, target)))
    rows = rows.hidden_by(edit.mark, target, frames[moved]).with_marks(numbers).kept(keep)
    done = _swept(_never_gone_before_the_end(rows, target))
    heirs = {
        mark: {**row, "parent": target}
        for mark, row in done.marks.items()
        if row.get("parent") == edit.mark and edit.mark not in done.marks and mark != target
    }
    done = replace(done, marks={**done.marks, **heirs})
    return done, Counts(changed=int((moved & keep).sum()) - len(both), removed=lost, united=len(both))


def _unite_rows(tables: Tables, pairs: Sequence[tuple[int, int]]) -> Tables:
    """Make the first row of each pair of the masks of both."""
    import pyarrow as pa

    columns = {name: tables.rows[name].to_pylist() for name in tables.rows.column_names}
    for k, other in pairs:
        one, two = ({name: column[i] for name, column in columns.items()} for i in (k, other))
        for name, value in unite(one, two, tables.size).items():
            columns[name][k] = value
    return replace(tables, rows=pa.table(columns, schema=tables.rows.schema))


def _never_gone_before_the_end(tables: Tables, mark: int) -> Tables:
    """A mark that is seen again was hidden, not gone."""
    import pyarrow as pa

    mine = np.flatnonzero(tables.column("mark") == mark)
    states = tables.rows["state"].to_pylist()
    early = [k for k in mine[:-1] if states[k] == "gone"]
    if not early:
        return tables
    for k in early:
        states[k] = "occluded"
    at = tables.rows.column_names.index("state")
    rows = tables.rows.set_column(at, tables.rows.schema.field("state"), pa.array(states, pa.string()))
    return replace(tables, rows=rows)


def _swept(tables: Tables) -> Tables:
    """The tables without marks that have no row any more."""
    present = set(tables.column("mark").tolist())
    marks = {mark: row for mark, row in tables.marks.items() if mark in present}
    return replace(tables, rows=without_lost_hiders(tables.rows), marks=marks)


def _split(tables: Tables, edit: Edit) -> tuple[Tables, Counts]:
    assert edit.other is not None
    rows = _chosen(tables, edit)
    if not (~rows & (tables.column("mark") == edit.mark)).any():
        raise InputError(f"mark {edit.mark} has no row before {edit.since or 0:g} s: nothing is split off")
    numbers = np.where(rows, np.int32(edit.other), tables.column("mark")).astype(np.int32)
    parent = tables.marks[edit.mark].get("parent")
    row = {"label": edit.label, "color": list(edit.color or (0, 0, 0)), "parent": parent, "made_of": None}
    marks = {**tables.marks, edit.other: row}
    split = tables.hidden_by(edit.mark, edit.other, tables.column("frame")[rows]).with_marks(numbers)
    return replace(split, marks=marks), Counts(changed=int(rows.sum()))


def _renamed(tables: Tables, edit: Edit) -> Tables:
    label = (edit.label or "").strip()
    if not _NAME.fullmatch(label):
        raise InputError(
            f"{label!r} cannot be a label: it has 1 to 40 characters, begins with a letter or digit, "
            "and is on one line without brackets, commas or colons"
        )
    for mark, row in tables.marks.items():
        if mark != edit.mark and label.casefold() in (str(row["label"]).casefold(), str(mark)):
            raise InputError(f"{label!r} is mark {mark} already: a label names one mark")
    if label.isdigit() and label != str(edit.mark):
        raise InputError(f"{label!r} would name mark {edit.mark} by another number")
    old = tables.marks[edit.mark]["label"]
    marks = {mark: _remade(row, old, label) for mark, row in tables.marks.items()}
    marks[edit.mark] = {**marks[edit.mark], "label": label}
    return replace(tables, marks=marks)


def _remade(row: MarkRow, old: str, new: str) -> MarkRow:
    """What a mark is made of, in the labels of now."""
    if row.get("made_of") is None:
        return row
    parts = _SIGNS.split(row["made_of"])
    return {**row, "made_of": "".join(new if part == old else part for part in parts)}
