"""What is where in a drawn scene, frame by frame, told from how it was drawn; for `watch_truth`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.evaluation.watch_scenes import Scene
from som_agent.regions import IntArray

__all__ = ["Bools", "Facts", "Floats"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_WINDOW_S = 0.4


@dataclass
class Facts:
    """What is where in a scene.

    Attributes:
        scene: the scene.
        labels: what its pixels show, `[F, h, w]`.
    """

    scene: Scene
    labels: list[IntArray]
    _gaps: dict[tuple[int, int], Floats] = field(default_factory=dict)
    _points: dict[int, list[Floats]] = field(default_factory=dict)
    _shares: dict[Any, Floats] = field(default_factory=dict)

    @cached_property
    def visible(self) -> Floats:
        """Visible pixels of each thing, `[F, N + 1] float64`."""
        n = len(self.scene.things)
        return np.array([np.bincount(f.ravel(), minlength=n + 1)[: n + 1] for f in self.labels], float)

    @cached_property
    def whole(self) -> dict[int, list[Bools]]:
        """Whole outline of each thing in the picture, whatever is before it."""
        times = self.scene.times.tolist()
        return {t.name: [t.shape(s, self.scene.size) for s in times] for t in self.scene.things}

    @cached_property
    def seen(self) -> Floats:
        """Visible share of each thing's whole area, parts outside the picture included, `[F, N + 1]`."""
        out = np.zeros_like(self.visible)
        for thing in self.scene.things:
            x, y = (thing.outline * 16).round().T / 16
            area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
            scales = np.array([thing.scale(t) for t in self.scene.times])
            out[:, thing.name] = np.minimum(self.visible[:, thing.name] / (area * scales**2), 1.0)
        return out

    @cached_property
    def places(self) -> dict[int, Floats]:
        """Middle of each thing, `[F, 2] float64`."""
        return {t.name: np.array([t.place(s) for s in self.scene.times]) for t in self.scene.things}

    def speeds(self, thing: int, window_s: float = _WINDOW_S) -> Floats:
        """Pixels a second over the last `window_s`, `[F] float64`."""
        back = max(round(window_s * self.scene.fps), 1)
        at = self.places[thing]
        before = at[np.maximum(np.arange(len(at)) - back, 0)]
        span = np.minimum(np.arange(len(at)), back) / self.scene.fps
        return np.asarray(np.hypot(*(at - before).T) / np.maximum(span, 1e-9))

    def well_seen(self, thing: int, least: float = 0.5, lasting_s: float = 0.0) -> Bools:
        """Where so much of it is seen that it can be told, for so long."""
        seen = self.seen[:, thing] >= least
        back = max(round(lasting_s * self.scene.fps), 2)
        out = np.array([bool(seen[max(f - back, 0) : f + 1].all()) for f in range(len(seen))])
        out[: round(lasting_s * self.scene.fps)] = False
        return out

    @property
    def diagonal(self) -> float:
        """Of the picture, in pixels."""
        return float(np.hypot(*self.scene.size))

    def share(self, zone: Any, thing: int) -> Floats:
        """Share of its whole outline that lies in a zone, `[F] float64`."""
        key = zone.corners, thing
        if key not in self._shares:
            self._shares[key] = self._measured_share(zone, thing)
        return self._shares[key]

    def _measured_share(self, zone: Any, thing: int) -> Floats:
        inside = self._inside(zone)
        return np.array([(m & inside).sum() / max(m.sum(), 1) for m in self.whole[thing]])

    def seen_share(self, zone: Any, thing: int) -> Floats:
        """Share in a zone of what is seen of it, `[F] float64`; not a number where nothing is."""
        inside = self._inside(zone)
        own = [labels == thing for labels in self.labels]
        return np.array([(m & inside).sum() / m.sum() if m.any() else np.nan for m in own])

    def _inside(self, zone: Any) -> Bools:
        mask = np.zeros(self.scene.size[::-1], np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(zone.corners) * 16).astype(np.int32)], 1, shift=4)
        return np.asarray(mask > 0)

    def there(self, thing: int) -> Bools:
        """From when on half of it has been seen."""
        return np.maximum.accumulate(self.seen[:, thing] >= 0.5)

    def gaps(self, a: int, b: int) -> Floats:
        """Pixels between the visible parts of two things, `[F] float64`; infinite where one is not seen."""
        key = (min(a, b), max(a, b))
        if key not in self._gaps:
            self._gaps[key] = np.array([_gap(p, q) for p, q in zip(*map(self._edges_of, key), strict=True)])
        return self._gaps[key]

    def _edges_of(self, thing: int) -> list[Floats]:
        """Pixels at the edge of what is seen of a thing, x and y, for every frame."""
        if thing not in self._points:
            self._points[thing] = [_edge(labels == thing) for labels in self.labels]
        return self._points[thing]

    def sides(self, thing: int, axis: int) -> Floats:
        """Where its whole outline begins and ends, x for axis 0, `[F, 2] float64`."""
        out = np.full((len(self.labels), 2), np.nan)
        for f, mask in enumerate(self.whole[thing]):
            at = np.flatnonzero(mask.any(axis=axis))
            if len(at):
                out[f] = at[0], at[-1] + 1
        return np.asarray(np.nan_to_num(out))


def _edge(mask: Bools) -> Floats:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    ys, xs = np.nonzero(mask & ~inner)
    return np.stack([xs, ys], axis=1).astype(float)


def _gap(a: Floats, b: Floats) -> float:
    """Pixels from the edges of one mask to those of another, by the middles of their outermost pixels."""
    from scipy.spatial.distance import cdist

    if not len(a) or not len(b):
        return float("inf")
    return max(float(cdist(a, b).min()) - 1.0, 0.0)
