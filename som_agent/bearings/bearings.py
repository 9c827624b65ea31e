"""Bearings of all marks, frame after frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from som_agent.bearings.approach import Approach
from som_agent.bearings.bearing import Bearing
from som_agent.bearings.camera import Camera, Floats, angles_deg
from som_agent.bearings.grid import PixelGrid
from som_agent.bearings.looming import size_of
from som_agent.errors import InputError
from som_agent.history import GONE, OCCLUDED, STATES, VISIBLE, Observation
from som_agent.marks.marked import MarkedFrame

__all__ = ["Bearings"]

EDGE_NOISE_PX = 0.2
"""How exact the size of a mask can be at best, in pixels of the picture that was processed."""


class Bearings:
    """Give it each frame of a session in turn: it says where every mark is from the camera.

    It remembers a few numbers of each mark that is not gone, over a short window.

    Args:
        camera: that took the frames, at the size of the source.
        window_s: over how many seconds growth is measured.

    Raises:
        InputError: the window is no time.
    """

    def __init__(self, camera: Camera, *, window_s: float = 1.0) -> None:
        if not (math.isfinite(window_s) and window_s > 0):
            raise InputError(f"window_s must be a time in seconds above 0, got {window_s}")
        self.camera = camera
        self.window_s = window_s
        self._known: dict[int, Approach] = {}
        self._grid: PixelGrid | None = None

    def update(
        self,
        marked: MarkedFrame,
        observations: Sequence[Observation],
        depth_m: npt.NDArray[np.floating] | None = None,
    ) -> list[Bearing]:
        """Where the marks are in the next frame.

        Args:
            marked: the frame.
            observations: of all marks in that frame: `Session.observations`.
            depth_m: metres along the optical axis, `[H, W]` float at the size of the source; 0, negative
                numbers, NaN and infinity say that it is not known there.

        Returns:
            One bearing for each mark that is visible, and for each that is occluded and was seen before, by
            number.

        Raises:
            InputError: a frame or a depth map of another size than the camera's, or no depth map at all.
        """
        if marked.size != self.camera.size:
            was, now = (f"{w}x{h} px" for w, h in (self.camera.size, marked.size))
            raise InputError(f"the camera takes pictures of {was}, frame {marked.index} is {now}")
        depth = None if depth_m is None else _checked(depth_m, self.camera.size)
        gone = {row.mark for row in observations if row.state == GONE}
        told = {row.mark for row in observations} | {info.mark for info in marked.infos}
        self._known = {mark: past for mark, past in self._known.items() if mark in told - gone}
        found = {bearing.mark: bearing for bearing in self._visible(marked, depth)}
        for row in observations:
            past = self._known.get(row.mark)
            if row.state == OCCLUDED and row.mark not in found and past is not None and past.last is not None:
                past.hide()
                found[row.mark] = Bearing(
                    mark=row.mark,
                    label=past.last.label,
                    state=STATES[OCCLUDED],
                    age_s=marked.time - past.seen_s,
                    azimuth_deg=past.last.azimuth_deg,
                    elevation_deg=past.last.elevation_deg,
                    left_deg=past.last.left_deg,
                    right_deg=past.last.right_deg,
                    top_deg=past.last.top_deg,
                    bottom_deg=past.last.bottom_deg,
                )
        return [found[mark] for mark in sorted(found)]

    def _visible(self, marked: MarkedFrame, depth: Floats | None) -> list[Bearing]:
        regions = marked.regions
        h, w = regions.atoms.shape
        if self._grid is None or self._grid.shape != (h, w):
            self._grid = PixelGrid.of(self.camera, (h, w))
        grid = self._grid
        solid, middles = grid.middles(regions)
        sizes, boxes = size_of(solid), regions.boxes.astype(np.float64)
        azimuths, elevations = angles_deg(middles)
        sides, cuts = grid.sides(boxes), grid.cut(boxes)
        bearings = []
        for k, info in enumerate(marked.infos):
            bearing = Bearing(
                mark=info.mark,
                label=info.label,
                state=STATES[VISIBLE],
                age_s=0.0,
                azimuth_deg=float(azimuths[k]),
                elevation_deg=float(elevations[k]),
                left_deg=float(sides[k, 0]),
                right_deg=float(sides[k, 1]),
                top_deg=float(sides[k, 2]),
                bottom_deg=float(sides[k, 3]),
                cut=bool(cuts[k]),
            )
            found = None if depth is None else grid.depth_range(regions, k, depth)
            x0, y0, x1, y1 = boxes[k]
            past = self._known.setdefault(info.mark, Approach(self.window_s))
            noise = EDGE_NOISE_PX * grid.pixel_rad
            bearings.append(
                past.see(
                    marked.time,
                    bearing,
                    float(sizes[k]),
                    noise,
                    (float(x1 - x0), float(y1 - y0)),
                    found or grid.floor_range(regions, k),
                )
            )
        return bearings


def _checked(depth_m: npt.NDArray[np.floating], size: tuple[int, int]) -> Floats:
    """The depth map with NaN wherever it is not known.

    Raises:
        InputError: it is none, or of another size.
    """
    if not isinstance(depth_m, np.ndarray) or depth_m.dtype.kind != "f" or depth_m.ndim != 2:
        what = (
            f"{depth_m.dtype} of shape {depth_m.shape}"
            if isinstance(depth_m, np.ndarray)
            else type(depth_m).__name__
        )
        raise InputError(f"a depth map must be [H, W] of floating point metres, got {what}")
    if depth_m.shape[::-1] != tuple(size):
        was, now = (f"{w}x{h} px" for w, h in (size, depth_m.shape[::-1]))
        raise InputError(f"the camera takes pictures of {was}, the depth map is {now}")
    depth = depth_m.astype(np.float64)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
