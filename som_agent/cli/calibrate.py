"""`som-agent calibrate --lmm NAME`: how well a model reads marks, and how they are best drawn for it."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from som_agent.cli.options import Json, whole
from som_agent.cli.output import note, print_json, progress
from som_agent.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from som_agent.lmm.calibration.measure import Cost
    from som_agent.lmm.profiles import Price, Profile
    from som_agent.lmm.stored import Calibration, Cell, StoredProfile

__all__ = ["calibrate"]


def calibrate(
    lmm: Annotated[
        str,
        typer.Option(
            help="The model: provider:model, llava:REPO_OR_DIR or hf:REPO_OR_DIR.", show_default=False
        ),
    ],
    scenes: Annotated[
        int,
        typer.Option(
            parser=whole("--scenes", 0),
            metavar="N",
            help="Pictures of each kind; few marks come more often. 0 asks nothing and stores --price alone.",
        ),
    ] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Eight pictures instead of up to 25.")] = False,
    seed: Annotated[
        int, typer.Option(parser=whole("--seed", 0), metavar="N", help="Of the drawn scenes.")
    ] = 0,
    price: Annotated[
        str | None,
        typer.Option(
            metavar="IN,OUT", help="Dollars for a million tokens read and written, stored with the rest."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where a local model runs, cpu or cuda:0 for example.")
    ] = None,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep what was found for this model.")
    ] = True,
    json: Json = False,
) -> None:
    """Measure how well a model reads marks, and keep how they are best drawn for it.

    It is asked to list the marked items of drawn scenes one by one, with marks of each type and more and more
    of them.
    """
    from som_agent.lmm import load_lmm
    from som_agent.lmm.calibration.measure import QUICK, Plan, cost, measure
    from som_agent.lmm.profiles import profile_of
    from som_agent.lmm.stored import StoredProfile, prepared, read_stored, write_stored

    paid = None if price is None else _price(price)
    if scenes == 0 and (paid is None or not store):
        raise InputError("--scenes 0 asks nothing and stores the price alone: give --price IN,OUT")
    model = load_lmm(lmm, device=device)
    stored = StoredProfile(lmm)
    if store:
        prepared(lmm)  # what cannot be stored should show before anything is asked
        stored = read_stored(lmm) or stored
    stored = replace(stored, price=paid or stored.price)
    family = profile_of(model, lmm, stored=False)
    if scenes:
        plan = replace(QUICK if quick else Plan(), scenes=scenes, seed=seed)
        expected = cost(replace(family, price=stored.price or family.price), plan)
        note(_cost_line(lmm, expected, stored.price or family.price))
        with progress("reading marks", expected.pictures, unit="pictures") as advance:
            stored = replace(stored, calibration=measure(model, lmm, family, plan, on_picture=advance))
    path = write_stored(stored) if store else None
    if json:
        print_json(_told(stored, family, path))
        return
    if scenes and stored.calibration is not None:
        _print(_table(stored.calibration))
        sys.stdout.write(_chosen(stored.calibration, family) + "\n")
    if path is not None:
        sys.stdout.write(f"stored: {path}\n")


def _price(text: str) -> Price:
    from som_agent.lmm.profiles import Price

    try:
        usd_in, usd_out = (float(part) for part in text.split(","))
    except ValueError:
        usd_in = usd_out = -1.0
    if not (0 <= usd_in < float("inf") and 0 <= usd_out < float("inf")):
        raise InputError(
            f"--price {text} makes no sense: it is two numbers, dollars for a million tokens read and "
            "written, as 2.5,10"
        )
    return Price(usd_in, usd_out)


def _cost_line(name: str, expected: Cost, price: Price | None) -> str:
    """What it will cost, before anything is asked."""
    line = (
        f"asking {name} about {expected.pictures} pictures at most: about {expected.tokens_in:,} tokens read "
        f"and {expected.tokens_out:,} written"
    )
    if expected.usd is None or price is None:
        return line + "; their price is not known, --price IN,OUT tells it"
    return line + f", {expected.usd:.2f} dollars at {price.usd_in:g} and {price.usd_out:g} a million"


def _told(stored: StoredProfile, family: Profile, path: Path | None) -> dict[str, Any]:
    """What `--json` prints."""
    known = stored.calibration
    told: dict[str, Any] = {
        "model": stored.model,
        "family": family.name,
        "price": None if stored.price is None else asdict(stored.price),
        "stored": None if path is None else str(path),
        "calibration": None,
    }
    if known is not None:
        told["calibration"] = {**asdict(known), "reads": known.reads}
        for row, cell in zip(told["calibration"]["measured"], known.measured, strict=True):
            row["read"] = round(cell.read, 4)
    return told


def _table(known: Calibration) -> Table:
    """Share of the marks that were read: a row for each way to draw and size, a column for each density."""
    from rich.box import SIMPLE
    from rich.table import Table

    densities = sorted({cell.density for cell in known.measured})
    rows: dict[tuple[str, str], dict[int, Cell]] = {}
    for cell in known.measured:
        rows.setdefault((",".join(cell.draw), f"{cell.long_px}"), {})[cell.density] = cell
    title = "marks read, by what is drawn and how many there are in a picture"
    # Narrow: all of it has to fit into 80 columns.
    table = Table(title=title, box=SIMPLE, collapse_padding=True, pad_edge=False)
    table.add_column("draw", no_wrap=True)
    table.add_column("px", justify="right")
    for density in densities:
        table.add_column(f"{density}", justify="right")
    table.add_column("colour", justify="right")
    table.add_column("shape", justify="right")
    table.add_column("invented", justify="right")
    for (draw, long_px), cells in rows.items():
        shares = [f"{cells[density].read:.2f}" if density in cells else "" for density in densities]
        counts = list(cells.values())
        marks = max(sum(cell.marks for cell in counts), 1)
        table.add_row(
            draw,
            long_px,
            *shares,
            f"{sum(cell.right_color for cell in counts) / marks:.2f}",
            f"{sum(cell.right_shape for cell in counts) / marks:.2f}",
            f"{sum(cell.invented for cell in counts)}",
        )
    first = next(iter(rows.values()))
    lucky = [f"{first[density].guessing:.2f}" if density in first else "" for density in densities]
    table.add_row("(guessing)", "", *lucky, "", "", "", style="dim")
    return table


def _chosen(known: Calibration, family: Profile) -> str:
    """The choice in words."""
    from som_agent.lmm.calibration.scenes import SIZE

    share, lucky = f"{100 * known.marks_read:.0f} %", f"{100 * known.guessing:.0f} %"
    if not known.reads or known.view is None or known.draw is None:
        return (
            f"this model does not read marks: {share} of them, and guessing reads {lucky}; it is shown "
            f"pictures as any {family.name} model, and its answers about marks are not to be trusted"
        )
    return (
        f"chosen: {','.join(known.draw)}, up to {known.view.marks} marks in a picture, pictures of "
        f"{max(known.view.size(SIZE))} px: {share} of the marks read, by guessing {lucky}"
    )


def _print(table: Table) -> None:
    from rich.console import Console

    console: Any = Console()
    console.print(table)
