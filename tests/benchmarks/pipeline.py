"""Frames a second of the whole embedded path, per stage, and its memory over a video's length.

python tests/benchmarks/pipeline.py [VIDEO] [--size 480] [--frames 150] [--propagator flow --discover 5]
python tests/benchmarks/pipeline.py VIDEO --memory 200      # peak RSS on the first 200 frames and on all

Nothing is written; "draw" is what `marked.image` costs on top.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.tracking import (
    AssociationTracker,
    PropagationTracker,
    Tracked,
    Tracker,
    load_propagator,
)
from som_agent.video import Frame, open_video

DEMO = Path(__file__).parents[2] / "examples" / "scenes" / "shell_game.mp4"


class Clock:
    """Seconds spent in each stage, a list a stage."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(list)

    def time(self, stage: str, function: Any, *args: Any) -> Any:
        start = time.perf_counter()
        result = function(*args)
        self.spent[stage].append(time.perf_counter() - start)
        return result


class TimedSegmenter:
    """A segmenter on the clock."""

    def __init__(self, inner: Any, clock: Clock) -> None:
        self.inner, self.clock, self.name = inner, clock, inner.name

    def segment(self, frame: Frame) -> Regions:
        return self.clock.time("segment", self.inner.segment, frame)


class TimedTracker:
    """A tracker on the clock."""

    def __init__(self, inner: Tracker, clock: Clock) -> None:
        self.inner, self.clock = inner, clock

    @property
    def wants_regions(self) -> bool:
        return self.inner.wants_regions

    def update(self, frame: Frame, regions: Regions | None) -> Tracked:
        return self.clock.time("track", self.inner.update, frame, regions)


def stages(video_path: str, size: int, frames: int, propagator: str, discover: int) -> None:
    """Print milliseconds a frame and frames a second, stage by stage."""
    clock = Clock()
    plain = Session(settings=Settings(size=size))
    tracker: Tracker = AssociationTracker()
    if propagator:
        tracker = PropagationTracker(load_propagator(propagator), every=discover)
    session = Session(
        TimedSegmenter(plain.segmenter, clock), Settings(size=size), tracker=TimedTracker(tracker, clock)
    )
    with open_video(video_path) as video:
        iterator = iter(video)
        whole = []
        for _ in range(frames):
            start = time.perf_counter()
            frame = clock.time("decode", next, iterator, None)
            if frame is None:
                break
            marked = clock.time("step", session.step, frame)
            whole.append(time.perf_counter() - start)
            clock.time("draw", lambda marked=marked: marked.image)
        size_text = f"{video.size[0]}x{video.size[1]} px, processed at {size} px"
    per_frame = 1000 / max(len(whole) - 1, 1)  # the segmenter may look at a few frames only
    spent = {stage: per_frame * sum(times[1:]) for stage, times in clock.spent.items()}
    spent["mark and remember"] = spent.pop("step") - spent["segment"] - spent["track"]
    total, target = per_frame * sum(whole[1:]), 25 if propagator else 10
    way = f"{propagator}, a look every {discover} frames" if propagator else "every frame segmented"
    print(f"{video_path}: {len(whole)} frames of {size_text}, {way}, {len(session.history.marks)} marks")
    for stage in ("decode", "segment", "track", "mark and remember"):
        print(f"  {stage:<18} {spent[stage]:7.1f} ms {1000 / spent[stage]:8.0f} frames/s")
    rate = 1000 / total
    print(f"  {'whole, no writing':<18} {total:7.1f} ms {rate:8.1f} frames/s   (target: at least {target})")
    print(f"  {'draw, on top':<18} {spent['draw']:7.1f} ms {1000 / spent['draw']:8.0f} frames/s")


def memory(video_path: str, size: int, first: int) -> None:
    """Print peak RSS on the first frames and on the whole video, each in a process of its own."""
    peaks = []
    for count in (first, 10**9):
        child = [sys.executable, __file__, video_path, "--size", str(size), "--peak", str(count)]
        peaks.append(json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout))
    (few, few_frames), (many, many_frames) = peaks
    print(
        f"{video_path}: peak RSS {few:.0f} MB on {few_frames} frames, {many:.0f} MB on {many_frames} frames"
    )
    print(f"  ratio {many / few:.2f}   (target: at most 1.2)")


def peak(video_path: str, size: int, count: int) -> None:
    """Track `count` frames, then print this process's peak RSS in MB and the frames taken, as JSON."""
    session = Session(settings=Settings(size=size))
    taken = 0
    with open_video(video_path) as video:
        for frame in video:
            if taken == count:
                break
            session.step(frame)
            taken += 1
    session.ask("Which marks are red?")
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, taken]))


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", nargs="?", default=str(DEMO))
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--propagator", default="", help="flow, for example")
    parser.add_argument("--discover", type=int, default=5, help="frames from look to look")
    parser.add_argument("--memory", type=int, metavar="FIRST")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak(args.video, args.size, args.peak)
    elif args.memory:
        memory(args.video, args.size, args.memory)
    else:
        stages(args.video, args.size, args.frames, args.propagator, args.discover)


if __name__ == "__main__":
    main()
