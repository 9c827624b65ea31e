"""`som-agent export RUN_DIR --to FORMAT -o OUT`: a stored run for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from som_agent.cli.options import Json, place
from som_agent.cli.output import note, print_json

__all__ = ["export"]


def export(
    run: Annotated[str, typer.Argument(metavar="RUN_DIR", help="The folder of a stored run.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="davis|coco|ytvis|mot",
            help="Palette PNGs, COCO instances, YouTube-VIS or MOT Challenge.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", parser=place, metavar="OUT", help="The file to write; for davis, a new folder."
        ),
    ],
    json: Json = False,
) -> None:
    """Write a stored run in a format that other tools read."""
    from som_agent.runs import read_run
    from som_agent.runs.exports import export as export_run

    done = export_run(read_run(run), to, out)
    for line in done.notes:
        note(line)
    if json:
        print_json(
            {
                "export": str(done.path),
                "format": done.format,
                "frames": done.frames,
                "marks": done.marks,
                "notes": list(done.notes),
            }
        )
    else:
        sys.stdout.write(f"{done.path}: {done.frames} frames, {done.marks} marks\n")
