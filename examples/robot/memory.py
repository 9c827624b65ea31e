"""Where things are by the robot's own reckoning: its commands add up to a pose, its sights to a map."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from examples.robot.tools import Sight

__all__ = ["Landmark", "Memory", "is_ground"]

GROUND_DEG = 55.0
"""What fills the foot of the picture and is wider than this is the ground."""
LEAST_RADIUS_M = 0.05
LARGEST_M = 0.5
"""What is larger is no thing to walk round; only the points of it that were nearest are remembered."""
FOOT_UNSEEN_M = 0.4
FLAT_DEG = -2.0
BEHIND = 0.6
"""How far the middle of a thing is behind the part of it that is ranged, in its radii."""
MOVED_M = 0.15
"""What is so far from where it was a sixth of a second ago was not where it seemed, or moved."""
FEET, FEET_APART_M = 12, 0.08
KEPT = 0.98
"""Share of a radius that stays from sight to sight."""
CELL_M = 0.25
MOST_WALLS = 200
SAME_PLACE_M = 0.2
VIEW_DEG = 30.0
"""Half of what of the view is trusted: a thing that should be there and is not, is not there any more."""
FORGOTTEN_S = 1.0
PICTURE_FOOT_DEG, SIDE_DEG = -40.0, 36.0
"""Where the picture ends, a little less."""


@dataclass
class Landmark:
    """A thing on the floor.

    Attributes:
        x, y: of its middle, in metres of the robot's own reckoning.
        radius: metres.
        seen_s: when it was seen last.
        foot: points of its foot that were nearest, as the robot went by: x, y.
    """

    x: float
    y: float
    radius: float
    seen_s: float
    foot: tuple[tuple[float, float], ...] = ()


def is_ground(sight: Sight) -> bool:
    """Whether a mark is what the robot stands on: it fills the foot of the picture from side to side."""
    wide = sight.right_deg - sight.left_deg > GROUND_DEG
    return sight.cut and sight.bottom_deg < PICTURE_FOOT_DEG and wide


class Memory:
    """Pose and landmarks; x is ahead at the start, y to the left, angles to the right in degrees.

    Attributes:
        x, y: where the robot is, in metres.
        heading_deg: to the right of how it stood at the start.
        landmarks: mark → what is remembered of it.
        walls: points of what is too wide to walk round, at most one in each square of `CELL_M`.
    """

    def __init__(self) -> None:
        self.x = self.y = self.heading_deg = 0.0
        self.landmarks: dict[int, Landmark] = {}
        self.walls: dict[tuple[int, int], Landmark] = {}
        self._wall_marks: set[int] = set()
        self._ground_colors: set[str] = set()

    def moved(self, turn_deg: float, forward_m: float) -> None:
        """A command was carried out."""
        self.heading_deg += turn_deg
        at = math.radians(self.heading_deg)
        self.x += forward_m * math.cos(at)
        self.y -= forward_m * math.sin(at)

    def place(self, azimuth_deg: float, distance_m: float) -> tuple[float, float]:
        """The point in a direction from the robot."""
        at = math.radians(self.heading_deg + azimuth_deg)
        return self.x + distance_m * math.cos(at), self.y - distance_m * math.sin(at)

    def towards(self, x: float, y: float) -> tuple[float, float]:
        """Azimuth in degrees, -180 to 180, and distance in metres of a point."""
        dx, dy = x - self.x, y - self.y
        azimuth = math.degrees(math.atan2(-dy, dx)) - self.heading_deg
        return (azimuth + 180) % 360 - 180, math.hypot(dx, dy)

    def see(self, sights: Iterable[Sight], time_s: float) -> None:
        """Remember what stands where; forget what is not where it should be."""
        seen = [sight for sight in sights if sight.is_visible]
        for sight in seen:
            if is_ground(sight) and sight.mark not in self._wall_marks:
                self._ground_colors = set(sight.colors.split(" and "))
        for sight in seen:
            if sight.mark in self._wall_marks or not (is_ground(sight) or self._is_patch(sight)):
                self._take(sight, time_s)
        for mark, known in list(self.landmarks.items()):
            if known.seen_s < time_s and (self._is_doubled(mark) or self._is_missed(known, time_s)):
                del self.landmarks[mark]

    def obstacles(self, but: Collection[int]) -> list[Landmark]:
        """All that the robot may run into, but some marks."""
        things = [known for mark, known in self.landmarks.items() if mark not in but]
        feet = [Landmark(x, y, LEAST_RADIUS_M, known.seen_s) for known in things for x, y in known.foot]
        return [*things, *feet, *self.walls.values()]

    def _take(self, sight: Sight, time_s: float) -> None:
        if sight.ground_m is None or sight.range_at_deg is None:
            if sight.mark in self._wall_marks and sight.bottom_deg < PICTURE_FOOT_DEG:
                self._wall(
                    sight.azimuth_deg, FOOT_UNSEEN_M, time_s
                )  # so near that its foot is below the picture
            return
        half = math.sin(math.radians(min(sight.right_deg - sight.left_deg, 178) / 2))
        # Of a box the nearest corner is ranged, of a ball what is under its middle: something in between.
        radius = sight.ground_m * half / (1 - BEHIND * half)
        if radius > LARGEST_M:
            self._wall_marks.add(sight.mark)
        if sight.mark in self._wall_marks:
            self.landmarks.pop(sight.mark, None)
            self._wall(sight.range_at_deg, sight.ground_m, time_s)
            return
        radius = max(LEAST_RADIUS_M, radius)
        known = self.landmarks.get(sight.mark)
        foot = self.place(sight.range_at_deg, sight.ground_m)
        if known is not None:  # what hides a part of it, or a border within it, makes it no smaller
            radius = max(radius, KEPT * known.radius)
        if known is not None and max(-sight.left_deg, sight.right_deg) > SIDE_DEG:
            known.seen_s = time_s  # the border cuts it: what is seen of it is less than what is known
            known.foot = _with(known.foot, foot)
            return
        middle = (sight.left_deg + sight.right_deg) / 2
        x, y = self.place(middle, sight.ground_m + BEHIND * radius)
        stays = known is not None and math.hypot(x - known.x, y - known.y) < MOVED_M
        feet = _with(known.foot if known is not None and stays else (), foot)
        self.landmarks[sight.mark] = Landmark(x, y, radius, time_s, feet)

    def _is_patch(self, sight: Sight) -> bool:
        """Whether a mark is a piece of the ground: of its colours, and nowhere above the camera."""
        return sight.top_deg < FLAT_DEG and set(sight.colors.split(" and ")) <= self._ground_colors

    def _wall(self, azimuth_deg: float, distance_m: float, time_s: float) -> None:
        x, y = self.place(azimuth_deg, distance_m)
        self.walls[round(x / CELL_M), round(y / CELL_M)] = Landmark(x, y, LEAST_RADIUS_M, time_s)
        if len(self.walls) > MOST_WALLS:
            del self.walls[min(self.walls, key=lambda cell: self.walls[cell].seen_s)]

    def _is_doubled(self, mark: int) -> bool:
        """Whether another mark stands there since: the same thing under another number."""
        old = self.landmarks[mark]
        return any(
            math.hypot(other.x - old.x, other.y - old.y) < SAME_PLACE_M and other.seen_s > old.seen_s
            for other in self.landmarks.values()
        )

    def _is_missed(self, known: Landmark, time_s: float) -> bool:
        """Whether it should be in plain view and was not seen for a while."""
        azimuth, distance = self.towards(known.x, known.y)
        if time_s - known.seen_s < FORGOTTEN_S or abs(azimuth) > VIEW_DEG or not 0.6 < distance < 2.5:
            return False
        for other in self.landmarks.values():
            at, near = self.towards(other.x, other.y)
            spread = math.degrees(math.atan2(other.radius + known.radius, max(near, 0.1)))
            if other is not known and near < distance and abs(at - azimuth) < spread:
                return False  # something is before it
        return True


def _with(
    points: tuple[tuple[float, float], ...], point: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """A few points, and one more if it is apart from the others."""
    if any(math.dist(point, other) < FEET_APART_M for other in points):
        return points
    return (*points, point)[-FEET:]
