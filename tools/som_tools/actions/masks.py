"""Masks of marks for programs: in the result, or as files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from som_agent.errors import InputError, SomError
from som_agent.history import VISIBLE, History, Trace
from som_agent.rle import decode
from som_agent.runs.exports import export
from som_agent.runs.reader import Run
from som_agent.scaling import resize_labels
from som_kernels import encode_rle
from som_tools.actions.base import Action, Outcome, SessionForm
from som_tools.actions.checks import known_mark, newest_sight, whole_span
from som_tools.actions.words import counted, labels, printable
from som_tools.call import Call
from som_tools.sessions import Opened, SessionStore

__all__ = ["EXPORT", "ExportForm"]

IN_DATA = 32
"""Masks given in the result itself; files hold more."""
IN_FILES = 5000
"""Masks in files."""
ROWS = 200
"""Rows told of masks in files: all are in the files."""


class ExportForm(SessionForm):
    """What a model fills in to get masks."""

    marks: list[str] = Field(description='The marks, ["3", "4"]')
    form: Literal["rle", "png", "coco"] = Field(
        "rle",
        description=f"rle: COCO run-length codes in the result, at most {IN_DATA} masks; png: a folder of "
        "palette PNGs as in DAVIS, one a frame, pixel = mark; coco: one JSON file of COCO instances",
    )
    start_s: float | None = Field(None, description="Seconds of the start; both left out: the newest frame")
    end_s: float | None = Field(None, description="Seconds of the end; left out: until now")


def _export(store: SessionStore, form: ExportForm, call: Call) -> Outcome:
    opened = store.get(form.session, call)
    history = opened.session.history
    if not form.marks:
        raise InputError('marks is empty; name the marks whose masks are wanted, ["3"] for example')
    marks = list(dict.fromkeys(known_mark(history, mark) for mark in form.marks))
    if form.start_s is None and form.end_s is None:
        chosen = np.zeros(len(history.frames), bool)
        chosen[-1:] = True
        if len(marks) == 1:
            newest_sight(history, marks[0])
    else:
        chosen = whole_span(history, form.start_s, form.end_s)
    frames = history.frames[chosen]
    rows = {mark: _rows(history.traces[mark], frames) for mark in marks}
    found = sum(map(len, rows.values()))
    times = history.times[chosen]
    when = f"from {times[0]:.2f} to {times[-1]:.2f} s"
    if not found:
        names = labels([history.marks[mark].label for mark in marks])
        raise InputError(f"no mask of {names}: not visible {when}; describe_mark says when each is visible")
    most = IN_DATA if form.form == "rle" else IN_FILES
    count = max(found, len(frames)) if form.form == "png" else found  # a picture a frame
    if count > most:
        less = "a shorter time, or png or coco, which write files" if form.form == "rle" else "a shorter time"
        what = "pictures" if form.form == "png" else "masks"
        raise InputError(
            f"{count} {what} {when} are more than the {most} of {form.form}: choose fewer marks or {less}"
        )
    cut = _source_sized(history, marks, rows, chosen, call)
    masks = _listed(cut, with_codes=form.form == "rle")
    hidden = [history.marks[mark].label for mark in marks if not len(rows[mark])]
    data: dict[str, Any] = {
        "session": opened.id,
        "form": form.form,
        "size": list(history.size[::-1]),
        "frames": frames.tolist()[:ROWS],
        "times": [round(float(time), 3) for time in times[:ROWS]],
        "count": found,
        "masks": masks[:ROWS],
        "not_visible": hidden,
        "folder": None,
        "files": [],
    }
    lines = [f"{counted(found, 'mask')} of {labels([history.marks[mark].label for mark in marks])} {when}:"]
    if form.form == "rle":
        lines += [f"[{m['label']}] {m['time']:.2f} s: {m['area']} px" for m in masks[:8]]
        lines.append(f"the codes are in the data, at {history.size[0]}x{history.size[1]} px")
    else:
        folder, files = _written(store, opened, cut, form.form)
        data |= {"folder": str(folder), "files": files[:ROWS]}
        shown = ", ".join(printable(name) for name in files[:3]) + (", …" if len(files) > 3 else "")
        lines.append(f"{counted(len(files), 'file')} in {printable(str(folder))}: {shown}")
    if hidden:
        lines.append(f"not visible then: {labels(hidden)}")
    return Outcome("\n".join(lines), data)


def _rows(trace: Trace, frames: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return np.flatnonzero((trace.states == VISIBLE) & np.isin(trace.frames, frames))


def _source_sized(
    history: History,
    marks: list[int],
    rows: dict[int, npt.NDArray[np.int64]],
    chosen: npt.NDArray[np.bool_],
    call: Call,
) -> History:
    """These marks in these frames, where visible, with masks, boxes and areas at the size of the source."""
    traces = {}
    for mark in marks:
        trace, own = history.traces[mark], rows[mark]
        rles, boxes, areas = [], trace.boxes[own].copy(), trace.areas[own].copy()
        for i, row in enumerate(own):
            call.check()
            small = decode(trace.rles[row], history.mask_size)
            mask = np.asarray(resize_labels(small.astype(np.int32), history.size) > 0)
            rles.append(encode_rle(torch.from_numpy(mask)[None])[0])
            areas[i] = int(mask.sum())
            xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            if len(xs):
                boxes[i] = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
        traces[mark] = Trace(
            frames=trace.frames[own],
            times=trace.times[own],
            states=trace.states[own],
            boxes=boxes,
            areas=areas,
            anchors=trace.anchors[own],
            scores=trace.scores[own],
            colors=trace.colors[own],
            rles=rles,
            hidden_by=trace.hidden_by[own],
        )
    return replace(
        history,
        frames=history.frames[chosen],
        times=history.times[chosen],
        marks={mark: history.marks[mark] for mark in marks},
        traces=traces,
        mask_size=history.size,
        sharpness=history.sharpness[:0],
    )


def _listed(cut: History, *, with_codes: bool) -> list[dict[str, Any]]:
    """A row a mask, by time and mark."""
    found = []
    for mark, trace in cut.traces.items():
        for k in range(len(trace)):
            row: dict[str, Any] = {
                "mark": mark,
                "label": cut.marks[mark].label,
                "frame": int(trace.frames[k]),
                "time": round(float(trace.times[k]), 3),
                "area": int(trace.areas[k]),
                "box": [round(float(v), 1) for v in trace.boxes[k]],
            }
            if with_codes:
                row["rle"] = {"size": list(cut.size[::-1]), "counts": trace.rles[k]}
            found.append(row)
    return sorted(found, key=lambda row: (row["frame"], row["mark"]))


def _written(store: SessionStore, opened: Opened, cut: History, form: str) -> tuple[Path, list[str]]:
    """Write the files; their folder and their names in it."""
    folder = store.outputs.folder("masks")
    settings = opened.session.settings
    run = Run(folder, {}, opened.name, None, cut, settings.style, settings.max_marks)
    try:
        if form == "coco":
            export(run, "coco", folder / "masks.json")
        else:
            export(run, "davis", folder)
        store.outputs.check(folder / "masks.json")
    except SomError:  # more than is allowed is not kept
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, sorted(path.name for path in folder.iterdir())


EXPORT = Action(
    "export_masks",
    "Get the pixel masks of marks, for a program: run-length codes in the result or files, at the size of "
    "the source, in the newest frame or over a stretch of time. Returns frames, times and areas, and the "
    "names of the files. You cannot read masks yourself: describe_mark and relate_marks say what is in them.",
    ExportForm,
    _export,
    keys={
        "session": "its id",
        "form": "as asked for",
        "size": "height and width of the masks",
        "frames": f"source numbers of the frames, at most {ROWS}",
        "times": "their seconds",
        "count": "how many masks there are",
        "masks": f"a row each, at most {ROWS}: mark, label, frame, time, area, box; with rle: size, counts",
        "not_visible": "labels of the marks that have no mask then",
        "folder": "where files were written, or null",
        "files": f"their names, at most {ROWS}",
    },
    changes=True,
)
