"""The robot's own planner: search, approach, stop in front, recover. It sees only what the tools told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from examples.robot.memory import Landmark, Memory, is_ground
from examples.robot.steering import free_direction
from examples.robot.tools import Sight

__all__ = ["Decision", "Rules"]

STOP_M = 0.56
"""Over the floor from the camera to the foot of what is asked for; 0.39 m from the robot's body."""
FACING_DEG = 12.0
TURN_DEG, DRIVE_M = 12.0, 0.07
"""Most of either in one step."""
IN_VIEW_DEG = 28.0
ALL_ROUND_DEG = 380.0
LOST_STEPS = 45
"""Steps towards where a thing was seen last before it is looked for anew."""
ASK_AGAIN_STEPS = 6
"""What marks seen before are is asked anew after so many steps: from nearer a colour is another one."""
WAY_STEPS = 70
"""Steps to a place to look from before another one is tried."""
ASIDE_M = 0.42
ARRIVED_M = 0.2


@dataclass(frozen=True)
class Decision:
    """What to do next: turn to the right, then drive ahead; or stop, since this is the place."""

    turn_deg: float
    forward_m: float
    why: str
    stop: bool = False


class Rules:
    """Looks for what words name and goes there; call `decide` once a frame.

    Args:
        find: marks that are seen now and that the words name: the tool `find`.
    """

    def __init__(self, find: Callable[[Sequence[Sight]], list[int]]) -> None:
        self.memory = Memory()
        self._find = find
        self._targets: set[int] = set()
        self._asked: set[int] = set()
        self._asked_ago = 0
        self._goal: tuple[float, float] | None = None
        self._lost = 0
        self._turned = 0.0
        self._side = 0
        self._way: tuple[float, float] | None = None
        self._way_steps = 0
        self._tried: list[tuple[float, float]] = []
        self.followed: int | None = None

    def decide(self, sights: Sequence[Sight], time_s: float) -> Decision:
        """The next step.

        Args:
            sights: what `locate_marks` tells now.
            time_s: seconds.
        """
        self.memory.see(sights, time_s)
        target = self._target(sights)
        self.followed = None if target is None else target.mark
        if target is not None:
            decision = self._approach(target)
        elif self._goal is not None:
            decision = self._return(self._goal)
        else:
            decision = self._search()
        return decision

    def moved(self, turn_deg: float, forward_m: float) -> None:
        """What of the decision was carried out."""
        self.memory.moved(turn_deg, forward_m)

    def _target(self, sights: Sequence[Sight]) -> Sight | None:
        """The mark that is asked for, as long as it is seen; its number is trusted while it lasts."""
        seen = [s for s in sights if s.is_visible and not is_ground(s)]
        known = [s for s in seen if s.mark in self._targets]
        self._asked_ago += 1
        here = {s.mark for s in seen}
        if not known and (not here <= self._asked or self._asked_ago >= ASK_AGAIN_STEPS):
            named = set(self._find(sights))
            known = [s for s in seen if s.mark in named]
            self._targets |= {s.mark for s in known}
            self._asked, self._asked_ago = here, 0
        # Of several, faces of one thing perhaps, the one that stands on the floor.
        return min(known, key=lambda s: s.bottom_deg, default=None)

    def _approach(self, target: Sight) -> Decision:
        self._lost, self._turned, self._way = 0, 0.0, None
        ground = target.ground_m
        if ground is not None:
            self._goal = self.memory.place(target.azimuth_deg, ground)
        elif self._goal is not None:
            ground = self.memory.towards(*self._goal)[1]
        name = f"[{target.label}]"
        if ground is not None and ground <= STOP_M:
            if abs(target.azimuth_deg) <= FACING_DEG:
                return Decision(0.0, 0.0, f"{name} is {ground:.2f} m ahead: this is the place", stop=True)
            return Decision(_limited(target.azimuth_deg), 0.0, f"turn to {name}")
        return self._steer(target.azimuth_deg, ground or 1.5, f"go to {name}")

    def _return(self, goal: tuple[float, float]) -> Decision:
        """It was seen and is not now: go where it was, and look."""
        azimuth, distance = self.memory.towards(*goal)
        self._lost += 1
        if self._lost > LOST_STEPS or (distance < STOP_M and abs(azimuth) < IN_VIEW_DEG):
            self._goal, self._lost, self._turned = None, 0, 0.0
            return self._search()
        if abs(azimuth) > IN_VIEW_DEG and self._side == 0:
            return Decision(_limited(azimuth), 0.0, "it left the view: turn to where it was")
        return self._steer(azimuth, distance, "it is hidden: go on to where it was")

    def _search(self) -> Decision:
        if self._way is not None:
            azimuth, distance = self.memory.towards(*self._way)
            self._way_steps += 1
            if distance > ARRIVED_M and self._way_steps <= WAY_STEPS:
                return self._steer(azimuth, distance, "look from another place: go there", 0.0)
            self._way, self._turned = None, 0.0
        if self._turned >= ALL_ROUND_DEG:
            self._way, self._way_steps, self._side = self._viewpoint(), 0, 0
            return Decision(0.0, 0.0, "it is nowhere to be seen from here: choose another place")
        self._turned += TURN_DEG
        return Decision(TURN_DEG, 0.0, "look around")

    def _viewpoint(self) -> tuple[float, float]:
        """A place beside what hides most and was not looked behind yet."""
        things = [*self.memory.landmarks.values()]

        def hides(thing: Landmark) -> float:
            _, distance = self.memory.towards(thing.x, thing.y)
            tries = sum(math.hypot(thing.x - x, thing.y - y) < 0.5 for x, y in self._tried)
            return thing.radius / max(distance, 0.2) - tries

        if not things:
            return self.memory.place(0.0, 0.8)
        hider = max(things, key=hides)
        self._tried.append((hider.x, hider.y))
        azimuth, distance = self.memory.towards(hider.x, hider.y)
        places = []
        for side in (-1, 1):
            off = math.degrees(math.atan2(side * (hider.radius + ASIDE_M), distance))
            place = self.memory.place(azimuth + off, math.hypot(distance, hider.radius + ASIDE_M))
            room = min(
                (
                    math.hypot(place[0] - other.x, place[1] - other.y) - other.radius
                    for other in self.memory.obstacles(())
                ),
                default=0.0,
            )
            places.append((room, place))
        # The second time the other side.
        return sorted(places, reverse=True)[(self._tried.count((hider.x, hider.y)) - 1) % 2][1]

    def _steer(self, azimuth: float, distance: float, why: str, near_m: float = STOP_M) -> Decision:
        obstacles = self.memory.obstacles(self._targets)
        way = free_direction(self.memory, azimuth, distance, obstacles, self._side)
        if way is None:
            self._side = 0
            return Decision(TURN_DEG, -0.03, f"{why}; all is blocked: back off")
        off = way - azimuth
        self._side = 0 if abs(off) < 1 else (1 if off > 0 else -1)
        if self._side:
            why += f", passing {'right' if self._side > 0 else 'left'} of what is in the way"
        turn = _limited(way)
        if abs(way - turn) > 8:
            return Decision(turn, 0.0, why)
        return Decision(turn, min(DRIVE_M, max(0.02, distance - near_m + 0.02)), why)


def _limited(turn_deg: float) -> float:
    turned = (turn_deg + 180) % 360 - 180
    return max(-TURN_DEG, min(TURN_DEG, turned))
