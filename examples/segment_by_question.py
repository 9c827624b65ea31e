"""Video object segmentation by question: the masks of what an answer names, in every frame.

    python examples/segment_by_question.py VIDEO "Which mark is yellow?" -o out/yellow

Writes `masks/00000.png` … as DAVIS does (a palette PNG a frame, pixel = number of the mark, 0 = none),
`marked.mp4` with only these marks, and `run/`, the whole run, which answers further questions at once:
`som-agent ask out/yellow/run "Which marks move?"`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from som_agent import MarkStyle, Session, Settings, open_video, read_run
from som_agent.errors import InputError, OutputError, SomError
from som_agent.grounding import ask
from som_agent.history import VISIBLE
from som_agent.runs import Run
from som_agent.runs.exports import export_davis
from som_agent.runs.record import record
from som_agent.runs.redraw import redraw

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"
QUESTION = "Which mark is yellow?"
PROGRESS = 24
"""Frames between two words of progress."""


def main(argv: Sequence[str] | None = None) -> int:
    """Track, ask, and write the masks of what the answer names."""
    parser = argparse.ArgumentParser(description="Video object segmentation by question.")
    parser.add_argument("video", nargs="?", default=str(CLIP), help="video file or folder of pictures")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/segmented"), help="a new folder")
    parser.add_argument("--lmm", default="attributes", help="who answers, openai:gpt-4o for example")
    parser.add_argument("--segmenter", default="hierarchy")
    parser.add_argument("--size", type=int, default=Settings().size, help="long side of the pictures inside")
    parser.add_argument("--end", type=float, help="seconds at which to stop")
    options = parser.parse_args(argv)
    try:
        segment(options)
    except SomError as error:
        print(f"segment_by_question: {error}", file=sys.stderr)
        return 2
    return 0


def segment(options: argparse.Namespace) -> None:
    """Do it, and say what was done."""
    masks = options.out / "masks"
    if masks.exists():  # before the video is tracked, which takes its time
        raise OutputError(f"{masks} is there already: name a new folder with -o")
    run = tracked(options)
    marks = len(run.history.marks)
    print(f"{marks} things were followed through {len(run.history.frames)} frames of {options.video}.")
    answer = ask(options.question, run.history, run.pictures, options.lmm)
    print(f"{options.question}\n  {answer.text}")
    named = [mark.mark for mark in answer.marks]
    if not named:
        raise InputError("the answer names no mark, so there is nothing to segment")
    wanted = only(run, named)
    export_davis(wanted, masks)
    for mark in named:
        trace = wanted.history.traces[mark]
        seen = trace.states == VISIBLE
        area = trace.areas[seen].mean()
        label = wanted.history.marks[mark].label
        print(f"  [{label}] has a mask in {seen.sum()} frames, of {area:.0f} px in the mean")
    problem = redraw(replace(wanted, path=options.out, style=MarkStyle(alpha=0.45)))
    print(f"Masks: {masks}\nVideo: {problem or options.out / 'marked.mp4'}")


def tracked(options: argparse.Namespace) -> Run:
    """The run of the whole video."""
    session = Session(options.segmenter, Settings(size=options.size))
    seen = 0

    def on_frame() -> bool:
        nonlocal seen
        seen += 1
        if seen % PROGRESS == 0:
            print(f"{seen} frames", file=sys.stderr)
        return True

    options.out.mkdir(parents=True, exist_ok=True)
    with open_video(options.video, end=options.end) as video:
        record(video, session, options.out / "run", cut={"end": options.end}, on_frame=on_frame)
    return read_run(options.out / "run")


def only(run: Run, marks: Sequence[int]) -> Run:
    """The run as if it had only these marks."""
    history = run.history
    kept = {mark: history.marks[mark] for mark in marks}
    traces = {mark: history.traces[mark] for mark in marks}
    return replace(run, history=replace(history, marks=kept, traces=traces))


if __name__ == "__main__":
    sys.exit(main())
