"""`som-agent stream SOURCE`: marks on a live source, frame by frame.

With `--json` there is a line a frame on stdout:

    {"frame": int, "time": s, "marks": [{"mark": int, "label": str, "state": "visible"|"occluded"|"gone",
     "box": [x0, y0, x1, y1], "anchor": [x, y]}]}

`frame` counts the frames that came, dropped ones included; `time` is in seconds from the first of them. Boxes
and anchors are in pixels of the source; where a mark is not visible they are those of its last sight. A mark
that is given up is "gone" in one line, and its number never comes again. With `--watch` there are lines for
what happens, too, after that of the frame in which it is certain: see `WatchEvent.to_json`; `watch` is "w1"
for the first `--watch`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from som_agent.cli.options import (
    Alpha,
    Discover,
    Draw,
    Embedder,
    Granularity,
    Labels,
    LabelScheme,
    MaxMarks,
    Propagator,
    Segmenter,
    Size,
    dialled,
    number,
    place,
    settings,
    whole,
)
from som_agent.cli.output import note, stop_on_interrupt
from som_agent.cli.status import StreamStatus
from som_agent.cli.waiting import Waiting, WatchFor
from som_agent.errors import SomError
from som_agent.history import Observation

if TYPE_CHECKING:
    from som_agent.live import LiveSession
    from som_agent.marks.marked import MarkedFrame
    from som_agent.runs import RunWriter
    from som_agent.session import Session
    from som_agent.video.live import LiveSource

__all__ = ["stream"]

_POLL_S = 0.2

Taker: TypeAlias = "Callable[[MarkedFrame, Sequence[Observation]], None]"
"""Does something with a frame and what was seen of every mark in it."""


def _positive(option: str, unit: str) -> Callable[[str], float]:
    return number(option, f"in {unit}, above 0", lambda value: value > 0)


Seconds = Annotated[
    float | None,
    typer.Option(
        parser=_positive("--seconds", "seconds"), metavar="S", help="Stop this long after the first frame."
    ),
]
BudgetMs = Annotated[
    float | None,
    typer.Option(
        parser=_positive("--budget-ms", "milliseconds"),
        metavar="N",
        help="Most milliseconds a frame may take on average: beyond it, coarser pictures are segmented, and "
        "fewer of them with --propagator.",
    ),
]
Http = Annotated[
    int | None,
    typer.Option(
        parser=whole("--http", 0),
        metavar="PORT",
        help="Show the marked picture to browsers at 127.0.0.1:PORT; 0 takes a free port.",
    ),
]
GiveUp = Annotated[
    float,
    typer.Option(
        parser=_positive("--give-up", "seconds"), metavar="S", help="Stop after this long without a picture."
    ),
]


def stream(
    source: Annotated[str, typer.Argument(help="A camera number, an address, or a file, which is played.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", parser=place, metavar="FOLDER", help="Record a run in this folder."),
    ] = None,
    segmenter: Segmenter = "hierarchy",
    granularity: Granularity = None,
    propagator: Propagator = "",
    discover: Discover = 5,
    embedder: Embedder = "",
    max_marks: MaxMarks = 20,
    labels: Labels = LabelScheme.numbers,
    draw: Draw = "mark,mask,contour",
    alpha: Alpha = 0.12,
    size: Size = 480,
    seconds: Seconds = None,
    budget_ms: BudgetMs = None,
    show: Annotated[bool, typer.Option("--show", help="Open a window; q in it ends the command.")] = False,
    http: Http = None,
    reconnect: Annotated[bool, typer.Option(help="Open the source again when it is lost.")] = True,
    give_up: GiveUp = 60.0,
    watch: WatchFor = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a frame on stdout.")] = False,
) -> None:
    """Put marks on a live source, for as long as it lasts.

    Only the newest frame is taken; those that come while one is processed are dropped and counted. A line a
    second on stderr says how it goes. Ctrl-C ends it, and what was recorded is whole.

    With --json every frame is a line on stdout: frame, time and marks, with box and anchor in source pixels.
    With --watch what happens is a line there, too; a watch begins once there are the marks that it names.
    """
    from som_agent.live import LiveSession
    from som_agent.runs.schema import VIDEO_FILE
    from som_agent.video import open_video
    from som_agent.video.live import is_stored, open_live
    from som_agent.video.output import refuse_to_overwrite

    chosen = settings(max_marks, labels, draw, alpha, size, propagator, discover, embedder)
    if out is not None:
        refuse_to_overwrite(out / VIDEO_FILE, source)  # a run says so too, but only once a frame has come
    stored = is_stored(source)
    if stored:
        open_video(source).close()  # what cannot be read is said before anything else takes its time
    status = StreamStatus()
    with ExitStack() as stack:
        stack.enter_context(_telling_what_was_kept())
        takers = _shows(stack, http, show, status)
        opened = partial(open_live, source, reconnect=reconnect, give_up_s=give_up, notice=note)
        live = None if stored else stack.enter_context(opened())
        steps = LiveSession(dialled(segmenter, granularity), chosen, budget_ms=budget_ms, notice=note)
        steps.warm_up()
        if live is None:  # a file begins when it is opened
            live = stack.enter_context(opened())
        else:
            live.begin()
        stopped = stack.enter_context(stop_on_interrupt())
        run = None if out is None else stack.enter_context(_run(out, source, live, steps.session))
        waiting = Waiting(steps.session, watch or (), json)
        told = [*([status.print_line] if json else []), *([waiting.take] if watch else [])]
        takers = [*([run.add] if run else []), status.count, *told, *takers]

        def why_stop() -> str | None:
            if stopped():
                return f"interrupted after frame {status.last}"
            return "complete" if status.is_over or status.seconds >= (seconds or float("inf")) else None

        ended, error = _play(live, steps, takers, status, why_stop)
        if run is not None:
            run.ended = ended
    if error is not None:
        raise error
    waiting.end()
    if ended != "complete":
        note(f"{out}: {ended}" if stopped() and out is not None else ended)
    if not json:
        sys.stdout.write(f"{'' if out is None else f'{out}: '}{status.summary(live.state)}\n")
    if stopped():
        raise KeyboardInterrupt


def _play(
    live: LiveSource,
    steps: LiveSession,
    takers: Sequence[Taker],
    status: StreamStatus,
    why_stop: Callable[[], str | None],
) -> tuple[str, Exception | None]:
    """Process what comes; how it ended, in one line, and the error that ended it.

    What was live does not come again: what was recorded until an error is kept.
    """
    try:
        while (why := why_stop()) is None:
            frame = live.wait(_POLL_S)
            if frame is not None:
                marked = steps.step(frame)
                for take in takers:
                    take(marked, steps.session.observations)
            elif live.ended:
                return live.problem or "complete", None
            status.tell(live.state)
    except SomError as error:
        return f"stopped after frame {status.last}: {error}", error
    except BrokenPipeError as error:
        return f"stopped after frame {status.last}: nobody reads stdout any more", error
    return why, None


def _shows(stack: ExitStack, http: int | None, show: bool, status: StreamStatus) -> list[Taker]:
    """Who shows the marked pictures."""
    takers: list[Taker] = []
    if show:
        from som_agent.video.window import Window

        window = Window("som-agent")
        stack.callback(window.close)

        def in_window(marked: MarkedFrame, _: Sequence[Observation]) -> None:
            window.show(marked.image)
            status.is_over = window.is_closed

        takers.append(in_window)
    if http is not None:
        from som_agent.video.mjpeg import MjpegServer

        server = MjpegServer(http)
        stack.callback(server.close)
        note(f"watch at {server.address}")
        takers.append(lambda marked, _: server.show(lambda: marked.image))
    return takers


def _run(out: Path, source: str, live: LiveSource, session: Session) -> RunWriter:
    from som_agent.runs import RunWriter
    from som_agent.video.live import is_stored

    return RunWriter(
        path=out,
        # A question may be asked from another folder later.
        source=str(Path(source).resolve()) if is_stored(source) else live.name,
        size=live.size,
        fps=live.fps,
        segmenter=session.segmenter.name,
        settings=session.settings,
    )


@contextmanager
def _telling_what_was_kept() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        for kept in getattr(stop, "__notes__", ()):
            note(kept)
        raise
