"""A robot is asked for a thing, looks for it, drives to it and stops before it, by som-agent's tools alone.

python examples/robot_navigation.py --seed 3 --show out/robot.mp4
python examples/robot_navigation.py --scenes 100 --segmenter hierarchy --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from examples.robot.run import Result

__all__ = ["main", "summary"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    from som_agent.errors import SomError

    try:
        if options.scenes:
            return _evaluate(options)
        return _show(options)
    except SomError as error:
        print(error, file=sys.stderr)
        return 2


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Figures of many runs, ready for JSON."""
    import numpy as np

    from examples.robot.room import SITUATIONS
    from examples.robot.run import NEAR_M

    def spread(values: list[float]) -> dict[str, float]:
        if not values:
            return {}
        median, high = np.percentile(values, [50, 95])
        return {"median": round(float(median), 2), "p95": round(float(high), 2)}

    return {
        "scenes": len(results),
        "successes": sum(result.success for result in results),
        "near_m": NEAR_M,
        "by_situation": {
            name: f"{sum(r.success for r in rows)} of {len(rows)}"
            for name in SITUATIONS
            if (rows := [r for r in results if r.situation == name])
        },
        "failures": dict(Counter(r.cause for r in results if r.cause)),
        "surface_m": spread([r.surface_m for r in results if r.success]),
        "centre_m": spread([r.centre_m for r in results if r.success]),
        "steps": spread([float(r.steps) for r in results]),
        "wrong_frames": sum(r.wrong_frames for r in results),
        "perceive_ms": spread([ms for r in results for ms in r.perceive_ms]),
        "decide_ms": spread([ms for r in results for ms in r.decide_ms]),
    }


def _evaluate(options: argparse.Namespace) -> int:
    from examples.robot.run import run

    results = []
    for seed in range(options.seed, options.seed + options.scenes):
        result = run(seed, options.segmenter, planner=options.planner, depth=options.depth)
        results.append(result)
        end = "reached" if result.success else result.cause
        print(
            f"room {seed}: the {result.asked} mark, {result.situation}: {end}; {result.surface_m:.2f} m from "
            f"its surface, {result.centre_m:.2f} m from its middle, {result.steps} steps",
            file=sys.stderr,
            flush=True,
        )
    figures = {"segmenter": options.segmenter, "planner": options.planner, "depth": options.depth}
    figures |= summary(results)
    if options.json:
        print(json.dumps(figures | {"runs": [result.to_json() for result in results]}))
    else:
        for key, value in figures.items():
            print(f"{key}: {value}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from examples.robot.run import STEP_S, run
    from examples.robot.show import captioned, line
    from som_agent.video.writer import VideoWriter

    with ExitStack() as stack:
        writers: list[VideoWriter] = []

        def watch(marked: Any, sights: Any, decision: Any) -> None:
            print(line(marked, sights, decision), file=sys.stderr if options.json else sys.stdout, flush=True)
            if options.show is not None:
                picture = captioned(marked, decision)
                if not writers:
                    options.show.parent.mkdir(parents=True, exist_ok=True)
                    size = picture.shape[1], picture.shape[0]
                    writers.append(stack.enter_context(VideoWriter(options.show, size, 1 / STEP_S)))
                writers[0].write(picture)

        result = run(
            options.seed, options.segmenter, planner=options.planner, depth=options.depth, watch=watch
        )
    if options.json:
        print(json.dumps(result.to_json()))
        return 0
    times = summary([result])
    print(
        f"\nAsked: the {result.asked} mark (room {result.seed}, at first {result.situation}).\n"
        f"{'Reached' if result.success else 'Failed: ' + result.cause} after {result.seconds:.1f} s: "
        f"{result.surface_m:.2f} m from its surface, {result.centre_m:.2f} m from its middle.\n"
        f"A frame took {times['perceive_ms']['median']:.0f} ms to perceive (95 % within "
        f"{times['perceive_ms']['p95']:.0f} ms), a decision {times['decide_ms']['median']:.1f} ms "
        f"(95 % within {times['decide_ms']['p95']:.1f} ms)."
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A robot that is asked for a thing and drives to it.")
    parser.add_argument("--seed", type=int, default=0, help="of the room, or of the first of --scenes")
    parser.add_argument("--scenes", type=int, default=0, help="evaluate on so many rooms")
    parser.add_argument("--segmenter", default="hierarchy", help="labels for true masks, hierarchy, …")
    parser.add_argument("--depth", action="store_true", help="the robot has a depth camera")
    parser.add_argument(
        "--planner", default="rules", help="rules, provider:model, or MODULE:FUNCTION that makes an agent"
    )
    parser.add_argument("--show", type=Path, metavar="FILE.mp4", help="write the marked video of one room")
    parser.add_argument("--json", action="store_true", help="figures as JSON on standard output")
    return parser


if __name__ == "__main__":
    # As a script, its own folder is on the path and the project's root is not.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    sys.exit(main())
