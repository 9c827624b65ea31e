"""How good marks are: whether they are read, whether they are on their object, whether they stay.

    python -m som_agent.evaluation.marks readback  --images DIR [--px 336,768]
    python -m som_agent.evaluation.marks placement --images DIR
    python -m som_agent.evaluation.marks stability --root DIR

DIR of `--images` has `images/X.jpg` and `masks/X.png` (pixel = region, 0 = none); that of `--root` has the
layout of DAVIS. Both hold true regions, so that nothing but the marks is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from som_agent.errors import InputError, SomError
from som_agent.evaluation.placement import placement_scores
from som_agent.evaluation.readback import readback_scores
from som_agent.evaluation.stability import stability_scores

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it went well, 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m som_agent.evaluation.marks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True)
    readback = what.add_parser("readback", help="an OCR reads the marks, ours and the published ones")
    readback.add_argument("--px", default="336,768", help="long sides at which a model looks")
    readback.add_argument("--marks", type=int, default=12, help="most marks in a picture")
    placement = what.add_parser("placement", help="marks on their own region, labels apart")
    for command in (readback, placement):
        command.add_argument("--images", type=Path, required=True, help="folder with images/ and masks/")
    stability = what.add_parser("stability", help="how far marks move against their objects")
    stability.add_argument("--root", type=Path, required=True, help="folder in the layout of DAVIS")
    for command in (readback, placement, stability):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    scores: Sequence[DataclassInstance]
    try:
        if options.what == "readback":
            scores = readback_scores(options.images, _sides(options.px), options.marks)
        elif options.what == "placement":
            scores = placement_scores(options.images)
        else:
            scores = stability_scores(options.root)
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rows = [asdict(score) for score in scores]
    if options.json:
        sys.stdout.write(json.dumps({options.what: rows}) + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"marks: {options.what}")
    for name in rows[0]:
        table.add_column(
            name.replace("_", " "), justify="left" if isinstance(rows[0][name], str) else "right"
        )
    for row in rows:
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    return 0


def _sides(text: str) -> list[int]:
    try:
        return [int(px) for px in text.split(",")]
    except ValueError as error:
        raise InputError(f"--px {text} makes no sense: whole numbers with commas between them") from error


if __name__ == "__main__":
    sys.exit(main())
