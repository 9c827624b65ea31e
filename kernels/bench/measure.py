"""Every contestant checked against the truth, then all timed in turns; and how fast memory is read."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from bench.trial import Contestant, Trial, nbytes

__all__ = ["Outcome", "measured", "read_bandwidth"]

MOST_RUNS = 100
FEW_RUNS = 3  # at least so many, but for a contestant that takes seconds
PATIENCE = 2.0  # seconds; a reference that takes longer is not timed, a peer that does once or twice
ONE_SAMPLE = 5.0  # seconds; of a peer that takes longer the check is the measurement
BREATH = 0.005  # seconds


@dataclass
class Outcome:
    """What became of one contestant.

    Attributes:
        contestant: the contestant.
        trouble: what went wrong, or why it did not take part.
        wrong: whether the trouble makes the run fail.
        samples: seconds of each run.
        outputs: bytes of its result.
        moved: bytes that anyone must read and write.
    """

    contestant: Contestant
    trouble: str = ""
    wrong: bool = False
    samples: list[float] = field(default_factory=list)
    outputs: int = 0
    moved: int = 0

    @property
    def median(self) -> float | None:
        """Median seconds, if it was timed."""
        return statistics.median(self.samples) if self.samples else None


def measured(trial: Trial, seconds: float) -> list[Outcome]:
    """Check all contestants of a trial, then time those that are right."""
    outcomes = [Outcome(contestant) for contestant in trial.contestants]
    racing = []
    truth: Any = None
    for i, outcome in enumerate(outcomes):
        seen, spent = _checked(outcome)
        if outcome.trouble:
            if i == 0:
                return _nothing_to_compare_with(outcomes)
            continue
        if i == 0:
            truth = seen
        elif (agrees := outcome.contestant.agrees) is not None and not agrees(seen, truth):
            outcome.trouble, outcome.wrong = "WRONG", True
            continue
        if outcome.contestant.name == "reference" and spent > PATIENCE:
            outcome.trouble = f"right, but takes {spent:.1f} s"
        elif not outcome.contestant.ours and spent > max(ONE_SAMPLE, seconds):
            outcome.samples.append(spent)
        else:
            racing.append(outcome)
    cpu = next((outcome.outputs for outcome in outcomes if outcome.contestant.name == "cpu"), 0)
    for outcome in outcomes:  # peers may return more than was asked
        outcome.moved = trial.moved(outcome.contestant, outcome.outputs if outcome.contestant.ours else cpu)
    _race(racing, seconds)
    return outcomes


def _checked(outcome: Outcome) -> tuple[Any, float]:
    """What a contestant's result looks like, and how long the first run took."""
    contestant = outcome.contestant
    if contestant.package and find_spec(contestant.package) is None:
        outcome.trouble = 'left out: pip install "som-agent[bench]"'
        return None, 0
    start = time.perf_counter()
    try:
        result = contestant.run()
        spent = time.perf_counter() - start
        outcome.outputs = nbytes(result)
        return contestant.view(result), spent
    except Exception as error:  # whatever it is, the table tells it and goes on with the others
        outcome.trouble = f"FAILED: {type(error).__name__}: {error}".splitlines()[0][:100]
        outcome.wrong = True
        return None, 0


def _nothing_to_compare_with(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes where the truth itself could not be had."""
    for outcome in outcomes[1:]:
        outcome.trouble, outcome.wrong = "nothing to compare with", True
    return outcomes


def _race(outcomes: Iterable[Outcome], seconds: float) -> None:
    """Time in turns, so that a busy moment of the machine hits all alike."""
    waiting = list(outcomes)
    while waiting:
        for outcome in waiting:
            # Threads of the one before may still be spinning for more work, on cores that this one needs.
            time.sleep(BREATH)
            start = time.perf_counter()
            outcome.contestant.run()
            outcome.samples.append(time.perf_counter() - start)
        waiting = [outcome for outcome in waiting if _goes_on(outcome.samples, seconds)]


def _goes_on(samples: list[float], seconds: float) -> bool:
    """Whether a contestant runs once more."""
    if len(samples) < FEW_RUNS:
        return sum(samples) < max(seconds, PATIENCE)
    return sum(samples) < seconds and len(samples) < MOST_RUNS


def read_bandwidth(device: str, mebibytes: int) -> float:
    """Bytes a second at which a large buffer is read, by the best of several ways, with torch's threads."""
    buffer = torch.ones(mebibytes << 18, dtype=torch.float32, device=device)
    other = torch.empty_like(buffer)
    ways: list[tuple[int, Callable[[], Any]]] = [
        (1, buffer.sum),
        (1, buffer.amax),
        (2, lambda: other.copy_(buffer)),  # reads and writes
    ]
    if device == "cpu":
        array: Any = buffer.numpy().view(np.int64)
        ways.append((1, array.max))
    rates = []
    for _ in range(10):  # over a second or two, so that a busy moment of the machine does not count
        time.sleep(0.05)
        for passes, way in ways:
            start = time.perf_counter()
            way()
            if device != "cpu":
                torch.cuda.synchronize()
            rates.append(passes * buffer.nbytes / (time.perf_counter() - start))
    return max(rates)
