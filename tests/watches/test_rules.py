"""What watches make of parts that are hidden, and of the order in time."""

import math

from hypothesis import given
from hypothesis import strategies as st

from som_agent.history import VISIBLE, Observation
from som_agent.watches.event import Firing
from som_agent.watches.memory import Memory, Seen
from som_agent.watches.motion import Motion
from som_agent.watches.nodes import _After

SIZE = 200, 100


class Played:
    """A node that tells what a test gave it."""

    holds, last, over = False, None, None

    def __init__(self, times):
        self.times = times

    def update(self, memory, *, begin):
        now = memory.now.time
        return [
            Firing(f"{t:g}", (1,), t, t, False, {}) for t in self.times if now - 0.1 < t <= now and not begin
        ]

    def living(self, marks):
        pass


moments = st.lists(st.integers(1, 60), unique=True, max_size=8).map(lambda ks: [k / 10 for k in sorted(ks)])


@given(moments, moments, st.sampled_from([0.35, 1.05, 3.05]))
def test_then_pairs_each_second_with_the_newest_first_that_is_left(firsts, seconds, within_s):
    node, memory, told = _After(Played(firsts), Played(seconds), within_s), Memory(), []
    for k in range(65):
        memory.now = Seen(k, k / 10 + 0.01, (), {}, SIZE, SIZE)
        told += [firing.true_s for firing in node.update(memory, begin=k == 0)]
    left, expected = list(firsts), []
    for two in seconds:
        before = [one for one in left if 0 < two - one <= within_s]
        if before:
            left.remove(max(before))
            expected.append(two)
    assert told == expected


def row(mark, frame, box):
    x0, y0, x1, y1 = box
    area = (x1 - x0) * (y1 - y0)
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    return Observation(mark, frame, frame / 20, VISIBLE, box, area, middle, 1.0, bytes(11), "")


def test_what_goes_slowly_behind_another_keeps_its_whole_and_may_reach_under_it():
    memory = Memory()
    for k in range(60):
        edge = 60.0 - 0.5 * k  # the other one comes from the right, half a pixel a frame
        rows = [row(1, k, (20.0, 20.0, edge, 60.0)), row(2, k, (edge, 10.0, edge + 50, 70.0))]
        memory.update(Seen(k, k / 20, rows, {}, SIZE, SIZE))
    mark = memory.marks[1]
    assert mark.whole[0] == 40
    assert mark.cut
    assert mark.boxes() == [(20.0, 20.0, 60.0, 60.0)]


def test_what_is_known_of_one_axis_is_enough_to_know_that_it_left():
    motion = Motion(1.5, 5.0, 10.0)
    for k in range(20):
        motion.add(k / 20, (10.0, 10.0, 30.0, 30.0))
    assert motion.still_since == 0.0
    for k in range(20, 30):  # only its right side is seen as it goes
        motion.add(k / 20, (None, None, 30.0 + 4 * (k - 19), None))
    assert motion.still_since is None
    for k in range(30, 40):
        motion.add(k / 20, (50.0, 10.0, 70.0, 30.0))
    assert motion.still_since is not None
    assert math.isclose(motion.still_since, 29 / 20, abs_tol=0.051)
