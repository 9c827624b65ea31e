"""`som-agent mark IMAGE`: one picture, marked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from som_agent.cli.options import (
    Alpha,
    Draw,
    Granularity,
    Json,
    Labels,
    LabelScheme,
    MaxMarks,
    Segmenter,
    dialled,
    place,
    settings,
    view,
    whole,
)
from som_agent.cli.output import print_json
from som_agent.errors import InputError

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
        str | None,
        typer.Option(
            metavar="PX|MODEL",
            help="Draw for a model that sees this many pixels on the long side, 16 or more, "
            "or for a model by its name: llava-1.5, gpt-4o, claude, gemini, qwen.",
        ),
    ] = None,
    zoom: Annotated[
        str | None,
        typer.Option(metavar="MARK", help="Open this mark, by number or label: a closer look at it."),
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The segmenter for the parts of --zoom; --segmenter by default."),
    ] = None,
    segmenter: Segmenter = "hierarchy",
    granularity: Granularity = None,
    max_marks: MaxMarks = 20,
    labels: Labels = LabelScheme.numbers,
    draw: Draw = "mark,mask,contour",
    alpha: Alpha = 0.12,
    size: Annotated[
        int | None,
        typer.Option(
            parser=whole("--size", 16),
            metavar="PX",
            help="Long side of the picture inside, 16 or more; 480, or the picture's own for labels:DIR.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Draw numbers on the objects of one picture."""
    from som_agent.api import mark as mark_image
    from som_agent.api import zoom as open_mark
    from som_agent.video import write_image
    from som_agent.video.output import refuse_to_overwrite

    seen_in = None if look is None else view(look)
    if zoom is None and parts is not None:
        raise InputError(f"--parts {parts} finds the parts of a mark: name one with --zoom")
    if zoom is not None and not zoom.strip():
        raise InputError("--zoom is empty: name a mark by number or label")
    out = out or Path(f"{Path(image).stem}.marked.png")
    refuse_to_overwrite(out, image)
    if segmenter.startswith("labels:"):
        refuse_to_overwrite(out, Path(segmenter.removeprefix("labels:")).expanduser())
    chosen = vars(settings(max_marks, labels, draw, alpha, size or 480))
    if size is None:
        del chosen["size"]
    by = dialled(segmenter, granularity)
    opened = None if zoom is None else open_mark(image, zoom, segmenter=by, parts=parts, **chosen)
    marked = opened or mark_image(image, segmenter=by, **chosen)
    picture, marks = marked.image, marked.marks
    if seen_in is not None:
        seen = marked.look(seen_in)
        picture, marks = seen.image, seen.marks
    write_image(out, picture)
    if json:
        told: dict[str, Any] = {
            "image": str(out),
            "size": [picture.shape[1], picture.shape[0]],
            "source_size": list(marked.size),
        }
        if opened is not None:
            parent = opened.parent
            told["zoom"] = {"mark": parent.mark, "label": parent.label, "box": list(opened.box)}
        print_json({**told, "marks": [mark.to_json() for mark in marks]})
        return
    shown = sum(mark.shown for mark in marks)
    hidden = len(marks) - shown
    rest = f", {hidden} more over the budget or without room (--json lists them)" if hidden else ""
    none = "no regions found" if opened is None else f"no parts found in mark {opened.parent.label}"
    sys.stdout.write(f"{out}: {shown} marks{rest}\n" if marks else f"{out}: {none}, no marks\n")
