"""A way past what is near: the free direction that is nearest to the wanted one."""

from __future__ import annotations

import math
from collections.abc import Iterable

from examples.robot.memory import Landmark, Memory
from examples.robot.room import BODY_RADIUS_M

__all__ = ["free_direction", "is_free"]

MARGIN_M = 0.09
LOOK_AHEAD_M = 1.1
STEP_DEG = 5
WIDEST_DEG = 110
FAITHFUL_DEG = 40.0
"""A direction on the side that was taken before counts as so much nearer: no dithering before a thing."""


def is_free(memory: Memory, azimuth_deg: float, distance_m: float, obstacles: Iterable[Landmark]) -> bool:
    """Whether the robot can drive so far in a direction."""
    for thing in obstacles:
        at, far = memory.towards(thing.x, thing.y)
        off = math.radians(at - azimuth_deg)
        along, aside = far * math.cos(off), abs(far * math.sin(off))
        if along <= 0 or along - thing.radius > distance_m:
            continue
        if aside < thing.radius + BODY_RADIUS_M + MARGIN_M:
            return False
    return True


def free_direction(
    memory: Memory, azimuth_deg: float, distance_m: float, obstacles: list[Landmark], side: int
) -> float | None:
    """The azimuth to take for a goal; None where everything around is blocked.

    Args:
        memory: where the robot is.
        azimuth_deg: of the goal.
        distance_m: to the goal; what stands beyond it does not matter.
        obstacles: what is in the way.
        side: 1 if the last way round went to the right of the goal, -1 to the left, 0 for neither.
    """
    ahead = min(distance_m, LOOK_AHEAD_M)
    ways = [azimuth_deg + step for step in range(-WIDEST_DEG, WIDEST_DEG + 1, STEP_DEG)]
    free = [way for way in ways if is_free(memory, way, ahead, obstacles)]

    def cost(way: float) -> float:
        off = way - azimuth_deg
        return abs(off) - (FAITHFUL_DEG if off * side > 0 else 0.0)

    return min(free, key=cost, default=None)
