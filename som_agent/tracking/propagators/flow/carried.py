"""One object on its way through a video: what is remembered of it, and how it gets into the next frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from som_agent.regions import BoolArray, FloatArray, IntArray
from som_agent.tracking.propagators.flow.advance import LOST_SHARE, advance
from som_agent.tracking.propagators.flow.color_table import count_colors, table_of
from som_agent.tracking.propagators.flow.looks import Look
from som_agent.tracking.propagators.flow.poses import widened
from som_agent.tracking.propagators.flow.posteriors import TIE
from som_agent.tracking.propagators.flow.shape_memory import (
    box_of,
    mean_depth_px,
    points_of,
    remember,
    seen_share,
)
from som_agent.tracking.propagators.flow.votes import STEP
from som_agent.video.frame import Image

__all__ = ["Carried", "carry", "learn", "new_carried"]

THICK_PX = 8.0
"""Objects thinner than this are tied less, or the ties would eat them."""
ADAPTIVE_WEIGHT, REFERENCE_TABLE_WEIGHT = 0.3, 0.15
COLOR_RATE, GROUND_RATE, SHAPE_RATE, LIKENESS_RATE = 0.1, 0.3, 0.05, 0.1
VISIBLE_ENOUGH, ALIKE_ENOUGH = 0.6, 0.7
"""Shares of the remembered shape and of the usual likeness from which an object is trusted whole."""
TABLE_EVERY = 4
TEMPLATE_POINTS, MOTION_POINTS = 100, 64


@dataclass(frozen=True)
class Reference:
    """The object as it was given, in a box of the frame of then.

    Attributes:
        origin: x, y of the box.
        lab: its colours, `[m, n, 3] uint8`.
        soft: the object's share of each pixel, `[m, n] float32`.
        points: x, y, three colours and weight of some points, `[p, 6] float32`.
        table: weighted log likelihood ratio of each colour.
        size_px: square root of its area.
        tie: weight of neighbours that look alike, in log odds.
    """

    origin: tuple[int, int]
    lab: Image
    soft: FloatArray
    points: FloatArray
    table: FloatArray
    size_px: float
    tie: float


@dataclass
class Carried:
    """An object and what changes of it from frame to frame.

    Attributes:
        number: its number among the objects, from 1.
        scale: pixels of the working size to one of the picture that it is followed in, 1 or `HALF`; all that
            follows is in pixels of that picture.
        reference: how it was given.
        shape: how often each pixel of the reference's box has been the object lately, `[m, n] float32`.
        pose: from the reference's pixels to those of the newest frame, `[2, 3] float64`.
        velocity_px: x, y per frame.
        corner: x, y of the box of the newest frame that the next two cover.
        soft: the object's share of each pixel, `[m, n] float32`.
        trust: how far the reference agrees, one value a sample.
        support: the remembered shape at the same samples.
        box: x0, y0, x1, y1 of the pixels that are more the object's than not; empty if none is.
        points: points of the newest frame as in `Reference.points`.
        counts: colours of the object and around it lately.
        table: the sum of both tables' log likelihood ratios.
        visible: seen share of the remembered shape.
        match: how much the newest frame looks like the reference, 0 to 1.
        usual_match: what that usually is; 0 before it is known.
        lost: frames for which too little of it was visible.
        age: frames since it was given.
    """

    number: int
    scale: int
    reference: Reference
    shape: FloatArray
    pose: Any
    velocity_px: Any
    corner: tuple[int, int]
    soft: FloatArray
    trust: FloatArray
    support: FloatArray
    box: tuple[int, int, int, int]
    points: FloatArray
    counts: FloatArray
    table: FloatArray
    visible: float = 1.0
    match: float = 1.0
    usual_match: float = 0.0
    lost: float = 0
    age: int = 0

    @property
    def size_px(self) -> float:
        """Square root of its area now, were it seen whole."""
        return float(self.pose[0, 0]) * self.reference.size_px

    @property
    def confidence(self) -> float:
        """How far its own motion and looks may be trusted and learnt from, 0 to 1.

        Little where much of it is hidden, or where what is taken for it does not look like it.
        """
        alike = self.match / (ALIKE_ENOUGH * self.usual_match) if self.usual_match else 1.0
        return (min(self.visible / VISIBLE_ENOUGH, 1.0) * min(alike, 1.0)) ** 2

    @property
    def sureness(self) -> float:
        """How sure it is that the region is still the object, 0 to 1."""
        usual = min(self.match / self.usual_match, 1.0) if self.usual_match else 1.0
        return float(min(max(0.5 * usual + 0.5 * min(self.visible / VISIBLE_ENOUGH, 1.0), 0.0), 1.0))


def new_carried(number: int, mask: BoolArray, now: Look, scale: int) -> Carried:
    """An object that covers `mask`, `[h, w] bool`, not empty, of the frame `now`, which is at that scale."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    box = (x, y, x + w, y + h)
    x0, y0, x1, y1 = widened(*box, *now.shape)
    soft = np.ascontiguousarray(mask[y0:y1, x0:x1], np.float32)
    codes = now.codes[y0:y1, x0:x1]
    sampled = np.ascontiguousarray(soft[::STEP, ::STEP])
    counts = count_colors(codes, soft, np.ones_like(sampled))
    given = table_of(counts, REFERENCE_TABLE_WEIGHT)
    reference = Reference(
        origin=(x0, y0),
        lab=np.ascontiguousarray(now.lab[y0:y1, x0:x1]),
        soft=soft,
        points=points_of(soft, np.ones_like(sampled), now.smooth, (x0, y0), TEMPLATE_POINTS),
        table=given,
        size_px=float(np.sqrt(soft.sum())),
        tie=TIE * min(4 * mean_depth_px(soft) / THICK_PX, 1.0),
    )
    return Carried(
        number=number,
        scale=scale,
        reference=reference,
        shape=soft.copy(),
        pose=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
        velocity_px=np.zeros(2),
        corner=(x0, y0),
        soft=soft,
        trust=np.ones_like(sampled),
        support=sampled,
        box=box,
        points=points_of(soft, np.ones_like(sampled), now.smooth, (x0, y0), MOTION_POINTS),
        counts=counts,
        table=given + table_of(counts, ADAPTIVE_WEIGHT),
    )


def carry(obj: Carried, now: Look, before: Look, flow: FloatArray, owners: IntArray) -> None:
    """Bring an object into the next frame: its pose, and the posterior of each pixel of a box around it.

    Args:
        obj: the object, changed; `soft` becomes the posterior of each pixel as if the object were alone.
        now: the next frame.
        before: the frame that the object is in.
        flow: see `flow_between`.
        owners: numbers of the objects in the frame before, `[h, w] int32`; 0 for none.
    """
    given = obj.reference
    obj.soft, obj.trust, obj.support, obj.corner, obj.match, obj.lost = advance(
        now.lab, before.lab, now.smooth, now.codes, now.links, flow, owners,
        obj.soft, obj.trust, obj.corner, obj.box, obj.points, obj.pose, obj.velocity_px, obj.shape,
        given.lab, given.soft, given.origin, given.points, obj.table,
        np.array(
            [obj.visible, obj.usual_match, obj.lost, obj.number, given.tie, given.size_px, obj.confidence]
        ),
    )  # fmt: skip


def learn(obj: Carried, now: Look) -> None:
    """Let an object's models follow what was seen of it; `soft` holds its final share of each pixel.

    The less of it is visible and the less it looks like itself, the less is learnt.
    """
    obj.age += 1
    if obj.visible >= LOST_SHARE:  # `match` was taken while it was
        obj.usual_match += (LIKENESS_RATE if obj.usual_match else 1.0) * (obj.match - obj.usual_match)
    obj.visible = float(seen_share(obj.soft, obj.support))
    obj.box = box_of(obj.soft, obj.corner, 0.5)
    obj.points = points_of(obj.soft, obj.trust, now.smooth, obj.corner, MOTION_POINTS)
    if not obj.soft.size:
        return
    sure = obj.confidence
    if sure > 0.01:
        remember(
            obj.shape,
            obj.reference.origin,
            obj.pose,
            obj.soft,
            obj.trust,
            obj.corner,
            now.shape,
            SHAPE_RATE * sure,
        )
    if (obj.age + obj.number) % TABLE_EVERY == 0:
        x0, y0 = obj.corner
        m, n = obj.soft.shape
        seen = count_colors(now.codes[y0 : y0 + m, x0 : x0 + n], obj.soft, obj.trust)
        for row, rate in ((0, COLOR_RATE * sure), (1, GROUND_RATE)):
            kept = (1 - rate) ** TABLE_EVERY
            obj.counts[row] = kept * obj.counts[row] + (1 - kept) * seen[row]
        obj.table = obj.reference.table + table_of(obj.counts, ADAPTIVE_WEIGHT)
