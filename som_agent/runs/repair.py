"""Repairs of a stored run: what the tracker got wrong is put right by hand, and can be undone.

    from som_agent.runs import read_run, repair

    run = read_run("run")
    run = repair.merge(run, 3, 7)                    # 7 was 3 all along
    run = repair.reassign(run, 3, 5, since=4.0)      # from 4 s on it was 5
    run = repair.undo(run)

Every edit is a line of `edits.jsonl` in the run's folder: when, who, what, and how many rows it changed. The
log is the truth: the tables are those of the run as it was recorded, kept as `tracks.original.parquet` and
`run.original.json`, with the log's edits applied in their order, those that were undone left out. So every
undoing is exact, and a repair that was cut short at any moment leaves a run that can be read: the next repair
completes it. A number once given never names another object, not even one of an edit that was undone.

Times are in seconds: an edit is for rows with since <= time < until. Marks go by number or label.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from som_agent.errors import InputError
from som_agent.marks.labels import label_of
from som_agent.marks.palette import choose_color
from som_agent.runs.edits import Counts, Edit, Tables, apply
from som_agent.runs.reader import Run, read_run
from som_agent.runs.redraw import redraw
from som_agent.runs.store import Store

__all__ = ["delete", "draw", "log", "merge", "reassign", "rename", "split", "undo"]

DRAWN = "with all edits"


def merge(
    run: Run,
    a: int | str,
    b: int | str,
    *,
    since: float | None = None,
    until: float | None = None,
    force: bool = False,
    video: bool = True,
) -> Run:
    """Two marks were one object: the lower number keeps it, the other is retired.

    With `since` or `until` only the higher number's rows in that time go over, and it is retired if none is
    left. Where both have a row in a frame, that of the visible one stays.

    Args:
        run: it is read anew: what it holds may be older than the folder.
        a: a mark.
        b: another.
        since: seconds; earlier rows stay as they are.
        until: seconds; this and later rows stay as they are.
        force: make one mask of both where both are visible in a frame.
        video: draw `marked.mp4` anew, if the run's source is still there.

    Returns:
        The run as it is now.

    Raises:
        InputError: no such marks, nothing to move, or both are visible in one frame.
        OutputError: the folder cannot be written.
    """

    def edit(tables: Tables, store: Store) -> Edit:
        low, high = sorted((_number(tables, a), _number(tables, b)))
        return Edit("merge", high, low, since=since, until=until, force=force)

    return _repaired(run, edit, video)


def split(run: Run, mark: int | str, time_s: float, *, until: float | None = None, video: bool = True) -> Run:
    """One mark was two objects: from `time_s` on, and before `until`, it gets a new number.

    Raises:
        InputError: no such mark, or it has no rows on both sides.
    """

    def edit(tables: Tables, store: Store) -> Edit:
        number = 1 + max([*store.original.marks, *(edit.other or 0 for edit in store.all_edits)])
        taken = {str(row["label"]).casefold() for row in tables.marks.values()}
        label = label_of(number, run.info["settings"].get("labels", "numbers"))
        colors = [row["color"] for row in tables.marks.values()]
        return Edit(
            "split",
            _number(tables, mark),
            number,
            label=str(number) if label.casefold() in taken else label,
            since=time_s,
            until=until,
            color=choose_color(number, used=[(r, g, b) for r, g, b in colors]),
        )

    return _repaired(run, edit, video)


def rename(run: Run, mark: int | str, label: str, *, video: bool = True) -> Run:
    """Give a mark a name in words: it is drawn, answers say it, and questions may.

    Raises:
        InputError: no such mark, a name that cannot be told from other text, or one that is taken.
    """
    return _repaired(run, lambda tables, _: Edit("rename", _number(tables, mark), label=label.strip()), video)


def reassign(
    run: Run,
    a: int | str,
    b: int | str,
    *,
    since: float | None = None,
    until: float | None = None,
    frames: Sequence[int] | None = None,
    force: bool = False,
    video: bool = True,
) -> Run:
    """Rows of mark `a`, of some frames or a stretch of time, are of mark `b`; see `merge`.

    Raises:
        InputError: no such marks, nothing to move, or both are visible in one frame.
    """

    def edit(tables: Tables, _: Store) -> Edit:
        chosen = None if frames is None else tuple(sorted(set(frames)))
        return Edit(
            "reassign",
            _number(tables, a),
            _number(tables, b),
            since=since,
            until=until,
            frames=chosen,
            force=force,
        )

    return _repaired(run, edit, video)


def delete(
    run: Run,
    mark: int | str,
    *,
    since: float | None = None,
    until: float | None = None,
    video: bool = True,
) -> Run:
    """Take a mark away, or its rows in a stretch of time.

    Raises:
        InputError: no such mark, or it has no rows there.
    """
    return _repaired(
        run, lambda tables, _: Edit("delete", _number(tables, mark), since=since, until=until), video
    )


def undo(run: Run, *, video: bool = True) -> Run:
    """Take the last edit back that was not taken back yet.

    Raises:
        InputError: there is none.
    """
    store = Store.opened(run.path)
    active = store.active
    if not active:
        raise InputError(f"{run.path} has no edit that could be undone")
    number = active[-1]["edit"]
    entry = {**_signed(store), "undo": number, "text": f"undid edit {number}: {active[-1]['text']}"}
    store.write([*store.entries, entry])
    return _shown(run.path, video)


def draw(run: Run) -> Run:
    """Draw `marked.mp4` anew, for edits that were made with `video=False`.

    Raises:
        InputError: the run's source is gone or was changed.
        OutputError: the disk is full, for example.
    """
    store = Store.opened(run.path)
    now = read_run(run.path)
    reason = redraw(now)
    if reason is not None:
        raise InputError(f"{run.path} cannot be drawn anew: {reason}")
    if store.entries:
        store.say("video", DRAWN)
    return read_run(run.path)


def log(run: Run | str | Path) -> list[dict[str, Any]]:
    """The lines of `edits.jsonl`, the oldest first; `undone` is true for edits that were taken back."""
    store = Store.opened(run.path if isinstance(run, Run) else Path(run))
    active = {entry["edit"] for entry in store.active}
    return [
        {**entry, **({"undone": True} if "did" in entry and entry["edit"] not in active else {})}
        for entry in store.entries
    ]


def _repaired(run: Run, make: Callable[[Tables, Store], Edit], video: bool) -> Run:
    store = Store.opened(run.path)
    tables = store.tables()
    edit = make(tables, store)
    after, counts = apply(tables, edit)
    entry = {
        **_signed(store),
        "did": edit.to_json(),
        "rows": {"changed": counts.changed, "removed": counts.removed, "united": counts.united},
        "text": _told(edit, tables, after, counts),
    }
    store.write([*store.entries, entry])
    return _shown(run.path, video)


def _shown(folder: Path, video: bool) -> Run:
    """The run after an edit, its video drawn anew."""
    run = read_run(folder)
    reason = redraw(run) if video else "it was not asked for"
    Store.opened(folder).say("video", DRAWN if reason is None else f"as it was before: {reason}")
    return read_run(folder)


def _signed(store: Store) -> dict[str, Any]:
    try:
        who = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a user table
        who = "unknown"
    return {
        "edit": len(store.entries) + 1,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": who,
    }


def _number(tables: Tables, mark: int | str) -> int:
    """A mark by label first, then by number."""
    name = str(mark).strip().strip("[]").casefold()
    for number, row in tables.marks.items():
        if str(row["label"]).casefold() == name:
            return number
    if name.isdecimal() and int(name) in tables.marks:
        return int(name)
    known = ", ".join(str(row["label"]) for row in tables.marks.values()) or "none"
    raise InputError(f"there is no mark {mark} in the run; its marks are {known}")


def _told(edit: Edit, before: Tables, after: Tables, counts: Counts) -> str:
    """The edit in one line."""

    def label(mark: int | None) -> str:
        rows = before.marks if mark in before.marks else after.marks
        return str(rows[mark]["label"]) if mark in rows else str(mark)

    a, b = label(edit.mark), label(edit.other)
    what = {
        "merge": f"merged {a} into {b}",
        "split": f"split {b} off {a}",
        "rename": f"renamed {a} to {edit.label!r}",
        "reassign": f"gave rows of {a} to {b}",
        "delete": f"deleted {a}",
    }[edit.op]
    span = [
        "" if edit.since is None else f" from {edit.since:g} s",
        "" if edit.until is None else f" until {edit.until:g} s",
        "" if edit.frames is None else f" in {len(edit.frames)} frames",
    ]
    rows = counts.changed + counts.removed + counts.united
    return what + "".join(span) + ("" if edit.op == "rename" else f" ({rows} rows)")
