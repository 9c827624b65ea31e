"""`som-agent segmenters`: what can cut a picture into regions, and what each of them can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from som_agent.cli.options import Json
from som_agent.cli.output import print_json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["segmenters"]


def segmenters(json: Json = False) -> None:
    """List the segmenters: how each is written, what it can, and its weights."""
    from som_agent.segmenters.registry import as_json

    if json:
        print_json({"segmenters": as_json()})
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)  # a pipe or a file has no width of its own
    console.print(_table(licences=console.width >= _WIDE))
    for line in _below():
        console.print(line, highlight=False)


def _table(licences: bool) -> Table:
    """One row a network; those that are named alike stand under their name."""
    from rich import box
    from rich.table import Table

    from som_agent.segmenters.registry import ABILITIES, REGISTRY

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("segmenter", no_wrap=True)
    for ability in ABILITIES:
        table.add_column(_SHORT.get(ability, ability), justify="center", no_wrap=True)
    table.add_column("dial", justify="center", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    if licences:
        table.add_column("licence of weights", overflow="fold")
    for entry in REGISTRY:
        alone = len(entry.families) == 1
        if not alone:
            table.add_row(_written(entry.form))
        for family in entry.families:
            needs = rf" \[{family.needs}]" if family.needs else ""
            licence = "" if family.weights is None else family.weights.licence + " *" * family.weights.gated
            table.add_row(
                (_written(entry.form) if alone else f"  {family.title}") + needs,
                *("x" if ability in family.can else "" for ability in ABILITIES),
                "x" if family.dial else "",
                "" if family.weights is None else family.weights.size,
                *([licence] if licences else []),
            )
    return table


_WIDE = 110
"""Columns from which licences fit in."""
_SHORT = {
    "automatic": "auto",
    "points": "pts",
    "boxes": "box",
    "classes": "class",
    "levels": "lvl",
    "video": "vid",
}
"""Heads of columns that are no wider than they must be."""


def _written(form: str) -> str:
    """A long form in lines of its own."""
    return form.replace(",", ",\n  ")


def _below() -> list[str]:
    from som_agent.segmenters.registry import ABILITIES

    told = "; ".join(f"{_SHORT.get(ability, ability)}: {what}" for ability, what in ABILITIES.items())
    return [
        f"{told}; dial: --granularity sets how fine it cuts.",
        "* the hub hands the weights out to accounts that accepted their terms: `hf auth login`.",
        r"\[name]: an extra to install, pip install 'som-agent\[name]'. All code that runs is Apache-2.0.",
    ]
