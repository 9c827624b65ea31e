"""The plainest propagator: yesterday's label map, warped by the optical flow. It needs no weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.tracking.flow import flow_size, warp_labels
from som_agent.tracking.propagators.base import Propagated
from som_agent.video.frame import Frame, Image

__all__ = ["WarpPropagator"]


class WarpPropagator:
    """Every pixel is what it was where the flow says that it came from; see `Propagator`.

    It is what others are measured against: errors of the flow add up, and what is hidden is lost for good.
    The flow is dense inverse search (Kroeger et al., ECCV 2016) at the frames' size; coarser ones lose more.
    """

    name = "warp"

    def __init__(self) -> None:
        self._before: Image | None = None
        self._regions = Regions.from_labels(np.zeros((0, 0), np.int32))
        self._ids: list[int] = []

    def fresh(self) -> WarpPropagator:
        """See `Propagator.fresh`."""
        return WarpPropagator()

    def step(self, frame: Frame) -> Propagated:
        """Warp the objects into the next frame; see `Propagator.step`."""
        h, w = frame.image.shape[:2]
        now = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
        if flow_size(w, h) != (w, h):
            now = np.asarray(cv2.resize(now, flow_size(w, h)), np.uint8)
        if self._before is None:
            self._regions = Regions.from_labels(np.zeros((h, w), np.int32))
        elif self._ids:
            dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
            field = dis.calc(now, self._before, np.zeros((*now.shape, 2), np.float32))
            scale = np.array([w / now.shape[1], h / now.shape[0]], np.float32)
            flow: FloatArray = np.asarray(cv2.resize(field, (w, h)) * scale, np.float32)
            self._regions = Regions.from_atoms(warp_labels(self._regions.atoms, flow), self._regions.members)
        self._before = now
        return self._seen()

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        """Add or correct objects; see `Propagator.put`."""
        kept = [i for i, number in enumerate(self._ids) if number not in ids]
        others = [self._regions.mask(i) for i in kept if self._regions.areas[i]]
        self._ids = [self._ids[i] for i in kept if self._regions.areas[i]] + [int(number) for number in ids]
        self._regions = Regions.from_masks(np.concatenate([others, masks]) if others else masks)

    def drop(self, ids: Sequence[int]) -> None:
        """Forget objects; see `Propagator.drop`."""
        kept = [i for i, number in enumerate(self._ids) if number not in ids]
        self._ids = [self._ids[i] for i in kept]
        self._regions = self._regions.regroup(self._regions.members[kept])

    def _seen(self) -> Propagated:
        seen = np.flatnonzero(self._regions.areas)
        regions = self._regions.select(seen)
        ids = np.array(self._ids, np.int32)[seen]
        return Propagated(regions, ids, np.ones(len(seen), np.float32))
