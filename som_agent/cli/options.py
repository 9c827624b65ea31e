"""The options that commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.marks.view import View
    from som_agent.segmenters.base import Segmenter as LoadedSegmenter
    from som_agent.settings import Settings

__all__ = [
    "Alpha",
    "Cache",
    "Discover",
    "Draw",
    "Embedder",
    "End",
    "Every",
    "Finder",
    "Granularity",
    "Json",
    "LabelScheme",
    "Labels",
    "Lmm",
    "MaxMarks",
    "MaxSeconds",
    "MaxTokens",
    "MaxUsd",
    "Pictures",
    "Plain",
    "Propagator",
    "Segmenter",
    "Size",
    "Start",
    "TraceFile",
    "Verify",
    "dialled",
    "number",
    "place",
    "settings",
    "view",
    "whole",
]


class LabelScheme(StrEnum):
    """How marks are written."""

    numbers = "numbers"
    letters = "letters"


def whole(option: str, least: int) -> Callable[[str], int]:
    """A parser of an option: a whole number that is not below `least`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise InputError(f"{option} {text} makes no sense: it is a whole number, {least} or more")
        return value

    return parse


def view(text: str) -> View:
    """What `--look` says: how the model sees pictures."""
    from som_agent.lmm.profiles import PROFILES, profile_named
    from som_agent.marks.view import LEAST_PX, View

    if re.fullmatch(r"[-+]?\d+", text):
        return View.of_side(whole("--look", LEAST_PX)(text))
    seen = profile_named(text).view
    views = [profile.view for profile in PROFILES.values()]
    if seen not in views:
        known = ", ".join(view.name for view in views)
        raise InputError(
            f"--look {text} makes no sense: it is the pixels of the long side, {LEAST_PX} or more, "
            f"or a model: {known}"
        )
    return seen


def place(text: str) -> Path:
    """The parser of `--out`."""
    if not text:  # as a path it would be the current folder
        raise InputError("--out is empty: name what is to be written")
    return Path(text)


def number(option: str, meaning: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    """A parser of an option: a number that `fits`; `meaning` says which ones do."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and fits(value)):
            raise InputError(f"{option} {text} makes no sense: it is {meaning}")
        return value

    return parse


def _seconds(option: str) -> Callable[[str], float]:
    return number(option, "in seconds from the first frame, 0 or more", lambda value: value >= 0)


def _scheme(text: str) -> LabelScheme:
    try:
        return LabelScheme(text)
    except ValueError as error:
        raise InputError(f"--labels {text} is not known; known: {', '.join(LabelScheme)}") from error


Segmenter = Annotated[
    str,
    typer.Option(
        help="frame → regions: hierarchy, labels:DIR, sam:CHECKPOINT, hf:REPO_OR_DIR or another one of "
        "`som-agent segmenters`.",
        show_default=True,
    ),
]
Granularity = Annotated[
    float | None,
    typer.Option(
        parser=number("--granularity", "from 0 (coarse) to 1 (fine)", lambda value: 0 <= value <= 1),
        metavar="G",
        help="How fine the segmenter cuts, from 0 (coarse) to 1 (fine); its own way if left out.",
    ),
]
Lmm = Annotated[
    str,
    typer.Option(
        help="Who answers: attributes (no model), provider:model, llava:REPO_OR_DIR or hf:REPO_OR_DIR."
    ),
]
Pictures = Annotated[
    int,
    typer.Option(
        parser=whole("--pictures", 1), metavar="N", help="Most pictures with marks in a prompt, 1 or more."
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="Show each frame without marks, too.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Show the model each mark of its answer alone, to accept or reject.")
]
Finder = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="hf:REPO_OR_DIR of Grounding DINO or SAM 3: looks for what has no mark.",
        show_default=False,
    ),
]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        parser=number("--max-usd", "in US dollars, above 0", lambda value: value > 0),
        metavar="USD",
        help="Stop before asking costs more.",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        parser=whole("--max-tokens", 1), metavar="N", help="Stop before more tokens are read and written."
    ),
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        parser=number("--max-seconds", "in seconds, above 0", lambda value: value > 0),
        metavar="S",
        help="Give up on the model after this time.",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep replies in this file, and give them again.", show_default=False),
]
TraceFile = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="Write prompts and replies to this file; --lmm replay:FILE plays them again.",
        show_default=False,
    ),
]
MaxMarks = Annotated[
    int,
    typer.Option(parser=whole("--max-marks", 1), metavar="N", help="Most marks drawn at once, 1 or more."),
]
Labels = Annotated[
    LabelScheme, typer.Option(parser=_scheme, metavar="numbers|letters", help="How marks are written.")
]
Draw = Annotated[str, typer.Option(help="What is drawn: any of mark,mask,box,contour.")]
Alpha = Annotated[
    float,
    typer.Option(
        parser=number("--alpha", "from 0 (no tint) to 1 (opaque)", lambda value: 0 <= value <= 1),
        metavar="A",
        help="Strength of the mask's tint, from 0 (none) to 1 (opaque).",
    ),
]
Start = Annotated[
    float | None,
    typer.Option(parser=_seconds("--start"), metavar="S", help="Begin at this time, in seconds."),
]
End = Annotated[
    float | None,
    typer.Option(parser=_seconds("--end"), metavar="S", help="Stop before this time, in seconds."),
]
Every = Annotated[
    int, typer.Option(parser=whole("--every", 1), metavar="N", help="Take every N-th frame, 1 or more.")
]
Size = Annotated[
    int,
    typer.Option(
        parser=whole("--size", 16),
        metavar="PX",
        help="Long side of the pictures inside, 16 or more; results stay in source pixels.",
    ),
]
Propagator = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What carries masks from frame to frame, so that the segmenter looks only now and then: "
        "flow or hf:REPO_OR_DIR. Without one it looks at every frame.",
        show_default=False,
    ),
]
Discover = Annotated[
    int,
    typer.Option(
        parser=whole("--discover", 1),
        metavar="N",
        help="With --propagator: frames from one look of the segmenter to the next.",
    ),
]
Embedder = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What else compares newcomers with objects that were out of sight, beside histograms: "
        "hf:REPO_OR_DIR of DINOv2, DINOv3, CLIP or SigLIP.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def dialled(segmenter: str, granularity: float | None) -> str | LoadedSegmenter:
    """The segmenter at a granularity; a name without one is left to be loaded where it is used."""
    if granularity is None:
        return segmenter
    from som_agent.segmenters import load_segmenter

    return load_segmenter(segmenter, granularity=granularity)


def settings(
    max_marks: int,
    labels: LabelScheme,
    draw: str,
    alpha: float,
    size: int,
    propagator: str = "",
    discover: int = 5,
    embedder: str = "",
) -> Settings:
    """The session's settings from the options."""
    from som_agent.marks.style import PARTS, MarkStyle, parse_draw
    from som_agent.settings import Settings

    parts = parse_draw(draw)
    if not parts:
        raise InputError(f"--draw {draw!r} draws nothing; known: {', '.join(PARTS)}")
    return Settings(
        max_marks=max_marks,
        labels=labels.value,
        style=MarkStyle(draw=parts, alpha=alpha),
        size=size,
        propagator=propagator,
        discover_every=discover,
        embedder=embedder,
    )
