"""Time the operations of som_kernels beside their peers, in one process, after checking every result.

    python kernels/bench/run.py [--op NAME] [--threads N] [--seconds S] [--json]
    python kernels/bench/run.py --memory [--op NAME]     peak memory of ours instead of times

A contestant whose result is wrong is not timed, and the exit status is 1. "times cpu" is how many times as
long as our CPU twin it takes. The floor is the time in which this machine reads as many bytes from memory as
any solution must read and write; "floor %" is that time's share of the median.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # works without installing

if TYPE_CHECKING:
    from bench.measure import Outcome
    from bench.trial import Case

MOST_MEMORY = 2.0  # no operation of ours allocates more than this times its inputs and outputs


@dataclass(frozen=True)
class Bandwidth:
    """Bytes a second that are read from memory, of the machine and of its GPU."""

    cpu: float
    gpu: float | None

    @classmethod
    def of_this_machine(cls) -> Bandwidth:
        """Measured now."""
        import torch

        from bench.measure import read_bandwidth

        gpu = read_bandwidth("cuda", 1024) if torch.cuda.is_available() else None
        return cls(read_bandwidth("cpu", 256), gpu)

    def floor(self, outcome: Outcome) -> float:
        """Seconds below which a contestant cannot be."""
        rate = self.gpu if outcome.contestant.name == "gpu" else None
        return outcome.moved / (rate or self.cpu)


def set_threads(threads: int) -> None:
    """Of everything that can be told. Comes before numpy is imported: its BLAS reads the environment then."""
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def rows_of(case: Case, outcomes: list[Outcome], bandwidth: Bandwidth) -> list[dict[str, Any]]:
    """All numbers of a case, a row a contestant."""
    cpu = next((o.median for o in outcomes if o.contestant.name == "cpu"), None)
    rows = []
    for outcome in outcomes:
        row: dict[str, Any] = {"op": case.op, "shape": case.shape, "contestant": outcome.contestant.name}
        row |= {"wrong": outcome.wrong, "note": outcome.trouble}
        if median := outcome.median:
            row["median_ms"] = median * 1e3
            row["least_ms"] = min(outcome.samples) * 1e3
            row["samples"] = len(outcome.samples)
            row["times_cpu"] = median / cpu if cpu else None
            row["moved_bytes"] = outcome.moved
            row["floor_share"] = None if outcome.contestant.prepared else bandwidth.floor(outcome) / median
            if outcome.contestant.agrees is None:
                row["note"] = "answers another question"
            elif len(outcome.samples) == 1:
                row["note"] = "one sample"
        rows.append(row)
    return rows


def targets_of(case: Case, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The case's targets beside what was measured; a peer that was not timed leaves None."""
    ratios = {row["contestant"]: row.get("times_cpu") for row in rows}
    return [
        {
            "op": case.op,
            "shape": case.shape,
            "peer": target.peer,
            "ratio": ratios.get(target.peer),
            "target": target.ratio,
            "why": target.why,
        }
        for target in case.targets
    ]


def line_of(row: dict[str, Any]) -> str:
    """A row of the table."""
    line = f"{row['op']:<21}{row['shape']:<17}{row['contestant']:<28}"
    if "median_ms" not in row:
        return f"{line}{'-':>11}{'':>30}{row['note']}"
    ratio = "-" if row["times_cpu"] is None else f"{row['times_cpu']:.2f}"
    share = "-" if row["floor_share"] is None else f"{row['floor_share'] * 100:.1f}"
    numbers = f"{row['median_ms']:>11.3f}{ratio:>11}{share:>9}{row['samples']:>7}"
    return f"{line}{numbers}   {row['note']}".rstrip()


def target_line(target: dict[str, Any]) -> str:
    """A line of the summary."""
    line = f"{target['op']:<21}{target['shape']:<17}{target['peer']:<28}"
    if target["ratio"] is None:
        return f"{line}{'-':>9}{target['target']:>9.0f}   not measured"
    line = f"{line}{target['ratio']:>9.1f}{target['target']:>9.0f}"
    if target["ratio"] >= target["target"]:
        return f"{line}   met"
    missed = f"missed by {100 * (1 - target['ratio'] / target['target']):.0f}%"
    return f"{line}   {missed}{': ' if target['why'] else ''}{target['why']}"


def time_all(cases: list[Case], seconds: float, say: Any) -> dict[str, Any]:
    """Check and time the cases; say a line a contestant and a line a target."""
    import torch

    from bench.measure import measured

    bandwidth = Bandwidth.of_this_machine()
    threads = torch.get_num_threads()
    say(f"threads: {threads}, torch {torch.__version__}; memory is read at {bandwidth.cpu / 1e9:.1f} GB/s")
    if bandwidth.gpu:
        say(f"{torch.cuda.get_device_name()}; its memory at {bandwidth.gpu / 1e9:.0f} GB/s")
    say(
        f"\n{'operation':<21}{'input':<17}{'contestant':<28}"
        f"{'median ms':>11}{'times cpu':>11}{'floor %':>9}{'runs':>7}"
    )
    rows, targets = [], []
    for case in cases:
        found = rows_of(case, measured(case.trial(), seconds), bandwidth)
        for row in found:
            say(line_of(row))
        rows += found
        targets += targets_of(case, found)
    if targets:
        say(f"\n{'target':<38}{'peer':<28}{'ratio':>9}{'wanted':>9}")
    for target in targets:
        say(target_line(target))
    return {
        "threads": threads,
        "torch": torch.__version__,
        "cpu_bytes_a_second": bandwidth.cpu,
        "gpu_bytes_a_second": bandwidth.gpu,
        "rows": rows,
        "targets": targets,
    }


def weigh_all(cases: list[Case], threads: int, say: Any) -> dict[str, Any]:
    """Peak memory of our CPU twins beyond their inputs; say a line each."""
    from bench.memory import rise_in_child

    say(f"{'operation':<21}{'input':<17}{'in + out MB':>12}{'rise MB':>10}{'times':>8}")
    rows = []
    for case in cases:
        found = rise_in_child(case.op, case.shape, threads)
        line = f"{case.op:<21}{case.shape:<17}"
        if "error" not in found:
            size = found["inputs"] + found["outputs"]
            found["times"] = found["rise"] / size
            line += f"{size / 1e6:>12.1f}{found['rise'] / 1e6:>10.1f}{found['times']:>8.2f}"
        over = found.get("times", 0) > MOST_MEMORY
        say(line + (f"   more than {MOST_MEMORY:g}" if over else "") + found.get("error", ""))
        rows.append({"op": case.op, "shape": case.shape, **found})
    return {"threads": threads, "memory": rows}


def main() -> int:
    """Run the chosen cases and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--op", metavar="NAME", help="only this operation")
    parser.add_argument(
        "--threads",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="of torch, OpenCV, BLAS, edt and ours (default: 2, or 1 on a single core)",
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contestant (default: 0.5)")
    parser.add_argument("--json", action="store_true", help="all numbers as one object; the table to stderr")
    parser.add_argument("--memory", action="store_true", help="peak memory beyond the inputs (Linux)")
    options = parser.parse_args()
    if options.threads < 1:
        parser.error(f"--threads must be at least 1, got {options.threads}")
    if options.memory and sys.platform != "linux":
        parser.error("--memory needs Linux: it reads /proc")
    set_threads(options.threads)
    from bench.registry import CASES

    cases = [case for case in CASES if options.op in {None, case.op}]
    if not cases:
        parser.error(f"--op must be one of {', '.join(sorted({case.op for case in CASES}))}")

    def say(line: str) -> None:
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    if options.memory:
        found = weigh_all(cases, options.threads, say)
        failed = any("error" in row for row in found["memory"])
    else:
        found = time_all(cases, options.seconds, say)
        failed = any(row["wrong"] for row in found["rows"])
    if options.json:
        print(json.dumps(found))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
