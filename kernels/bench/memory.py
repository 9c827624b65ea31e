"""How much memory an operation takes beyond its inputs at its peak, measured in a process of its own.

    python kernels/bench/memory.py OP "854x480 n=80" THREADS    what `run.py --memory` calls

The kernel's own record of the largest resident size is set back before the call; so this needs Linux. The
call is a second one: compiling and importing are not counted, nor is what an operation keeps between calls.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # works without installing

__all__ = ["rise_in_child"]


def rise_in_child(op: str, shape: str, threads: int) -> dict[str, Any]:
    """Bytes of inputs, of outputs and of the rise; `error` instead where it failed."""
    command = [sys.executable, __file__, op, shape, str(threads)]
    # Memory that is freed goes back at once, and the next call has to ask for it again.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip() or "no message").splitlines()[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _status(name: str) -> int:
    """A size from the kernel's account of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _rise(run: Any) -> tuple[int, Any]:
    """How far the resident size rises during a second call, and the result."""
    run()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = run()
    return _status("VmHWM") - before, result


def main() -> None:
    """Measure one case."""
    from bench.run import set_threads

    op, shape, threads = sys.argv[1:]
    set_threads(int(threads))
    from bench.registry import CASES
    from bench.trial import nbytes

    case = next(case for case in CASES if (case.op, case.shape) == (op, shape))
    trial = case.trial()
    contestant = next(each for each in trial.contestants if each.name == trial.weighed)
    rise, result = _rise(contestant.run)
    given = trial.inputs if contestant.inputs is None else contestant.inputs
    print(json.dumps({"inputs": nbytes(given), "outputs": nbytes(result), "rise": rise}))


if __name__ == "__main__":
    main()
