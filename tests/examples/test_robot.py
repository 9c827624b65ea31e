"""The robot: its rules one by one, its rooms, and whole tasks by rules and by an agent."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

import pytest

pytest.importorskip("pybullet")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from examples.robot.agent import load_agent
from examples.robot.memory import Landmark, Memory, is_ground
from examples.robot.room import BODY_RADIUS_M, SITUATIONS, Room, Thing, make_room
from examples.robot.rules import STOP_M, TURN_DEG, Rules
from examples.robot.run import NEAR_M, Result, Robot, run
from examples.robot.steering import free_direction, is_free
from examples.robot.tools import Sight
from examples.robot.world import World
from examples.robot_navigation import main, summary
from som_agent.errors import InputError


def sight(mark: int, azimuth: float, ground: float | None = None, half: float = 5.0, **more: Any) -> Sight:
    return Sight(
        **{
            "mark": mark,
            "label": str(mark),
            "state": "visible",
            "colors": "red",
            "azimuth_deg": azimuth,
            "left_deg": azimuth - half,
            "right_deg": azimuth + half,
            "top_deg": 2.0,
            "bottom_deg": -20.0,
            "cut": False,
            "ground_m": ground,
            "range_at_deg": None if ground is None else azimuth,
        }
        | more
    )


def rules(*targets: int) -> Rules:
    return Rules(lambda sights: [s.mark for s in sights if s.mark in targets])


def test_it_turns_to_what_it_is_asked_for_and_drives_when_it_faces_it():
    planner = rules(4)
    turn = planner.decide([sight(4, 30.0, 2.0), sight(5, -10, 3.0)], 0.0)
    assert (turn.turn_deg, turn.forward_m) == (TURN_DEG, 0.0)
    go = planner.decide([sight(4, 2.0, 2.0), sight(5, -38, 3.0)], 0.2)
    assert go.forward_m > 0
    assert go.turn_deg == pytest.approx(2.0)


def test_it_stops_in_front_and_only_when_it_faces_it():
    planner = rules(4)
    assert not planner.decide([sight(4, 20.0, STOP_M)], 0.0).stop
    assert planner.decide([sight(4, 3.0, STOP_M - 0.01)], 0.2).stop
    assert not rules(4).decide([sight(5, 3.0, STOP_M - 0.01)], 0.0).stop  # another thing is no place to stop


def test_it_passes_what_stands_in_the_way():
    planner = rules(4)
    decision = planner.decide([sight(4, 0.0, 2.5), sight(5, 1.0, 1.0, half=8)], 0.0)
    assert abs(decision.turn_deg) > 5
    assert "passing" in decision.why


def test_it_keeps_to_one_side_of_what_is_in_the_way():
    memory, thing = Memory(), [Landmark(1.0, 0.0, 0.15, 0.0)]
    right = free_direction(memory, 0.5, 2.0, thing, 1)
    left = free_direction(memory, 0.5, 2.0, thing, -1)
    assert left < 0 < right
    for way in (left, right):
        assert math.sin(math.radians(abs(way))) > 0.15 + BODY_RADIUS_M


def test_nowhere_to_go_is_told():
    memory = Memory()
    ring = [Landmark(*memory.place(a, 0.5), 0.1, 0.0) for a in range(-180, 180, 20)]
    assert free_direction(memory, 0.0, 2.0, ring, 0) is None
    assert is_free(memory, 0.0, 2.0, [])


def test_it_turns_back_to_what_left_the_view_and_goes_on_to_what_is_hidden():
    planner = rules(4)
    planner.decide([sight(4, 25.0, 2.0)], 0.0)
    planner.moved(-40.0, 0.0)
    assert planner.decide([], 0.2).turn_deg == TURN_DEG  # it is 65° to the right now
    planner.moved(60.0, 0.0)
    decision = planner.decide([sight(4, 25.0, 2.0, state="occluded")], 0.4)
    assert decision.forward_m > 0
    assert "hidden" in decision.why


def test_it_looks_all_round_and_then_from_another_place():
    planner, turned, time_s = rules(4), 0.0, 0.0
    while (decision := planner.decide([], time_s)).why == "look around":
        planner.moved(decision.turn_deg, decision.forward_m)
        turned, time_s = turned + decision.turn_deg, time_s + 0.2
        assert turned < 420
    assert turned >= 360
    assert planner.decide([], time_s).forward_m > 0


def test_a_number_is_trusted_and_the_words_are_asked_again_only_for_what_is_new():
    asked = []

    def find(sights: Any) -> list[int]:
        asked.append([s.mark for s in sights])
        return [4]

    planner = Rules(find)
    for step in range(4):
        planner.decide([sight(4, 0.0, 2.0), sight(5 + step, 30.0, 2.0)], step / 6)
    assert asked == [[4, 5]]


def test_the_map_is_what_the_commands_make_it():
    memory = Memory()
    memory.see([sight(3, 90.0, 1.0, half=0.1, left_deg=-1.0, right_deg=1.0, range_at_deg=0.0)], 0.0)
    memory.moved(90.0, 0.5)
    azimuth, distance = memory.towards(memory.landmarks[3].x, memory.landmarks[3].y)
    assert azimuth == pytest.approx(-90 - math.degrees(math.atan2(0.5, 1.0)), abs=1)
    assert distance == pytest.approx(math.hypot(0.5, 1.0), abs=0.05)


def test_the_floor_is_no_obstacle_and_a_wall_is_a_row_of_points():
    floor = sight(1, 0.0, None, half=38, cut=True, bottom_deg=-42.0, top_deg=-3.0)
    assert is_ground(floor)
    memory = Memory()
    memory.see([floor, sight(2, 0.0, 1.5, half=35, cut=True)], 0.0)
    assert memory.landmarks == {}
    assert len(memory.walls) == 1
    assert not is_free(memory, 0.0, 2.0, memory.obstacles(()))


def test_what_is_not_where_it_should_be_is_forgotten():
    memory = Memory()
    memory.see([sight(3, 0.0, 1.5)], 0.0)
    memory.see([], 0.5)
    assert 3 in memory.landmarks
    memory.see([], 1.5)
    assert 3 not in memory.landmarks


@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_a_room_leaves_room(seed):
    room = make_room(seed)
    assert room == make_room(seed)
    assert room.situation in SITUATIONS
    colors = [thing.color for thing in room.things]
    assert len(set(colors)) == len(colors)
    for i, thing in enumerate(room.things):
        assert (
            math.hypot(thing.x - room.start[0], thing.y - room.start[1]) > thing.radius + BODY_RADIUS_M + 0.2
        )
        assert max(abs(thing.x), abs(thing.y)) + thing.radius < room.side / 2 - 0.5
        for other in room.things[:i]:
            gap = math.hypot(thing.x - other.x, thing.y - other.y) - thing.radius - other.radius
            assert gap > 2 * BODY_RADIUS_M + 0.3


def bare(*things: Thing) -> Room:
    return Room(0, "in view", 5.0, things, 0, (0.0, 0.0, 0.0))


def test_the_world_drives_measures_and_feels():
    with World(bare(Thing("cylinder", "red", 1.0, 0.0, 0.2, 0.5, 0.0))) as world:
        surface, centre = world.distances()
        assert surface == pytest.approx(1.0 - 0.1 - BODY_RADIUS_M, abs=0.01)
        assert centre == pytest.approx(1.0 - BODY_RADIUS_M)
        assert world.drive(90.0, 0.3, 1.0)
        assert (world.x, world.y) == pytest.approx((0.0, -0.3))  # right of ahead
        assert world.drive(-90.0, 0.0, 1.0)
        world.drive(-20.0, 1.2, 1.0)
        assert world.hits == ["red cylinder"]


def test_depth_and_labels_are_of_the_picture():
    with World(bare(Thing("box", "red", 1.0, 0.0, 0.2, 0.8, 0.0))) as world:
        shot = world.shoot()
        h, w = shot.labels.shape
        assert shot.labels[h // 2, w // 2] == 1
        assert shot.image[h // 2, w // 2, 0] > 100 > shot.image[h // 2, w // 2, 2]
        # The optical axis looks 12° down and meets the front, 0.9 m ahead.
        assert shot.depth_m[h // 2, w // 2] == pytest.approx(0.9 / math.cos(math.radians(12)), rel=0.01)
        assert (shot.labels == 0).any()


def test_the_tools_see_what_is_there():
    with Robot(1001, "labels") as robot:
        robot.look()
        sights = robot.tools.locate()
        target = robot.world.room.things[robot.world.room.target]
        (mark,) = robot.tools.find(robot.world.room.asked, sights)
        found = next(s for s in sights if s.mark == mark)
        x, y, heading = robot.world.room.start
        azimuth = math.degrees(heading - math.atan2(target.y - y, target.x - x))
        assert (found.azimuth_deg - azimuth + 180) % 360 - 180 == pytest.approx(0, abs=1.5)
        assert found.ground_m == pytest.approx(math.hypot(target.x - x, target.y - y), abs=0.2)


@pytest.mark.parametrize("depth", [False, True])
def test_a_task_from_end_to_end(depth):
    result = run(1001, "labels", depth=depth)
    assert (result.success, result.cause) == (True, "")
    assert result.surface_m <= NEAR_M
    assert result.wrong_frames == 0
    assert len(result.perceive_ms) == len(result.decide_ms) == result.steps


@pytest.mark.slow
def test_the_embedded_segmenter_finds_what_is_hidden():
    result = run(1002, "hierarchy")
    assert result.situation == "hidden"
    assert result.success
    assert result.wrong_frames == 0


def test_the_command_tells_and_gives_json(capsys):
    assert main(["--seed", "1001", "--segmenter", "labels", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["success"]
    assert "this is the place: stop" in err
    assert main(["--planner", "rule"]) == 2
    assert "planner 'rule' is neither" in capsys.readouterr().err


def test_figures_of_many_runs_say_why_some_failed():
    row = {
        "situation": "hidden",
        "asked": "red",
        "surface_m": 0.3,
        "centre_m": 0.5,
        "steps": 9,
        "seconds": 2.0,
    }
    row |= {"wrong_frames": 0, "perceive_ms": [20.0, 40.0], "decide_ms": [1.0]}
    good = Result(seed=1, success=True, cause="", **row)
    bad = Result(seed=2, success=False, cause="touched wall", **row)
    figures = summary([good, bad])
    assert (figures["scenes"], figures["successes"]) == (2, 1)
    assert figures["failures"] == {"touched wall": 1}
    assert figures["by_situation"] == {"hidden": "1 of 2"}
    assert figures["perceive_ms"]["median"] == 30.0


class Driver(BaseChatModel):
    """A chat model that reads what the tools say, and nothing else."""

    @property
    def _llm_type(self) -> str:
        return "driver"

    def bind_tools(self, tools: Any, **_: Any) -> BaseChatModel:
        assert {"locate_marks", "look", "drive", "stop"} <= {tool.name for tool in tools}
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        session = re.search(r'session "(v\d+)"', str(messages[0].content)).group(1)
        color = re.search(r"Go to the (\w+) thing", str(messages[1].content)).group(1)
        last = messages[-1]
        if isinstance(last, ToolMessage) and last.name == "stop":
            return ChatResult(generations=[ChatGeneration(message=AIMessage("I am there."))])
        name: str = "locate_marks"
        fields: dict[str, Any] = {"session": session}
        if isinstance(last, ToolMessage) and last.name == "locate_marks":
            line = re.search(
                rf"\] {color}: (?:(\d+)° (left|right)|ahead).* ([\d.]+) m \(floor\)", str(last.content)
            )
            turn = 0.0 if line[1] is None else float(line[1]) * (1 if line[2] == "right" else -1)
            far = float(line[3])
            if far <= 0.66:
                name, fields = "stop", {}
            else:
                name, fields = "drive", {"turn_deg": turn, "forward_m": min(0.4, far - 0.62)}
        call = {"name": name, "args": fields, "id": f"call_{len(messages)}", "type": "tool_call"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])


def driver(tools: Any, prompt: str) -> BaseChatModel:
    assert "session" in prompt
    return Driver()


def test_an_agent_drives_with_the_same_tools(monkeypatch):
    monkeypatch.setitem(sys.modules, "a_driver", sys.modules[__name__])
    monkeypatch.setattr("examples.robot.agent._is_module", lambda name: name == "a_driver")
    frames = []
    result = run(1001, "labels", planner="a_driver:driver", watch=lambda *told: frames.append(told))
    assert (result.success, result.cause) == (True, "")
    assert result.steps < len(frames)  # a picture at every step of a long move


@pytest.mark.parametrize("planner", ["", "rule", "nobody:has-this-model"])
def test_an_unknown_planner_is_refused(planner):
    with pytest.raises(InputError, match="planner"):
        load_agent(planner, [], "")
