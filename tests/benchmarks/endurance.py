"""A very long stream through one session: does memory stay, and is a number ever given to another object?

python tests/benchmarks/endurance.py [VIDEO] [--frames 100000] [--size 160] [--first 2000] [--run RUN_DIR]

The video is looped without waiting; times and frame numbers go on from lap to lap. A number is reused where
it is seen again after it was given up, or with another label or colour than before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

from som_agent.history import GONE
from som_agent.runs import RunWriter
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video
from som_agent.video.paced import paced

DEMO = Path(__file__).parents[2] / "examples" / "scenes" / "shell_game.mp4"


def rss_mb() -> float:
    """Memory of this process that is in RAM now, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Numbers:
    """Every number that was given, with its looks, and those that were given up.

    It grows by a few bytes a mark: what it costs is far below what is measured.
    """

    def __init__(self) -> None:
        self.looks: dict[int, tuple[str, tuple[int, int, int]]] = {}
        self.gone: set[int] = set()
        self.reused: set[int] = set()

    def see(self, session: Session) -> None:
        for row in session.observations:
            if row.mark in self.gone:
                self.reused.add(row.mark)
            if row.state == GONE:
                self.gone.add(row.mark)
        for info in session.newest.infos if session.newest else []:
            if self.looks.setdefault(info.mark, (info.label, info.color)) != (info.label, info.color):
                self.reused.add(info.mark)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", nargs="?", default=str(DEMO))
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--first", type=int, default=2_000, help="frames after which memory is settled")
    parser.add_argument("--segmenter", default="hierarchy")
    parser.add_argument("--max-rows", type=int, default=20_000, help="observations remembered")
    parser.add_argument("--run", type=Path, help="record a run there, too")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    session = Session(args.segmenter, Settings(size=args.size, max_rows=args.max_rows))
    numbers, first_mb, most_mb = Numbers(), math.nan, 0.0
    writer = None
    start = told = time.perf_counter()
    with paced(open_video(args.video), speed=math.inf, loop=True) as video:
        if args.run:
            writer = RunWriter(
                args.run, args.video, video.size, video.fps, session.segmenter.name, session.settings
            )
        for frame in video:
            marked = session.step(frame)
            numbers.see(session)
            if writer:
                writer.add(marked, session.observations)
            done = frame.index + 1
            if done % 50 == 0:
                now_mb = rss_mb()
                most_mb = max(most_mb, now_mb)
                if done <= args.first:
                    first_mb = now_mb
            if time.perf_counter() - told > 30 and not args.json:
                told = time.perf_counter()
                rate = done / (told - start)
                print(f"  {done} frames, {rss_mb():.0f} MB, {len(numbers.looks)} marks, {rate:.1f} frames/s")
            if done >= args.frames:
                break
    last_mb, seconds = rss_mb(), time.perf_counter() - start
    if writer:
        writer.close()
    result = {
        "frames": done,
        "frames_per_s": round(done / seconds, 1),
        "rss_first_mb": round(first_mb, 1),
        "rss_last_mb": round(last_mb, 1),
        "rss_most_mb": round(most_mb, 1),
        "ratio": round(last_mb / first_mb, 3),
        "marks": len(numbers.looks),
        "reused": len(numbers.reused),
    }
    if args.json:
        print(json.dumps(result))
    else:
        print(f"{args.video}: {done} frames at {args.size} px, {result['frames_per_s']} frames/s")
        print(
            f"  RSS {first_mb:.0f} MB after {min(args.first, done)} frames, {last_mb:.0f} MB at the end, ",
            end="",
        )
        print(f"{most_mb:.0f} MB at most; ratio {result['ratio']}   (target: at most 1.1)")
        print(f"  {result['marks']} marks were given, {result['reused']} numbers reused   (target: 0)")


if __name__ == "__main__":
    main()
