"""Ready-made masks from a folder: an oracle for tests, and the way in for people with their own segmenter.

For picture `X.jpg` the folder holds `X.png` or `X.json`; for a video, one file a frame in name order.

- **Index PNG**: palette (DAVIS) or grey, 1 to 16 bits; a pixel is the number of its object, 0 is background.
  In a palette PNG the value 255 is the void border of DAVIS and Pascal VOC and counts as background; in a
  grey one it is an object like any other, since binary masks are often written as 0 and 255.
- **JSON**: a list of COCO RLEs `{"size": [h, w], "counts": …}`, compressed or not. They may overlap; one
  without a pixel is an object that this frame does not show.

A folder may mix both: the PNG of a name is preferred, and only PNGs count as a video's frames where there
are any.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from som_agent.errors import SegmenterError, first_line
from som_agent.regions import BoolArray, Regions
from som_agent.rle import decode
from som_agent.video.folders import natural_order
from som_agent.video.frame import Frame

__all__ = ["LabelsSegmenter", "read_index_png"]

_VOID = 255
_INDEX_MODES = ("1", "L", "P", "I", "I;16")


class LabelsSegmenter:
    """Regions read from files. Masks of another size than the frame are resized to the nearest pixel.

    A frame with a name (a picture file) takes the mask of that name and no other: taking one by position
    would put the marks of one picture on another. A frame without one (a video's) takes the file of its
    number.

    Args:
        folder: the folder of masks.

    Raises:
        SegmenterError: there is no such folder, or no mask in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.name = f"labels:{folder}"
        self.folder = Path(folder).expanduser()
        if not self.folder.is_dir():
            raise SegmenterError(f"{self.name}: there is no folder {str(folder)!r}")
        files = [path for path in self.folder.iterdir() if path.is_file()]
        pngs = {path.stem: path for path in files if path.suffix.lower() == ".png"}
        lists = {path.stem: path for path in files if path.suffix.lower() == ".json"}
        if not (pngs or lists):
            raise SegmenterError(
                f"{self.name}: no masks in the folder; it needs index PNGs or JSON lists of COCO RLEs"
            )
        self._by_name = {**lists, **pngs}
        self._sequence = sorted((pngs or lists).values(), key=natural_order)

    def __repr__(self) -> str:
        return f"LabelsSegmenter({str(self.folder)!r}, {len(self._sequence)} files)"

    def segment(self, frame: Frame) -> Regions:
        """The regions of the frame's mask file; see `Segmenter`."""
        path = self._file_of(frame)
        h, w = frame.image.shape[:2]
        if path.suffix.lower() == ".json":
            shown = [_fitted(mask, h, w) for mask in _read_rles(path) if mask.any()]
            return (
                Regions.from_masks(np.array(shown))
                if shown
                else Regions.from_labels(np.zeros((h, w), np.int32))
            )
        return Regions.from_labels(_fitted(read_index_png(path), h, w))

    def _file_of(self, frame: Frame) -> Path:
        if frame.name is not None:
            path = self._by_name.get(frame.name)
            if path is None:
                raise SegmenterError(
                    f"{self.name}: no {frame.name}.png or {frame.name}.json for picture {frame.name!r}; "
                    "masks are matched to pictures by name"
                )
            return path
        if not 0 <= frame.index < len(self._sequence):
            raise SegmenterError(
                f"{self.name}: {len(self._sequence)} masks, none for frame {frame.index}; frames count from 0"
            )
        return self._sequence[frame.index]


def read_index_png(path: Path) -> npt.NDArray[np.int32]:
    """Object of each pixel, `[H, W] int32`; 0 for none, void included.

    Raises:
        SegmenterError: it cannot be read, or is no index picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            mode = picture.mode
            values = np.array(picture)
    except (OSError, SyntaxError, ValueError) as error:  # PIL's ways of saying that a file is broken
        raise SegmenterError(f"cannot read mask {path}: {first_line(error)}") from error
    if mode not in _INDEX_MODES:
        raise SegmenterError(
            f"mask {path} is a colour picture ({mode}); it must be a palette or grey index PNG"
        )
    labels = values.astype(np.int32)
    if mode == "P":
        labels[labels == _VOID] = 0
    return labels


def _read_rles(path: Path) -> list[BoolArray]:
    """Masks `[H, W] bool` of a JSON list of COCO RLEs."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SegmenterError(f"cannot read masks {path}: {first_line(error)}") from error
    if not isinstance(entries, list):
        raise SegmenterError(f"masks {path} must be a list of COCO RLEs, got {type(entries).__name__}")
    masks = []
    for i, entry in enumerate(entries):
        try:
            masks.append(_decode(entry))
        except (KeyError, TypeError, ValueError) as error:
            raise SegmenterError(f"masks {path}: entry {i} is no COCO RLE: {error!r}") from error
    sizes = {mask.shape for mask in masks}
    if len(sizes) > 1:
        raise SegmenterError(f"masks {path} differ in size: {sorted(sizes)}; the RLEs of a frame share one")
    return masks


def _decode(rle: dict[str, Any]) -> BoolArray:
    """One COCO RLE, `[H, W] bool`; ValueError where the runs do not add up to the size."""
    h, w = (int(v) for v in rle["size"])
    counts = rle["counts"]
    if isinstance(counts, str):
        return decode(counts, (w, h))
    runs = np.asarray(counts, dtype=np.int64)
    if min(h, w) < 1 or runs.ndim != 1 or (runs < 0).any() or runs.sum() != h * w:
        raise ValueError(f"its runs do not fill {w}x{h} px")
    # Runs alternate between background and object, along the columns.
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(w, h).T


def _fitted(labels: npt.NDArray[Any], h: int, w: int) -> npt.NDArray[Any]:
    """Labels resized to the nearest pixel, `[h, w]`; an object too small for that keeps one pixel.

    Unlike `scaling.resize_labels` it smooths nothing: these masks are taken at their word.
    """
    height, width = labels.shape
    if (height, width) == (h, w):
        return labels
    rows = ((np.arange(h) + 0.5) * height / h).astype(np.int64)
    columns = ((np.arange(w) + 0.5) * width / w).astype(np.int64)
    resized: npt.NDArray[Any] = labels[rows[:, None], columns]
    lost = np.setdiff1d(labels, resized)
    for label in lost[lost > 0]:
        y, x = np.nonzero(labels == label)
        middle = len(y) // 2
        resized[y[middle] * h // height, x[middle] * w // width] = label
    return resized
