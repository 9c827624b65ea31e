"""One task in one room: frames in, decisions out, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from examples.robot.masks import RenderedMasks
from examples.robot.room import make_room
from examples.robot.rules import Decision, Rules
from examples.robot.tools import Sight, Tools
from examples.robot.world import EYE_M, FOV_DEG, PITCH_DEG, SIZE, World
from som_agent.bearings import Camera
from som_agent.marks.marked import MarkedFrame
from som_agent.settings import Settings
from som_tools.sessions import FedSession, SessionStore

__all__ = ["NEAR_M", "STEP_S", "Result", "Robot", "Watcher", "run"]

STEP_S = 1 / 6
"""Of the room's time from one decision to the next."""
MOST_STEPS = 360
NEAR_M = 0.5
"""From the robot's body to the surface of what was asked for: so near it must end."""
WRONG_SHARE = 0.5


Watcher = Callable[[MarkedFrame, list[Sight], Decision], None]


@dataclass(frozen=True)
class Result:
    """How a task ended.

    Attributes:
        seed: of the room.
        situation: how it began.
        asked: the words.
        success: it stopped by its own decision within `NEAR_M`, and touched nothing.
        cause: why not, "" for success.
        surface_m: from the robot's body to the surface of what was asked for.
        centre_m: from the robot's body to its middle.
        steps: decisions.
        seconds: of the room's time.
        wrong_frames: frames in which the mark that was followed lay mostly on something else.
        perceive_ms: of each frame: tracking and marks.
        decide_ms: of each decision: the tools' answers and the rules.
    """

    seed: int
    situation: str
    asked: str
    success: bool
    cause: str
    surface_m: float
    centre_m: float
    steps: int
    seconds: float
    wrong_frames: int
    perceive_ms: list[float] = field(repr=False)
    decide_ms: list[float] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """An object for JSON, without the times of each step."""
        row = {k: v for k, v in asdict(self).items() if not k.endswith("_ms")}
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


class Robot:
    """The robot in its room, with a session that its camera feeds; use it in a `with` statement.

    Args:
        seed: of the room.
        segmenter: "labels" for true masks, or what `Session` takes.
        depth: whether it has a depth camera.
    """

    def __init__(self, seed: int, segmenter: str, *, depth: bool = False) -> None:
        self.world = World(make_room(seed))
        self._depth = depth
        self._masks = RenderedMasks(seed) if segmenter == "labels" else None
        camera = Camera.of_fov(SIZE, FOV_DEG, height_m=EYE_M, pitch_deg=PITCH_DEG)
        self.store = SessionStore(segmenter=self._masks or segmenter, settings=Settings(size=max(SIZE)))
        self.fed: FedSession = self.store.feed("the robot's camera", camera=camera)
        self.tools = Tools(self.store, self.fed)
        self.perceive_ms: list[float] = []
        self.wrong_frames = 0

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close_all()
        self.world.__exit__()

    def look(self) -> MarkedFrame:
        """Take a picture and track what is in it."""
        self.shot = self.world.shoot()
        if self._masks is not None:
            self._masks.labels = self.shot.labels
        began = time.perf_counter()
        marked = self.fed.step(self.shot.image, self.world.time_s, self.shot.depth_m if self._depth else None)
        self.perceive_ms.append(1000 * (time.perf_counter() - began))
        return marked

    def check(self, mark: int | None) -> None:
        """Count the frame if the mark that is followed lies on something else than what was asked for."""
        if mark is not None:
            thing = self.world.room.things[self.world.room.target]
            shares = self.world.shares(self.fed.newest.mask(mark), self.shot)
            self.wrong_frames += shares[f"{thing.color} {thing.shape}"] < WRONG_SHARE

    def result(self, stopped: bool, decide_ms: list[float]) -> Result:
        """How it ended."""
        surface, centre = self.world.distances()
        cause = ""
        if self.world.hits:
            cause = f"touched {', '.join(sorted(set(self.world.hits)))}"
        elif not stopped:
            cause = "ran out of time"
        elif surface > NEAR_M:
            cause = "stopped elsewhere"
        room = self.world.room
        return Result(
            room.seed,
            room.situation,
            room.asked,
            not cause,
            cause,
            surface,
            centre,
            len(decide_ms),
            self.world.time_s,
            self.wrong_frames,
            self.perceive_ms,
            decide_ms,
        )


def run(
    seed: int,
    segmenter: str,
    *,
    planner: str = "rules",
    depth: bool = False,
    watch: Watcher | None = None,
) -> Result:
    """Let a planner drive.

    Args:
        seed: of the room.
        segmenter: see `Robot`.
        planner: "rules", or an agent; see `examples.robot.agent`.
        depth: see `Robot`.
        watch: is shown every frame, what was seen in it, and the decision.
    """
    with Robot(seed, segmenter, depth=depth) as robot:
        if planner == "rules":
            return _run_rules(robot, watch)
        from examples.robot.agent import run_agent

        return run_agent(robot, planner, watch)


def _run_rules(robot: Robot, watch: Watcher | None) -> Result:
    asked, decide_ms, stopped = robot.world.room.asked, [], False
    rules = Rules(lambda sights: robot.tools.find(asked, sights))
    while not stopped and len(decide_ms) < MOST_STEPS and not robot.world.hits:
        marked = robot.look()
        began = time.perf_counter()
        sights = robot.tools.locate()
        decision = rules.decide(sights, robot.world.time_s)
        decide_ms.append(1000 * (time.perf_counter() - began))
        robot.check(rules.followed)
        if watch is not None:
            watch(marked, sights, decision)
        stopped = decision.stop
        if not stopped:
            robot.world.drive(decision.turn_deg, decision.forward_m, STEP_S)
            rules.moved(decision.turn_deg, decision.forward_m)
    return robot.result(stopped, decide_ms)
