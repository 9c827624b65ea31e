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
    """Regions read from files.

    Masks of another size than the frame are resized to the nearest pixel; those of another shape are refused:
    they belong to other pictures.

    A frame with a name (a picture file) takes the mask of that name and no other: taking one by position
    would put the marks of one picture on another. A frame without one (a video's) takes the file of its
    number.

    Args:
        folder: the folder of masks.

    Raises:
        SegmenterError: there is no such folder, or no mask in it.
    """

    ready_made = True

    def __init__(self, folder: str | Path) -> None:
        if folder == "":  # as a path it would be the current folder
            raise SegmenterError("the folder of masks is empty: write labels:DIR")
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
            masks = _read_rles(path)
            if masks:
                _check_shape(path, masks[0], h, w)
            shown = [_fitted(mask, h, w) for mask in masks if mask.any()]
            return (
                Regions.from_masks(np.array(shown))
                if shown
                else Regions.from_labels(np.zeros((h, w), np.int32))
            )
        labels = read_index_png(path)
        _check_shape(path, labels, h, w)
        return Regions.from_labels(_fitted(labels, h, w))

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
    except OSError as error:
        raise SegmenterError(f"cannot read masks {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SegmenterError(f"masks {path} are not text in UTF-8") from error
    except ValueError as error:
        raise SegmenterError(f"masks {path} are not JSON: {error}") from error
    if not isinstance(entries, list):
        raise SegmenterError(f"masks {path} must be a list of COCO RLEs")
    masks = []
    for i, entry in enumerate(entries):
        try:
            masks.append(_decode(entry))
        except ValueError as error:
            raise SegmenterError(f"masks {path}: entry {i} is no COCO RLE: {error}") from error
    sizes = {mask.shape for mask in masks}
    if len(sizes) > 1:
        listed = ", ".join(f"{w}x{h}" for h, w in sorted(sizes))
        raise SegmenterError(f"masks {path} differ in size: {listed} px; the RLEs of a frame share one")
    return masks


def _decode(rle: Any) -> BoolArray:
    """One COCO RLE, `[H, W] bool`; a ValueError says in words why it is none."""
    if not isinstance(rle, dict):
        raise ValueError("it is no object with 'size' and 'counts'")
    lacking = [repr(key) for key in ("size", "counts") if key not in rle]
    if lacking:
        raise ValueError(f"it lacks {' and '.join(lacking)}")
    size, counts = rle["size"], rle["counts"]
    if not (isinstance(size, list) and len(size) == 2 and all(type(v) is int and v > 0 for v in size)):
        raise ValueError("its 'size' is not [height, width] in pixels")
    h, w = size
    if isinstance(counts, str):
        try:
            return decode(counts, (w, h))
        except ValueError as error:
            raise ValueError(f"its 'counts' are no compressed runs for {w}x{h} px") from error
    if not (isinstance(counts, list) and all(type(v) is int and 0 <= v <= h * w for v in counts)):
        raise ValueError("its 'counts' are neither text nor a list of whole numbers")
    runs = np.asarray(counts, dtype=np.int64)
    if runs.sum() != h * w:
        raise ValueError(f"its runs do not fill {w}x{h} px")
    # Runs alternate between background and object, along the columns.
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(w, h).T


def _check_shape(path: Path, labels: npt.NDArray[Any], h: int, w: int) -> None:
    """Refuse labels `[H, W]` that no change of size turns into `h` by `w`: within 2 %, or a rounded pixel."""
    height, width = labels.shape
    apart = abs(height * w - width * h)
    if apart > 0.02 * height * w and apart >= max(w, h, width, height):
        raise SegmenterError(
            f"{path} is {width}x{height} px, another shape than the frame, which is {w}x{h} px inside: "
            "these masks belong to other pictures"
        )


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
