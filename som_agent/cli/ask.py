"""`som-agent ask VIDEO|IMAGE|RUN_DIR QUESTION`: a grounded answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from som_agent.cli.options import (
    Alpha,
    Cache,
    Discover,
    Draw,
    Embedder,
    End,
    Every,
    Finder,
    Granularity,
    Json,
    Labels,
    LabelScheme,
    Lmm,
    MaxMarks,
    MaxSeconds,
    MaxTokens,
    MaxUsd,
    Pictures,
    Plain,
    Propagator,
    Segmenter,
    Size,
    Start,
    TraceFile,
    Verify,
    dialled,
    settings,
)
from som_agent.cli.output import note, print_json, progress
from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.answer import Answer
    from som_agent.segmenters.base import Segmenter as LoadedSegmenter
    from som_agent.session import Session
    from som_agent.settings import Settings
    from som_agent.video import VideoSource

__all__ = ["ask"]

_WITH_A_RUN = {
    *("source", "question", "lmm", "pictures", "plain", "verify"),
    *("max_usd", "max_tokens", "max_seconds", "cache", "trace", "json"),
}
"""What can be said of a stored run: it is not tracked again."""


def ask(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A video, a picture, or the folder of a stored run.")],
    question: Annotated[str, typer.Argument(help="A question in plain words; [3] names a mark.")],
    lmm: Lmm = "attributes",
    pictures: Pictures = 6,
    plain: Plain = False,
    verify: Verify = False,
    finder: Finder = "",
    max_usd: MaxUsd = None,
    max_tokens: MaxTokens = None,
    max_seconds: MaxSeconds = 120.0,
    cache: Cache = None,
    trace: TraceFile = None,
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
    """Ask about a video, a picture or a stored run: the answer names marks, and when."""
    from som_agent.grounding import Asking, check_question, load_answerer
    from som_agent.grounding import ask as ask_history
    from som_agent.lmm.calls.limits import Limits
    from som_agent.runs import is_run, read_run

    # What the user mistyped must not cost a whole video first.
    check_question(question)
    model = load_answerer(lmm)
    asking = Asking(
        pictures=pictures,
        plain=plain,
        verify=verify,
        limits=Limits(usd=max_usd, tokens=max_tokens, seconds=max_seconds),
        cache=cache,
        trace=trace,
    )
    if is_run(source):
        _refuse_options(context)
        run = read_run(source)
        frames = len(run.history.frames)
        answer = ask_history(question, run.history, run.pictures, model, name=lmm, asking=asking)
    else:
        session, video = _watch(
            source,
            dialled(segmenter, granularity),
            settings(max_marks, labels, draw, alpha, size, propagator, discover, embedder),
            start,
            end,
            every,
        )
        frames = len(session.history.frames)
        again = None if video.is_live else session.recall(source)
        answer = session.ask(
            question, lmm=model, name=lmm, asking=asking, finder=finder or None, pictures=again
        ).seen_in_part(video.problem)
    if json:
        print_json(answer.to_json())
    else:
        _print(answer, with_times=frames > 1)


def _refuse_options(context: typer.Context) -> None:
    """A stored run was tracked already: options for tracking cannot change it, and say so."""
    given = [
        name
        for name in context.params
        if name not in _WITH_A_RUN
        and (origin := context.get_parameter_source(name)) is not None
        and origin.name == "COMMANDLINE"
    ]
    if given:
        options = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InputError(
            f"{context.params['source']} is a stored run, which is not tracked again: leave out {options}"
        )


def _watch(
    source: str,
    segmenter: str | LoadedSegmenter,
    chosen: Settings,
    start: float | None,
    end: float | None,
    every: int,
) -> tuple[Session, VideoSource]:
    """Track the source without writing anything; the session that has seen it, and the source, at its end."""
    from som_agent.session import Session
    from som_agent.video import open_video

    session = Session(segmenter, chosen)
    with (
        open_video(source, start=start, end=end, every=every) as video,
        progress("watching", video.frame_count) as advance,
    ):
        for _ in session.run(video):
            advance()
    if video.problem:
        note(video.problem)
    return session, video


def _print(answer: Answer, *, with_times: bool) -> None:
    """The answer for a person: the text, when each mark fits, and what could not be grounded."""
    lines = [answer.text or "(no answer)"]
    if with_times:
        for mark in answer.marks:
            lines.append(f"  [{mark.label}] {', '.join(_span(*span) for span in mark.intervals)}")
    lines += [f"  not grounded: {part.text!r}: {part.reason}" for part in answer.unsupported]
    if answer.usage is not None:
        lines.append(f"  asking took {answer.usage}")
    sys.stdout.write("\n".join(lines) + "\n")


def _span(start_s: float, end_s: float) -> str:
    first, last = f"{start_s:.1f}", f"{end_s:.1f}"
    return f"{first} s" if first == last else f"{first}-{last} s"
