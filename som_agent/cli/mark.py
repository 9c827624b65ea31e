"""`som-agent mark IMAGE`: one picture, marked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from som_agent.cli.options import (
    Draw,
    Json,
    Labels,
    LabelScheme,
    MaxMarks,
    Segmenter,
    Size,
    place,
    settings,
    whole,
)
from som_agent.cli.output import print_json

__all__ = ["mark"]


def mark(
    image: Annotated[str, typer.Argument(help="A picture.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            parser=place,
            metavar="FILE",
            help="The marked picture; IMAGE.marked.png in this folder by default.",
        ),
    ] = None,
    look: Annotated[
        int | None,
        typer.Option(
            parser=whole("--look", 16),
            metavar="PX",
            help="Draw for a model that sees this many pixels on the long side, 16 or more.",
        ),
    ] = None,
    segmenter: Segmenter = "hierarchy",
    max_marks: MaxMarks = 20,
    labels: Labels = LabelScheme.numbers,
    draw: Draw = "mark,mask,contour",
    size: Size = 480,
    json: Json = False,
) -> None:
    """Draw numbers on the objects of one picture."""
    from som_agent.api import mark as mark_image
    from som_agent.video import write_image
    from som_agent.video.output import refuse_to_overwrite

    out = out or Path(f"{Path(image).stem}.marked.png")
    refuse_to_overwrite(out, image)
    if segmenter.startswith("labels:"):
        refuse_to_overwrite(out, Path(segmenter.removeprefix("labels:")).expanduser())
    marked = mark_image(image, segmenter=segmenter, **vars(settings(max_marks, labels, draw, size)))
    picture, marks = (marked.image, marked.marks) if look is None else marked.look(look)
    write_image(out, picture)
    if json:
        print_json(
            {
                "image": str(out),
                "size": [picture.shape[1], picture.shape[0]],
                "source_size": list(marked.size),
                "marks": [mark.to_json() for mark in marks],
            }
        )
        return
    shown = sum(mark.shown for mark in marks)
    hidden = len(marks) - shown
    rest = f", {hidden} more over the budget or without room (--json lists them)" if hidden else ""
    sys.stdout.write(f"{out}: {shown} marks{rest}\n" if marks else f"{out}: no regions found, no marks\n")
