"""What an embedding model says of things that may be objects that were out of sight."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from som_agent.regions import BoolArray, FloatArray, Regions
from som_agent.video.frame import Image

if TYPE_CHECKING:
    from som_agent.tracking.embedders import Embedder
    from som_agent.tracking.lives import Lives, Track

__all__ = ["Embedding", "Glance", "evidence"]

CROPS = 8
"""Most crops of a frame that are embedded."""
AGAIN_S, SELDOM = 0.5, 10
"""Seconds from a track's first embedding to its second; each time so much longer, up to this many times."""
FOR, AGAINST = 0.4, 0.6
"""By how much the model's word can raise or lower the likeness of two things."""
DARKER = 0.75
"""Light of the picture in which an object is embedded mirrored, to learn what such changes do to it."""
STEADY = 0.85
"""Share of a track's usual area, and of its area the usual one, from which it is a view to remember."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Embedding:
    """What an object is to an embedding model.

    Attributes:
        unit: running mean of its embeddings, `[D] float32`, of length 1.
        altered: how far (1 - cosine) it is from its own image, mirrored and darker.
        drift: running mean of how far each new embedding was from the mean before.
        count: how often it was embedded.
        time_s: when it was embedded last.
        others: tracks that were seen beside it then: other objects.
    """

    unit: FloatArray
    altered: float
    drift: float
    count: int
    time_s: float
    others: frozenset[int]

    @property
    def spread(self) -> float:
        """How far the object itself may be from it, when it comes back from another side, in other light."""
        return max(self.altered, self.drift)

    def renewed(self, unit: FloatArray, time_s: float, others: frozenset[int]) -> Embedding:
        """With another embedding of it: a plain mean at first, then one of about five."""
        weight = max(0.2, 1.0 / (self.count + 1))
        mean = (1 - weight) * self.unit + weight * unit
        mean = np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)
        slow = max(0.2, 1.0 / self.count)  # the first one had nothing to be far from
        drift = (1 - slow) * self.drift + slow * (1.0 - float(self.unit @ unit))
        return Embedding(mean, self.altered, drift, self.count + 1, time_s, others)


def evidence(candidate: npt.ArrayLike, own: npt.ArrayLike, other: npt.ArrayLike) -> _Floats:
    """How far a distance in a space of embeddings speaks for the same object, -1 to 1.

    Nothing is known of the model and its scale: some put any two pictures at a cosine of 0.8. So a distance
    is held against two that were measured with the same model in the same video: of the object from itself,
    and from the nearest object that is surely another, as was seen with it in one frame (Lowe, IJCV 2004,
    takes the nearest wrong match for a measure as well). As near as itself speaks for, as far as the other
    against, the middle neither way; and it has the less say the less these two differ. Where the model
    cannot tell the object from the others, among twenty same cups or with weights of chance, it has none.

    Args:
        candidate: distance (1 - cosine) of the track and the thing that may be it.
        own: how far the object is from itself.
        other: how far it is from the nearest other object, 0 where none is known.
    """
    room = np.maximum(np.subtract(other, own), 0.0)
    position = np.clip(np.subtract(other, candidate) / np.maximum(room, 1e-9), 0.0, 1.0)
    return np.asarray((2 * position - 1) * room / np.maximum(other, 1e-9), np.float64)


class Glance:
    """One frame, of which an embedding model may see a few crops.

    Args:
        embedder: the model.
        image: `[h, w, 3] uint8` RGB.
        regions: of which the sets of atoms to come are, of the picture's size.
    """

    def __init__(self, embedder: Embedder, image: Image, regions: Regions) -> None:
        self._embedder = embedder
        self._image = image
        self._atoms = regions.atoms
        self._left = CROPS

    def weights(
        self,
        score: _Floats,
        least: float,
        lost: Sequence[Track],
        visible: Sequence[Track],
        members: BoolArray,
        areas: _Floats,
    ) -> _Floats:
        """By how much the agreement of tracks and things is to be multiplied, `[L, M]`; 1 is neutral.

        It is neutral where either has no embedding, where no object in sight is known to be another, and the
        more so the less is seen of the thing: a sliver has another embedding than the whole.

        Args:
            score: agreement without it, `[L, M]`.
            least: pairs that agree less can be of no use, `least` as in `Glance.least`.
            lost: `L` unseen tracks.
            visible: tracks in sight.
            members: `M` things, sets of atoms `[M, A + 1] bool`.
            areas: their pixels, of the size that those of the tracks are, `[M]`.
        """
        weights = np.ones(score.shape)
        hopeful = np.flatnonzero(score.max(axis=1, initial=0.0) >= least).tolist()
        known = [(i, lost[i], own) for i in hopeful if (own := lost[i].embedding) is not None]
        other = {i: _to_nearest_other(track, own, visible) for i, track, own in known}
        telling = [(i, track, own) for i, track, own in known if other[i] > own.spread]
        best = score[[i for i, _, _ in telling]].max(axis=0, initial=0.0)
        things = np.argsort(-best, kind="stable")[: self._left]
        things = things[best[things] >= least]
        if not len(things):
            return weights
        units = self._embed(members[things])
        for i, track, own in telling:
            says = evidence(1.0 - units @ own.unit, own.spread, other[i])
            says *= np.minimum(areas[things] / max(track.area, 1.0), 1.0)
            weights[i, things] = 1.0 + np.where(says > 0, FOR, AGAINST) * says
        return weights

    @staticmethod
    def least(score: float) -> float:
        """The agreement from which the model's word can raise it to `score`."""
        return score / (1.0 + FOR)

    def refresh(self, ids: Sequence[int], members: Sequence[BoolArray], lives: Lives, time_s: float) -> None:
        """Embed tracks that are seen whole, while crops are left: new ones first, then the longest unseen.

        Args:
            ids: the tracks of this frame, which have learned from it.
            members: where they are, sets of atoms, `[A + 1] bool` each.
            lives: all tracks.
            time_s: now.
        """
        due = [k for k, i in enumerate(ids) if _is_due(lives[i], time_s)]
        first = [k for k in due if lives[ids[k]].embedding is None][: self._left // 2]
        later = sorted(
            (k for k in due if lives[ids[k]].embedding is not None), key=lambda k: _last(lives[ids[k]])
        )
        rows = first + later[: self._left - 2 * len(first)]
        if not rows:
            return
        units = self._embed(np.array([members[k] for k in rows]))
        mirrored = self._embed_otherwise(np.array([members[k] for k in first])) if first else units[:0]
        for n, (k, unit) in enumerate(zip(rows, units, strict=True)):
            track, apart = lives[ids[k]], _apart(k, ids, members, lives)
            if track.embedding is None:
                altered = 1.0 - float(unit @ mirrored[n])
                track.embedding = Embedding(unit, altered, 0.0, 1, time_s, apart)
            else:
                others = apart | (track.embedding.others & lives.tracks.keys())
                track.embedding = track.embedding.renewed(unit, time_s, others)

    def _embed(self, members: BoolArray) -> FloatArray:
        self._left -= len(members)
        return self._embedder.embed(self._image, members[:, self._atoms])

    def _embed_otherwise(self, members: BoolArray) -> FloatArray:
        """As they may look when they come back: what left to the right comes in from there mirrored."""
        self._left -= len(members)
        image = (self._image[:, ::-1] * np.float32(DARKER)).astype(np.uint8)
        masks = np.ascontiguousarray(members[:, self._atoms][:, :, ::-1])
        return self._embedder.embed(image, masks)


def _is_due(track: Track, time_s: float) -> bool:
    """Whether a track is to be embedded: shown, whole in this frame, and not just coming into sight."""
    if not track.confirmed or track.seen is None or track.outline is not track.seen:
        return False
    area = float(track.seen.mask.sum())
    if min(area, track.area) < STEADY * max(area, track.area):
        return False
    own = track.embedding
    return own is None or time_s - own.time_s >= AGAIN_S * min(own.count, SELDOM)


def _last(track: Track) -> float:
    assert track.embedding is not None
    return track.embedding.time_s


def _apart(k: int, ids: Sequence[int], members: Sequence[BoolArray], lives: Lives) -> frozenset[int]:
    """The tracks beside the `k`-th that share no pixel with it: its own parts are no other objects."""
    return frozenset(
        i
        for i, own in zip(ids, members, strict=True)
        if i != ids[k] and lives[i].confirmed and not (own & members[k]).any()
    )


def _to_nearest_other(track: Track, own: Embedding, visible: Collection[Track]) -> float:
    """Distance of a track to the nearest in sight that was once seen beside it, 0 if there is none."""
    others = [
        1.0 - float(own.unit @ it.embedding.unit)
        for it in visible
        if it.embedding is not None and (it.id in own.others or track.id in it.embedding.others)
    ]
    return min(others, default=0.0)
