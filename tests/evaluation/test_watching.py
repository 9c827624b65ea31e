"""Scores of watches: the truth of scenes made by hand, and one drawn scene from end to end."""

import numpy as np
import pytest

from som_agent.evaluation.watch_facts import Facts
from som_agent.evaluation.watch_scenes import Scene, Thing
from som_agent.evaluation.watch_truth import Truth
from som_agent.evaluation.watching import main, score_scene, totals
from som_agent.watches import (
    And,
    Appears,
    ChangesSize,
    ComesBack,
    Enters,
    Leaves,
    Moves,
    Near,
    Or,
    Stops,
    Then,
    Zone,
)

SIZE, FPS, COUNT = (120, 80), 10.0, 50
BOX = np.array([(-8.0, -8), (8, -8), (8, 8), (-8, 8)])
DOOR = Zone(box=(60, 0, 120, 80))


def thing(name, stops, **more):
    colors, scales = ((0.0, "red"),), np.array(more.pop("scales", [(0.0, 1.0)]))
    return Thing(name, BOX, float(name), np.array(stops, float), colors, scales, **more)


def truth_of(*things):
    scene = Scene(0, SIZE, FPS, COUNT, things, (), (), 0.5)
    return Truth(Facts(scene, [labels for _, labels in scene.frames()]))


def sure(truth, condition, start=5):
    return [(e.things, e.frame) for e in truth.events(condition, start) if e.sure]


@pytest.fixture(scope="module")
def going():
    """Thing 1 stands at the right; thing 2 stands for 2 s, goes to it for 1 s at 50 px/s, and stands."""
    stands = thing(1, [(0, 100, 40), (9, 100, 40)])
    return truth_of(stands, thing(2, [(0, 20, 40), (2, 20, 40), (3, 70, 40), (9, 70, 40)]))


def test_what_happens_when_one_thing_goes_to_another(going):
    # The gap is 64 px at first and shrinks by 5 px a frame: 29 px are reached in frame 27.
    assert sure(going, Near(mark=2, other=1, distance_px=29)) == [((2, 1), 27)]
    assert sure(going, Enters(mark=2, zone=DOOR)) == [((2,), 28)]
    assert sure(going, Moves(mark=1)) == []
    ((things, frame),) = sure(going, Moves(mark=2))
    assert things == (2,)
    assert 21 <= frame <= 22
    # It stands from frame 30 on.
    assert [frame for _, frame in sure(going, Stops(mark=2, seconds=1.0), 25)] == [40]
    assert sure(going, Leaves()) == sure(going, Appears()) == []


def test_what_is_joined(going):
    stop, enter = Stops(mark=2, seconds=1.0), Enters(mark=2, zone=DOOR)
    assert sure(going, Then(enter, stop, within_s=3.0), 25) == [((2,), 40)]
    assert sure(going, Then(stop, enter, within_s=3.0), 25) == []
    assert sure(going, Then(enter, stop, within_s=0.5), 25) == []
    assert sure(going, Or((enter, stop)), 25) == [((2,), 28), ((2,), 40)]
    assert sure(going, And((enter, stop)), 25) == [((2,), 40)]


def test_out_of_the_picture_is_gone_and_what_comes_late_appears():
    leaver = thing(1, [(0, 60, 20), (2, 60, 20), (3, 140, 20), (9, 140, 20)])
    late = thing(2, [(0, 30, 60), (9, 30, 60)], absent=((0.0, 3.0),))
    truth = truth_of(leaver, late)
    assert sure(truth, Appears()) == [((2,), 30)]
    ((_, frame),) = sure(truth, Leaves(mark=1))
    assert not (truth.facts.labels[frame] == 1).any()
    assert (truth.facts.labels[frame - 1] == 1).any()
    assert sure(truth, Leaves(mark=1, how="gone")) == [((1,), frame)]
    assert sure(truth, Leaves(mark=1, how="hidden")) == []


def test_what_passes_in_front_hides_and_changes_no_size():
    near = thing(1, [(0, 100, 40), (2, 100, 40), (2.4, 60, 40), (3.4, 60, 40), (3.8, 100, 40), (9, 100, 40)])
    behind = thing(2, [(0, 60, 40), (9, 60, 40)])
    grows = thing(3, [(0, 20, 60), (9, 20, 60)], scales=[(0, 1), (2, 1), (3, 1.3)])
    truth = truth_of(near, behind, grows)
    assert [things for things, _ in sure(truth, Leaves())] == [(2,)]
    assert [things for things, _ in sure(truth, Leaves(how="hidden"))] == [(2,)]
    assert [things for things, _ in sure(truth, ChangesSize(factor=1.4))] == [(3,)]
    assert sure(truth, ChangesSize(factor=0.7)) == []


def test_what_lasts_for_a_moment_is_not_sure():
    brief = thing(1, [(0, 40, 40), (2, 40, 40), (2.2, 56, 40), (2.4, 40, 40), (9, 40, 40)])
    truth = truth_of(brief, thing(2, [(0, 100, 40), (9, 100, 40)]))
    events = truth.events(Near(mark=1, other=2, distance_px=29), 5)
    assert [(e.things, e.sure) for e in events] == [((1, 2), False)]


def test_a_stop_is_sure_where_it_is_long_enough_whoever_measures():
    """It stands in frames 10 to 20, and is nearer than 2.5 px in frame 9."""
    truth = truth_of(thing(1, [(0, 20, 40), (1, 40, 40), (2.05, 40, 40), (3, 90, 40), (9, 90, 40)]))

    def stops(seconds):
        events = [e for e in truth.events(Stops(mark=1, seconds=seconds), 5) if e.frame < 30]
        return [(e.frame, e.why) for e in events]

    assert stops(1.0) == [(20, "")]
    ((_, why),) = stops(1.1)
    assert why == "it stands hardly for so long"
    assert stops(1.2) == []


@pytest.mark.parametrize(("speed_px_s", "leaves", "returns"), [(100, [], []), (50, [24], [29])])
def test_out_of_sight_is_what_nothing_is_seen_of_for_two_frames(speed_px_s, leaves, returns):
    """The near one is twice as large and right before the other in frame 25."""
    at = 60 - 2.5 * speed_px_s
    near = thing(1, [(0, at, 40), (9, at + 9 * speed_px_s, 40)], scales=[(0, 2)])
    truth = truth_of(near, thing(2, [(0, 60, 40), (9, 60, 40)]))
    assert [(e.frame, e.why) for e in truth.events(Leaves(mark=2), 5)] == [(f, "") for f in leaves]
    assert [(e.frame, e.why) for e in truth.events(ComesBack(mark=2), 5)] == [(f, "") for f in returns]


def test_both_hold_is_known_where_one_of_them_surely_does_not():
    """Thing 1 may stand for 1.1 s or not, see above; thing 3 is never near thing 2."""
    stands = thing(1, [(0, 20, 20), (1, 40, 20), (2.05, 40, 20), (3, 90, 20), (9, 90, 20)])
    truth = truth_of(stands, thing(2, [(0, 20, 60), (9, 20, 60)]), thing(3, [(0, 100, 60), (9, 100, 60)]))
    may, never = Stops(mark=1, seconds=1.1), Near(mark=3, other=2, distance_px=20)
    assert truth.events(And((may, never)), 5) == []
    assert any(e.why for e in truth.events(And((may, Near(mark=3, other=2, distance_px=90))), 5))


def test_a_drawn_scene_is_told_and_counted(capsys):
    scores = totals([score_scene(1005)])
    whole = scores["all"].numbers
    assert whole["events"] > 10
    assert whole["recall"] > 0.7
    assert whole["precision"] > 0.7
    assert whole["unsure"] >= 0
    assert whole["kept"]["events"] <= whole["events"]
    assert main(["--scenes", "0"]) == 2
    assert "--scenes must be at least 1, got 0" in capsys.readouterr().err
