"""`som-agent repair RUN_DIR merge 3 7`: put right by hand what the tracker got wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from som_agent.cli.options import Json
from som_agent.cli.output import note, print_json
from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.runs import Run

__all__ = ["repair"]


def _seconds(option: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise InputError(
                f"{option} {text} makes no sense: it is in seconds from the first frame, 0 or more"
            )
        return value

    return parse


def _frames(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in text.split(","):
        span = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part)
        if span is None or int(span[2] or span[1]) < int(span[1]):
            raise InputError(f"--frames {text} makes no sense: it is a list of numbers and spans, 12-18,20")
        numbers += range(int(span[1]), int(span[2] or span[1]) + 1)
    return tuple(numbers)


@dataclass(frozen=True)
class _Choices:
    """The options, as given."""

    at: float | None
    since: float | None
    until: float | None
    frames: tuple[int, ...] | None
    force: bool
    video: bool


_TAKES = {
    "merge": ("two marks", 2, {"since", "until", "force"}),
    "split": ("a mark and --at SECONDS", 1, {"at", "until"}),
    "rename": ("a mark and its new label", 2, set[str]()),
    "reassign": ("a mark and the one its rows go to", 2, {"since", "until", "frames", "force"}),
    "delete": ("a mark", 1, {"since", "until"}),
    "undo": ("nothing", 0, set[str]()),
    "draw": ("nothing", 0, set[str]()),
    "log": ("nothing", 0, set[str]()),
}


def repair(
    run: Annotated[str, typer.Argument(metavar="RUN_DIR", help="The folder of a stored run.")],
    edit: Annotated[str, typer.Argument(metavar="EDIT", help=f"One of {', '.join(_TAKES)}.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MARK] [MARK|LABEL]", help="Marks by number or label."),
    ] = None,
    at: Annotated[
        float | None,
        typer.Option(parser=_seconds("--at"), metavar="S", help="split: where the new number begins."),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(parser=_seconds("--since"), metavar="S", help="Edit rows from this time on."),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(parser=_seconds("--until"), metavar="S", help="Edit rows before this time."),
    ] = None,
    frames: Annotated[
        Any,
        typer.Option(parser=_frames, metavar="N-N,N", help="reassign: edit the rows of these frames only."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="merge, reassign: make one mask where both marks are visible.")
    ] = False,
    video: Annotated[bool, typer.Option(help="Draw marked.mp4 anew.")] = True,
    json: Json = False,
) -> None:
    """Merge, split, rename, reassign and delete marks of a stored run; undo takes the last edit back.

    The edits: merge 3 7, split 3 --at 4.2, rename 3 "left cup", reassign 3 5 --since 4 --until 6, delete 9,
    undo, draw (marked.mp4, after edits with --no-video) and log. Each is a line of edits.jsonl in the run.
    """
    from som_agent.runs import read_run
    from som_agent.runs import repair as edits

    given = arguments or []
    choices = _Choices(at, since, until, frames, force, video)
    _check(edit, given, choices)
    if edit == "log":
        _show_log(run, edits.log(Path(run)), json)
        return
    stored = read_run(run)
    if edit == "merge":
        a, b = given
        done = edits.merge(stored, a, b, since=since, until=until, force=force, video=video)
    elif edit == "split":
        assert at is not None
        done = edits.split(stored, given[0], at, until=until, video=video)
    elif edit == "rename":
        done = edits.rename(stored, given[0], given[1], video=video)
    elif edit == "reassign":
        a, b = given
        done = edits.reassign(stored, a, b, since=since, until=until, frames=frames, force=force, video=video)
    elif edit == "delete":
        done = edits.delete(stored, given[0], since=since, until=until, video=video)
    elif edit == "draw":
        done = edits.draw(stored)
    else:
        done = edits.undo(stored, video=video)
    _show(run, done, edits.log(done), json)


def _check(edit: str, given: list[str], choices: _Choices) -> None:
    """Refuse what the edit does not take."""
    if edit not in _TAKES:
        raise InputError(f"unknown edit {edit!r}; known: {', '.join(_TAKES)}")
    takes, count, options = _TAKES[edit]
    if len(given) != count or (edit == "split" and choices.at is None):
        raise InputError(f"{edit} takes {takes}, got {' '.join(given) or 'nothing'}")
    for name in ("at", "since", "until", "frames", "force"):
        value = getattr(choices, name)
        if value is not None and value is not False and name not in options:
            raise InputError(f"{edit} does not take --{name}")
    if choices.since is not None and choices.until is not None and choices.since >= choices.until:
        raise InputError(f"--since {choices.since:g} s is not before --until {choices.until:g} s")


def _show(folder: str, run: Run, log: list[dict[str, Any]], json: bool) -> None:
    """What was done."""
    repairs = run.info.get("repairs", {})
    text = log[-1]["text"] if log else "drawn anew"
    video = repairs.get("video", "as recorded")
    if json:
        marks = [{"mark": mark, "label": info.label} for mark, info in run.history.marks.items()]
        print_json({"run": folder, "edit": log[-1] if log else None, "marks": marks, "video": video})
    else:
        sys.stdout.write(f"{text}\n")
    if video.startswith("as it was before"):
        note(f"marked.mp4 is {video}")


def _show_log(folder: str, log: list[dict[str, Any]], json: bool) -> None:
    if json:
        print_json({"run": folder, "edits": log})
        return
    for entry in log:
        undone = "  (undone)" if entry.get("undone") else ""
        sys.stdout.write(f"{entry['edit']:>3}  {entry['at']}  {entry['by']}  {entry['text']}{undone}\n")
