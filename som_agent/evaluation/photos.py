"""Photos with true regions, and the marks of their largest ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks import color_of, label_of
from som_agent.regions import IntArray
from som_agent.segmenters.labels import read_index_png
from som_agent.video import Image, picture_files, read_image

__all__ = ["Photo", "photos"]


@dataclass(frozen=True)
class Photo:
    """A photo and its regions, the largest first.

    Attributes:
        name: file stem.
        image: `[H, W, 3] uint8` RGB.
        labels: `[H, W] int32`; value k + 1 for the k-th largest region, 0 for none.
        infos: a mark for each of them.
    """

    name: str
    image: Image
    labels: IntArray
    infos: list[MarkInfo]

    def at(self, long_px: int) -> Photo:
        """The same photo and its marks at another size; regions too small for it are left out."""
        h, w = self.labels.shape
        size = round(w * long_px / max(h, w)), round(h * long_px / max(h, w))
        method = cv2.INTER_AREA if long_px < max(h, w) else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(self.image, size, interpolation=method), np.uint8)
        labels = np.asarray(cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST), np.int32)
        return Photo(self.name, image, labels, self.infos)


def photos(folder: Path, most: int = 1000) -> list[Photo]:
    """The photos of a folder with `images/X.jpg` and `masks/X.png`, in name order, `most` regions of each.

    Raises:
        InputError: there are none, or one has no mask of its size.
        SegmenterError: a mask is no index picture.
    """
    if not (folder / "images").is_dir():
        raise InputError(f"{folder} has no folder images/")
    found = []
    for file in picture_files(folder / "images"):
        mask = folder / "masks" / f"{file.stem}.png"
        if not mask.is_file():
            raise InputError(f"{file} has no mask {mask}")
        image, regions = read_image(file), read_index_png(mask)
        if regions.shape != image.shape[:2]:
            raise InputError(f"{mask} is of another size than {file}")
        areas = np.bincount(regions.ravel())
        areas[0] = 0
        largest = [int(i) for i in np.argsort(-areas, kind="stable") if areas[i]][:most]
        rank = np.zeros(len(areas), np.int32)
        rank[largest] = np.arange(len(largest)) + 1
        infos = [MarkInfo(n, label_of(n), color_of(n)) for n in range(1, len(largest) + 1)]
        found.append(Photo(file.stem, image, rank[regions], infos))
    return found
