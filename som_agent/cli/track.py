"""`som-agent track VIDEO -o RUN_DIR`: a run on disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from som_agent.cli.options import (
    Alpha,
    Discover,
    Draw,
    Embedder,
    End,
    Every,
    Granularity,
    Json,
    Labels,
    LabelScheme,
    MaxMarks,
    Propagator,
    Segmenter,
    Size,
    Start,
    dialled,
    place,
    settings,
)
from som_agent.cli.output import note, print_json, progress, stop_on_interrupt

__all__ = ["track"]


def track(
    video: Annotated[str, typer.Argument(help="A video file, folder of pictures, camera number or address.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=place, metavar="FOLDER", help="The run's folder.")
    ],
    segmenter: Segmenter = "hierarchy",
    granularity: Granularity = None,
    propagator: Propagator = "",
    discover: Discover = 5,
    embedder: Embedder = "",
    max_marks: MaxMarks = 20,
    labels: Labels = LabelScheme.numbers,
    draw: Draw = "mark,mask,contour",
    alpha: Alpha = 0.12,
    start: Start = None,
    end: End = None,
    every: Every = 1,
    size: Size = 480,
    json: Json = False,
) -> None:
    """Track every object of a video and write marked.mp4, tracks.parquet and run.json."""
    from som_agent.runs.record import record
    from som_agent.runs.schema import VIDEO_FILE
    from som_agent.session import Session
    from som_agent.video import open_video
    from som_agent.video.output import refuse_to_overwrite

    refuse_to_overwrite(out / VIDEO_FILE, video)  # a run says so too, but only once the segmenter is loaded
    session = Session(
        dialled(segmenter, granularity),
        settings(max_marks, labels, draw, alpha, size, propagator, discover, embedder),
    )
    with (
        open_video(video, start=start, end=end, every=every) as source,
        stop_on_interrupt() as stopped,
        progress("tracking", source.frame_count) as advance,
    ):

        def on_frame() -> bool:
            advance()
            return not stopped()

        cut = {"start": start, "end": end, "every": every}
        try:
            ended = record(source, session, out, cut=cut, on_frame=on_frame)
        except KeyboardInterrupt as stop:
            for kept in getattr(stop, "__notes__", ()):
                note(kept)
            raise
    if ended != "complete":
        note(f"{out}: {ended}" if stopped() else ended)
    history = session.history
    if json:
        print_json(
            {"run": str(out), "ended": ended, "frames": len(history.frames), "marks": len(history.marks)}
        )
    else:
        sys.stdout.write(f"{out / VIDEO_FILE}: {len(history.frames)} frames, {len(history.marks)} marks\n")
    if stopped():
        raise KeyboardInterrupt
