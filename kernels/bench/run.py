"""Time the operations of som_kernels beside their peers, in one process, after checking every result.

    python kernels/bench/run.py [--op NAME] [--threads N] [--seconds S]

A contestant whose result is wrong is not timed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # works without installing

if TYPE_CHECKING:
    from bench.registry import Contestant

TOLERANCE = 1e-4


def arrays(result: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of a result, which may be one or several."""
    parts = result if isinstance(result, tuple) else (result,)
    return [part.cpu().numpy() if isinstance(part, torch.Tensor) else np.asarray(part) for part in parts]


def agree(result: Any, truth: Any) -> bool:
    """Whether two results are the same to within the tolerance."""
    pairs = zip(arrays(result), arrays(truth), strict=True)
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=TOLERANCE) for a, b in pairs)


def timed(contestants: Iterable[Contestant], seconds: float) -> dict[str, float]:
    """Median seconds of each, measured in turns so that a busy moment of the machine hits all alike."""
    times: dict[str, list[float]] = {}
    waiting = list(contestants)
    while waiting:
        for contestant in waiting:
            start = time.perf_counter()
            contestant.run()
            times.setdefault(contestant.name, []).append(time.perf_counter() - start)
        waiting = [c for c in waiting if sum(times[c.name]) < seconds and len(times[c.name]) < 200]
    return {name: statistics.median(samples) for name, samples in times.items()}


def main() -> int:
    """Run the chosen cases and print a line for each contestant."""
    from bench.registry import CASES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--op", choices=sorted({case.op for case in CASES}), help="only this operation")
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV (default: 1)")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contestant (default: 0.5)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)

    wrong = 0
    print(f"{'operation':<20}{'input':<17}{'contestant':<20}{'median ms':>10}{'times cpu':>11}")
    for case in CASES:
        if options.op not in {None, case.op}:
            continue
        contestants = case.contestants()
        truth = contestants[0].view(contestants[0].run())
        right = [c for c in contestants if agree(c.view(c.run()), truth)]
        medians = timed(right, options.seconds)
        for contestant in contestants:
            line = f"{case.op:<20}{case.shape:<17}{contestant.name:<20}"
            if contestant not in right:
                wrong += 1
                print(f"{line}{'WRONG':>10}")
                continue
            median = medians[contestant.name]
            ratio = f"{median / medians['cpu']:.2f}" if "cpu" in medians else "-"
            print(f"{line}{median * 1e3:>10.3f}{ratio:>11}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
