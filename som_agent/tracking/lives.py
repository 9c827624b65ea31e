"""The tracks that there are: who they are, how they look and move, and when they come and go."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from som_agent.regions import FloatArray
from som_agent.tracking.shapes import Shape

if TYPE_CHECKING:
    from som_agent.tracking.glance import Embedding

__all__ = ["MOMENTUM_S", "WHOLE", "Lives", "Track"]

WHOLE = 0.85
"""Share of its usual area from which an object is seen whole."""
MOMENTUM_S = 0.5
"""Seconds for which a hidden object is expected to keep its velocity."""
TRUST = 0.35
"""Error of a prediction, as a share of the object's size, at which it is believed by 0.61."""


def _nowhere() -> FloatArray:
    return np.zeros(2, np.float32)


@dataclass
class Track:
    """One object through time. Lengths are in pixels of the picture that the tracker works on.

    Attributes:
        id: its number, from 1.
        born_s: when it was first seen.
        confirmed: it is shown; until then it may be flicker, or a known object that is not recognised yet.
        part: it was adopted: maybe finer than what the segmenter tells apart.
        whole: the track that it is a part of.
        hits: frames in which it was seen.
        looks_agreed: looks of the segmenter that found it, where masks are propagated.
        seen_s: when it was last seen.
        looks: running mean of its looks; see `Features.looks`.
        seen_looks: of what was seen of it when it was last seen.
        embedding: what it is to an embedding model, where there is one.
        area: running mean of its visible pixels.
        center: middle of its whole outline, x and y, hidden parts included.
        velocity: of that middle, pixels a second.
        outline: when it was last seen whole.
        seen: its visible outline when it was last seen.
        flow_error: running error of where the optical flow said it would be, pixels.
        motion_error: running error of where its velocity said it would be, pixels.
        was_seen: it was seen in the frame before.
        hider: the track that hides it now.
        held: its middle from the middle of the hider when it was hidden, x and y.
    """

    id: int
    born_s: float
    confirmed: bool
    part: bool = False
    whole: int | None = None
    hits: int = 0
    looks_agreed: int = 0
    seen_s: float = 0.0
    looks: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    seen_looks: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    embedding: Embedding | None = None
    area: float = 0.0
    center: FloatArray = field(default_factory=_nowhere)
    velocity: FloatArray = field(default_factory=_nowhere)
    outline: Shape | None = None
    seen: Shape | None = None
    flow_error: float = 0.0
    motion_error: float = 0.0
    hider: int | None = None
    held: FloatArray = field(default_factory=_nowhere)
    was_seen: bool = False

    @property
    def size(self) -> float:
        """Side of the square of its usual area."""
        return max(math.sqrt(self.area), 1.0)

    def look(self, looks: FloatArray, area: float) -> None:
        """Take in how it looks in this frame: a plain mean at first, then one of about ten frames."""
        weight = max(0.1, 1.0 / (self.hits + 1))
        self.looks = looks if not self.hits else (1 - weight) * self.looks + weight * looks
        # Slower: two alike objects that touch look like one for a moment, and part again.
        slow = max(0.03, 1.0 / (self.hits + 1))
        self.area = (1 - slow) * self.area + slow * area

    def see(self, center: FloatArray, time_s: float) -> None:
        """Take in where its middle is in this frame."""
        if self.hits and time_s - self.seen_s > MOMENTUM_S:
            self.velocity, self.motion_error = _nowhere(), self.size  # it may have turned anywhere
        elif self.hits and time_s > self.seen_s:
            speed = (center - self.center) / np.float32(time_s - self.seen_s)
            self.velocity = speed if self.hits == 1 else 0.5 * self.velocity + 0.5 * speed
        if self.hits == 0:
            self.motion_error = self.size  # nothing is known of its motion yet
        self.center, self.seen_s, self.hits = center, time_s, self.hits + 1
        self.hider, self.was_seen = None, True

    def judge(self, flow: FloatArray, motion: FloatArray) -> None:
        """Take in by how much, x and y, the flow and its own motion told its place wrongly."""
        self.flow_error = 0.5 * (self.flow_error + math.hypot(*flow.tolist()))
        self.motion_error = 0.5 * (self.motion_error + math.hypot(*motion.tolist()))

    def trust(self, error: float) -> float:
        """How far a prediction with such a running error is believed, 0 to 1."""
        return max(math.exp(-0.5 * (error / (TRUST * self.size)) ** 2), 0.05)


class Lives:
    """The tracks by number. A number once given is never given again.

    Args:
        lost_s: seconds that an unseen track is remembered.
        most: tracks kept at once, unseen ones included.
    """

    def __init__(self, lost_s: float, most: int) -> None:
        self.lost_s = lost_s
        self.most = most
        self.tracks: dict[int, Track] = {}
        self._next = 1

    def __getitem__(self, track: int) -> Track:
        return self.tracks[track]

    @property
    def room(self) -> int:
        """How many more there may be."""
        return max(self.most - len(self.tracks), 0)

    def new(self, time_s: float, *, confirmed: bool) -> Track:
        """The next track; it has not been seen yet."""
        track = Track(self._next, time_s, confirmed)
        self.tracks[track.id] = track
        self._next += 1
        return track

    def forget(self, present: Collection[int], time_s: float) -> tuple[list[int], list[int]]:
        """Drop tracks unseen for too long, and tentative ones at once: gone and occluded confirmed ones."""
        gone, occluded = [], []
        for track in list(self.tracks.values()):
            if track.id in present:
                continue
            if not track.confirmed:
                del self.tracks[track.id]
            elif time_s - track.seen_s > self.lost_s:
                del self.tracks[track.id]
                gone.append(track.id)
            else:
                occluded.append(track.id)
        return gone, occluded

    def drop(self, tracks: Iterable[int]) -> list[int]:
        """Drop some tracks now; the confirmed ones of them."""
        dropped = [self.tracks.pop(track) for track in tracks]
        return [track.id for track in dropped if track.confirmed]

    def end(self) -> list[int]:
        """Drop all tracks; the confirmed ones."""
        return self.drop(list(self.tracks))
