"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from som_agent.settings import Settings

__all__ = [
    "Draw",
    "End",
    "Every",
    "Json",
    "LabelScheme",
    "Labels",
    "Lmm",
    "MaxMarks",
    "Segmenter",
    "Size",
    "Start",
    "settings",
]


class LabelScheme(StrEnum):
    """How marks are written."""

    numbers = "numbers"
    letters = "letters"


Segmenter = Annotated[
    str,
    typer.Option(
        help="frame → regions: hierarchy, labels:DIR, sam:CHECKPOINT or hf:REPO_OR_DIR.", show_default=True
    ),
]
Lmm = Annotated[
    str, typer.Option(help="Who answers: attributes (no model), provider:model or llava:REPO_OR_DIR.")
]
MaxMarks = Annotated[int, typer.Option(min=1, help="Most marks drawn at once.")]
Labels = Annotated[LabelScheme, typer.Option(help="How marks are written.")]
Draw = Annotated[str, typer.Option(help="What is drawn: any of mark,mask,box,contour.")]
Start = Annotated[float | None, typer.Option(help="Begin at this time, in seconds.")]
End = Annotated[float | None, typer.Option(help="Stop before this time, in seconds.")]
Every = Annotated[int, typer.Option(min=1, help="Take every N-th frame.")]
Size = Annotated[
    int,
    typer.Option(min=16, help="Long side in pixels of the pictures inside; results stay in source pixels."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def settings(max_marks: int, labels: LabelScheme, draw: str, size: int) -> Settings:
    """The session's settings from the options."""
    from som_agent.marks.style import MarkStyle, parse_draw
    from som_agent.settings import Settings

    return Settings(
        max_marks=max_marks, labels=labels.value, style=MarkStyle(draw=parse_draw(draw)), size=size
    )
