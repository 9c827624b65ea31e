"""The rules of everything mode: where a network is asked, and which of its answers are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from som_agent.errors import InputError

__all__ = ["Everything", "SuppressBy", "grid_points"]

SuppressBy = Literal["boxes", "masks"]
"""By what two masks are told to be the same."""


@dataclass(frozen=True)
class Everything:
    """Rules by the names and with the defaults of `segment_anything.SamAutomaticMaskGenerator`.

    Attributes:
        points_per_side: points along each side of the grid. More find smaller things and take longer.
        points_per_batch: points that go through the network at once. More take more memory.
        point_grids: of each layer of crops the points to ask at, instead of a grid: `[n, 2]` as x, y, both
            shares of the crop from 0 to 1.
        pred_iou_thresh: masks that the network itself scores at this or lower are left out; 0 takes all.
        stability_score_thresh: masks that change more than this with the cutoff are left out; 0 takes all.
        stability_score_offset: how far the cutoff of the logits moves up and down for that.
        box_nms_thresh: of two masks that overlap by a larger IoU the one with the lower score goes.
        suppress_by: what overlaps. The original compares boxes. By `"masks"` a ring and the disc inside it
            both stay; it needs a mask of every stable candidate and takes longer.
        min_mask_region_area: holes and islands of fewer pixels are filled and cleared, and what becomes a
            duplicate by it goes; 0 leaves the masks as they are.
        crop_layers: after the whole picture, layer n looks at 2^n × 2^n crops of it, each enlarged to what
            the network sees. Things at a crop's cut are left to other crops.
        crop_overlap_ratio: by how much crops overlap: in the first layer by this share of the shorter side.
        crop_nms_thresh: the same as `box_nms_thresh` for masks of different crops, smaller crops first.
        crop_n_points_downscale_factor: crops of layer n have `points_per_side` divided by the n-th power.

    Raises:
        InputError: a number out of its range.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    point_grids: Sequence[npt.ArrayLike] | None = None
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    suppress_by: SuppressBy = "boxes"
    min_mask_region_area: int = 0
    crop_layers: int = 0
    crop_overlap_ratio: float = 512 / 1500
    crop_nms_thresh: float = 0.7
    crop_n_points_downscale_factor: int = 1

    def __post_init__(self) -> None:
        for name in ("points_per_side", "points_per_batch", "crop_n_points_downscale_factor"):
            self._check(name, _is_whole(getattr(self, name), 1), "a whole number from 1")
        for name in ("min_mask_region_area", "crop_layers"):
            self._check(name, _is_whole(getattr(self, name), 0), "a whole number from 0")
        for name in ("stability_score_thresh", "box_nms_thresh", "crop_nms_thresh", "crop_overlap_ratio"):
            self._check(name, _is_number(getattr(self, name), 0, 1), "a number from 0 to 1")
        for name in ("pred_iou_thresh", "stability_score_offset"):
            self._check(name, _is_number(getattr(self, name), -math.inf, math.inf), "a number")
        self._check("stability_score_offset", self.stability_score_offset >= 0, "0 or more")
        self._check("suppress_by", self.suppress_by in get_args(SuppressBy), "boxes or masks")
        if self.point_grids is None:
            least = self.crop_n_points_downscale_factor**self.crop_layers
            self._check("points_per_side", self.points_per_side >= least, f"{least} or more for its crops")
            return
        grids = [np.asarray(grid, np.float64) for grid in self.point_grids]
        fit = all(grid.ndim == 2 and grid.shape[1] == 2 and len(grid) for grid in grids)
        self._check("point_grids", fit and len(grids) > self.crop_layers, "an array [n, 2] for each layer")
        inside = all(((grid >= 0) & (grid <= 1)).all() for grid in grids)
        self._check("point_grids", inside, "shares of the picture, from 0 to 1")

    def points(self, layer: int, size: tuple[int, int]) -> torch.Tensor:
        """The points to ask at in a crop of a layer: `[n, 2] float64` as x, y.

        Args:
            layer: 0 for the whole picture.
            size: height and width of what the network sees of the crop.
        """
        if self.point_grids is None:
            return grid_points(self.points_per_side // self.crop_n_points_downscale_factor**layer, size)
        shares = torch.from_numpy(np.array(self.point_grids[layer], np.float64))
        return shares * torch.tensor([size[1], size[0]], dtype=torch.float64)

    def _check(self, name: str, good: bool, wanted: str) -> None:
        if not good:
            value = " ".join(repr(getattr(self, name)).split())[:80]
            raise InputError(f"everything mode's {name} must be {wanted}, got {value}")


def grid_points(points_per_side: int, size: tuple[int, int]) -> torch.Tensor:
    """A grid of points in the middles of equal cells, row by row: `[n², 2] float64` as x, y.

    Args:
        points_per_side: n.
        size: height and width of what the network sees of the picture.
    """
    steps = (torch.arange(points_per_side, dtype=torch.float64) + 0.5) / points_per_side
    y, x = torch.meshgrid(steps * size[0], steps * size[1], indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= least)


def _is_number(value: Any, least: float, most: float) -> bool:
    return (
        isinstance(value, int | float | np.floating) and math.isfinite(value) and bool(least <= value <= most)
    )
