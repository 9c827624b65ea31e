"""Which watches are set in a drawn scene: every kind, with limits of chance; many never come true."""

from __future__ import annotations

from typing import Any

import numpy as np

from som_agent.evaluation.watch_facts import Facts
from som_agent.evaluation.watch_scenes import PALETTE, Scene
from som_agent.watches.conditions import (
    And,
    Appears,
    Beside,
    ChangesColor,
    ChangesSize,
    ComesBack,
    Condition,
    Enters,
    Exits,
    Faster,
    Leaves,
    Moves,
    Near,
    Or,
    Slower,
    Stops,
    Then,
    Touches,
    Zone,
)

__all__ = ["conditions_of"]


def conditions_of(scene: Scene, facts: Facts, start: int) -> list[tuple[Condition, bool]]:
    """Conditions on the things that are seen in a frame, and whether they begin with the scene."""
    rng = np.random.default_rng((scene.seed, 2))
    seen = [t.name for t in scene.things if facts.seen[start, t.name] > 0.7]
    wanted: list[Condition] = [Appears(), Leaves(), ComesBack()]
    if len(seen) < 2:
        return [(condition, False) for condition in wanted]

    def one() -> int:
        return int(rng.choice(seen))

    def two() -> tuple[int, int]:
        a, b = rng.choice(seen, 2, replace=False)
        return int(a), int(b)

    def zone() -> Zone:
        corners = scene.zones[int(rng.integers(len(scene.zones)))]
        xs, ys = zip(*corners, strict=True)
        if len(set(xs)) == 2 == len(set(ys)):
            return Zone(box=(min(xs), min(ys), max(xs), max(ys)))
        return Zone(polygon=corners, name="the corner")

    def near() -> Near:
        a, b = two()
        return Near(mark=a, other=b, distance_px=float(rng.uniform(8, 0.2 * scene.size[0])))

    def pick(*makers: Any) -> Condition:
        made: Condition = makers[int(rng.integers(len(makers)))]()
        return made

    def stops() -> Stops:
        return Stops(mark=one(), seconds=round(float(rng.uniform(0.4, 1.5)), 2))

    def fast() -> float:
        return float(rng.uniform(0.05, 0.4)) * scene.size[0]

    sides = ("left_of", "right_of", "above", "below")
    for _ in range(2):
        a, b = two()
        wanted += [
            Leaves(mark=one()),
            ComesBack(mark=one()),
            Moves(mark=one()),
            stops(),
            Faster(mark=one(), speed_px_s=fast()),
            Enters(mark=one(), zone=zone()),
            Exits(mark=one(), zone=zone()),
            near(),
            near(),
            Touches(mark=a, other=b),
            Beside(mark=a, other=b, side=sides[int(rng.integers(4))]),  # type: ignore[arg-type]
            ChangesColor(mark=one()),
            ChangesSize(mark=one(), factor=float(rng.choice([1.4, 0.7]))),
        ]
    here, there = zone(), one()
    wanted += [
        Leaves(mark=one(), how="gone"),
        Leaves(mark=one(), how="hidden"),
        Slower(mark=one(), speed_px_s=fast()),
        Stops(seconds=0.8),
        Enters(zone=zone()),
        Exits(zone=zone()),
        ChangesColor(),
        ChangesColor(mark=one(), to=str(rng.choice(list(PALETTE)))),
        ChangesSize(factor=1.4),
        ChangesSize(factor=0.7),
        Near(mark=one(), distance_px=20.0),
        And((near(), pick(stops, lambda: Moves(mark=one())))),
        And((Enters(mark=there, zone=here), stops())),
        And((Enters(mark=one(), zone=zone()), pick(near, lambda: Leaves(mark=one())))),
        Or((Enters(mark=one(), zone=zone()), near())),
        Or((Leaves(mark=one()), stops())),
        Then(Enters(mark=there, zone=here), Exits(mark=there, zone=here), within_s=3.0),
        Then(Moves(mark=one()), pick(near, stops), within_s=float(rng.uniform(0.8, 3))),
        Then(near(), Leaves(), within_s=2.0),
        Then(stops(), Moves(mark=one()), within_s=2.0),
        Touches(mark=one()),
        Touches(mark=there),
        And((Moves(mark=there), near())),
        Then(Moves(mark=there), Stops(mark=there, seconds=0.4), within_s=4.0),
    ]
    return [(condition, bool(rng.random() < 0.25)) for condition in wanted]
