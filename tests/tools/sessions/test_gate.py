import itertools
import threading
import time
from collections import Counter

import pytest

from som_agent.errors import InputError
from som_tools.call import Call, StoppedError
from som_tools.sessions.gate import SHARE, Gate


def stepping(
    gate: Gate, counts: Counter[str], order: list[str], name: str, step_s: float, end_s: float
) -> None:
    while time.monotonic() < end_s:
        with gate.turn():
            order.append(name)
            time.sleep(step_s)
        counts[name] += 1


def test_turns_are_even_however_long_a_step_takes() -> None:
    gate, counts, order = Gate(1), Counter[str](), []
    end_s = time.monotonic() + 1.0
    threads = [
        threading.Thread(target=stepping, args=(gate, counts, order, name, step_s, end_s))
        for name, step_s in (("a", 0.001), ("b", 0.02), ("c", 0.001), ("slow", 0.05))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(counts.values()) - min(counts.values()) <= 2
    middle = order[4:-4]
    assert all(a != b for a, b in itertools.pairwise(middle)), "nobody steps twice while others wait"


def test_no_more_at_once_than_allowed() -> None:
    gate, now, most = Gate(2), [], []

    def work() -> None:
        for _ in range(10):
            with gate.turn():
                now.append(1)
                most.append(len(now))
                time.sleep(0.002)
                now.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2


def test_who_stops_waiting_leaves_the_queue() -> None:
    gate = Gate(1)
    with gate.turn(), pytest.raises(StoppedError), gate.turn(Call(stopped=lambda: True).check):
        raise AssertionError("had a turn")
    with gate.turn() as waited_s:
        assert waited_s < 1


def test_an_error_in_a_step_frees_the_turn() -> None:
    gate = Gate(1)
    with pytest.raises(InputError), gate.turn():
        raise InputError("a frame that cannot be used")
    with gate.turn():
        pass


def test_the_budget_follows_the_number_of_live_sessions() -> None:
    gate = Gate(2)
    assert gate.budget_ms(5.0) == pytest.approx(200 * SHARE)
    with gate.lived(), gate.lived(), gate.lived(), gate.lived():
        assert gate.budget_ms(5.0) == pytest.approx(100 * SHARE)
    assert gate.budget_ms(5.0) == pytest.approx(200 * SHARE)
