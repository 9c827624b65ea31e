"""A stored run in the formats that other tools read: DAVIS, COCO, YouTube-VIS and MOT Challenge.

    from som_agent.runs import read_run
    from som_agent.runs.exports import export

    export(read_run("run"), "coco", "marks.json")

Each writes the frames of the run and the marks where they are visible, in pixels of the source. A frame goes
by the name of its picture where the source is one or a folder of them, else by its number in the source,
from 00000: `labels:OUT` reads a DAVIS export of a whole video back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from som_agent.errors import InputError, OutputError
from som_agent.history import VISIBLE
from som_agent.regions import IntArray
from som_agent.rle import decode
from som_agent.runs.outputs import new_file, new_folder
from som_agent.runs.reader import Run
from som_agent.video import is_picture, picture_files

__all__ = ["FORMATS", "Export", "export", "export_coco", "export_davis", "export_mot", "export_ytvis"]

_MOST_IN_PALETTE = 254  # 255 is void in DAVIS
_MOST_IN_GREY = 2**16 - 1


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: the file or folder.
        format: one of `FORMATS`.
        frames: frames of the run.
        marks: marks that are visible in one of them.
        notes: what the format could not say as the run does, a line each.
    """

    path: Path
    format: str
    frames: int
    marks: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sight:
    """One mark where it is visible in one frame; the box is x, y, width, height in pixels."""

    mark: int
    label: str
    box: tuple[int, int, int, int]
    area: int
    score: float
    rle: str


def export(run: Run, to: str, out: str | Path) -> Export:
    """Write a run in one of the `FORMATS`.

    Args:
        run: a stored run.
        to: `davis`, `coco`, `ytvis` or `mot`.
        out: the folder for `davis`, which must be new or empty; else the file.

    Raises:
        InputError: an unknown format.
        OutputError: it cannot be written there, or the format cannot hold this run.
    """
    if to not in FORMATS:
        raise InputError(f"unknown format {to!r}; known: {', '.join(FORMATS)}")
    return FORMATS[to](run, Path(out))


def export_davis(run: Run, out: Path) -> Export:
    """A folder of palette PNGs, one a frame: the index of a pixel is the number of its mark, 0 for none.

    The palette is that of DAVIS and Pascal VOC. Where marks overlap the smaller one is on top. A run with a
    number above 254 becomes 16-bit grey PNGs, since 255 is void and a palette ends there.

    Raises:
        OutputError: the folder is not empty or cannot be written, or a number is above 65535.
    """
    from PIL import Image

    sights, (names, notes) = _sights(run), _names(run)
    most = max((sight.mark for row in sights for sight in row), default=0)
    if most > _MOST_IN_GREY:
        raise OutputError(f"mark {most} of {run.path} is above {_MOST_IN_GREY}: no index PNG can hold it")
    deep = most > _MOST_IN_PALETTE
    if deep:
        notes.append(f"number {most} is above {_MOST_IN_PALETTE}: 16-bit grey PNGs without a palette")
    palette, covered = _palette(), 0
    with new_folder(out) as folder:
        for name, row in zip(names, sights, strict=True):
            labels = _painted(row, run.history.size)
            covered += len(row) - int(np.count_nonzero(np.bincount(labels.ravel())[1:]))
            picture = Image.fromarray(labels.astype(np.uint16 if deep else np.uint8))
            if not deep:
                picture.putpalette(palette)
            picture.save(folder / f"{Path(name).stem}.png")
    if covered:
        notes.append(f"{covered} times a mark lies wholly under smaller ones, and is not in the picture")
    return _done(run, out, "davis", sights, notes)


def export_coco(run: Run, out: Path) -> Export:
    """A JSON file of COCO instances: an image a frame, an annotation a mark and frame, masks as RLE.

    `track_id` is the mark, `label` what is drawn on it; an image has its `frame` and `time` in seconds.

    Raises:
        OutputError: the file cannot be written.
    """
    sights, (names, notes) = _sights(run), _names(run)
    w, h = run.history.size
    frames = zip(names, run.history.frames.tolist(), run.history.times.tolist(), strict=True)
    images = [
        {"id": k, "file_name": name, "width": w, "height": h, "frame": frame, "time": time}
        for k, (name, frame, time) in enumerate(frames, start=1)
    ]
    seen = [(k, sight) for k, row in enumerate(sights, start=1) for sight in row]
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "segmentation": _segmentation(sight, run),
            "area": sight.area,
            "bbox": list(sight.box),
            "iscrowd": 0,
            "track_id": sight.mark,
            "label": sight.label,
            "score": sight.score,
        }
        for number, (image, sight) in enumerate(seen, start=1)
    ]
    _write_json(run, out, {"images": images, "annotations": annotations})
    return _done(run, out, "coco", sights, notes)


def export_ytvis(run: Run, out: Path) -> Export:
    """A JSON file of YouTube-VIS: one video, an annotation a mark, null in frames in which it is not visible.

    The `id` of an annotation is the mark, `label` what is drawn on it.

    Raises:
        OutputError: the file cannot be written.
    """
    sights, (names, notes) = _sights(run), _names(run)
    w, h = run.history.size
    video = Path(run.source).stem or "video"
    annotations: dict[int, dict[str, Any]] = {}
    for k, row in enumerate(sights):
        for sight in row:
            annotation = annotations.setdefault(
                sight.mark,
                {
                    "id": sight.mark,
                    "video_id": 1,
                    "category_id": 1,
                    "iscrowd": 0,
                    "width": w,
                    "height": h,
                    "length": len(sights),
                    "label": sight.label,
                    "segmentations": [None] * len(sights),
                    "bboxes": [None] * len(sights),
                    "areas": [None] * len(sights),
                },
            )
            annotation["segmentations"][k] = _segmentation(sight, run)
            annotation["bboxes"][k] = list(sight.box)
            annotation["areas"][k] = sight.area
    files = [f"{video}/{name}" for name in names]
    told = {"id": 1, "width": w, "height": h, "length": len(files), "file_names": files}
    ordered = [annotations[mark] for mark in sorted(annotations)]
    _write_json(run, out, {"videos": [told], "annotations": ordered})
    return _done(run, out, "ytvis", sights, notes)


def export_mot(run: Run, out: Path) -> Export:
    """A text file of MOT Challenge: frame, id, left, top, width, height, confidence, -1, -1, -1 a line.

    As there, frames, ids and pixels all count from 1. The frame is the one of the source.

    Raises:
        OutputError: the file cannot be written.
    """
    sights = _sights(run)
    lines = []
    for frame, row in zip(run.history.frames.tolist(), sights, strict=True):
        for sight in row:
            x, y, w, h = sight.box
            box = f"{x + 1},{y + 1},{w},{h}"
            lines.append(f"{frame + 1},{sight.mark},{box},{sight.score:.4f},-1,-1,-1\n")
    with new_file(out, run) as part:
        part.write_text("".join(lines), encoding="utf-8")
    return _done(run, out, "mot", sights, [])


FORMATS: dict[str, Callable[[Run, Path], Export]] = {
    "davis": export_davis,
    "coco": export_coco,
    "ytvis": export_ytvis,
    "mot": export_mot,
}
"""The formats by name."""


def _sights(run: Run) -> list[list[_Sight]]:
    """The visible marks of each frame of the run, by number."""
    rows: dict[int, list[_Sight]] = {frame: [] for frame in run.history.frames.tolist()}
    for mark, trace in sorted(run.history.traces.items()):
        for k in np.flatnonzero(trace.states == VISIBLE):
            x0, y0, x1, y1 = (int(v) for v in trace.boxes[k])
            sight = _Sight(
                mark=mark,
                label=run.history.marks[mark].label,
                box=(x0, y0, x1 - x0, y1 - y0),
                area=int(trace.areas[k]),
                score=round(float(trace.scores[k]), 4),
                rle=trace.rles[k],
            )
            rows[int(trace.frames[k])].append(sight)
    return list(rows.values())


def _names(run: Run) -> tuple[list[str], list[str]]:
    """The file name of each frame's picture, and a note where the source should have given it but cannot."""
    frames = run.history.frames.tolist()
    numbers = [f"{frame:05d}.jpg" for frame in frames]
    if len(frames) == 1 and is_picture(run.source):
        return [Path(run.source).name], []
    if not os.path.isdir(run.source):
        return numbers, []
    try:
        files = picture_files(Path(run.source))
        names = [files[frame].name for frame in frames]
    except (InputError, IndexError):
        return numbers, [f"frames go by their number: {run.source} lacks pictures that the run has"]
    if len({Path(name).stem for name in names}) < len(names):
        return numbers, [f"frames go by their number: pictures of {run.source} share a name"]
    return names, []


def _segmentation(sight: _Sight, run: Run) -> dict[str, Any]:
    w, h = run.history.size
    return {"size": [h, w], "counts": sight.rle}


def _painted(sights: list[_Sight], size: tuple[int, int]) -> IntArray:
    """Mark of each pixel, `[H, W] int32`, 0 for none, the smaller ones on top."""
    labels = np.zeros((size[1], size[0]), np.int32)
    for sight in sorted(sights, key=lambda sight: -sight.area):
        labels[decode(sight.rle, size)] = sight.mark
    return labels


def _palette() -> list[int]:
    """The 256 colours of DAVIS and Pascal VOC, as r, g, b, r, g, b, …: bit k of an index is in channel k % 3.

    The lowest bits are the highest of the channels, so that small numbers look most unlike.
    """
    channels = np.zeros((256, 3), int)
    for bit in range(8):
        channels[:, bit % 3] |= (np.arange(256) >> bit & 1) << (7 - bit // 3)
    return [int(value) for value in channels.ravel()]


def _write_json(run: Run, out: Path, content: dict[str, Any]) -> None:
    info = {"description": "marks of som-agent", "source": run.source, "segmenter": run.history.segmenter}
    whole = {
        "info": info,
        "licenses": [],
        **content,
        "categories": [{"id": 1, "name": "object", "supercategory": "object"}],
    }
    with new_file(out, run) as part:
        part.write_text(json.dumps(whole, ensure_ascii=False) + "\n", encoding="utf-8")


def _done(run: Run, out: Path, to: str, sights: list[list[_Sight]], notes: list[str]) -> Export:
    marks = {sight.mark for row in sights for sight in row}
    return Export(out, to, len(sights), len(marks), tuple(notes))
