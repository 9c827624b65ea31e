"""The table of all segmenters, and how a segmenter is made of a name.

`som-agent segmenters` prints the table, and `docs/segmenters.md` is made from it; its rows are in `entries`.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import Any

from som_agent.errors import SegmenterError
from som_agent.segmenters.entries import ABILITIES, REGISTRY, Ability, Entry, Family

__all__ = ["ABILITIES", "REGISTRY", "able", "as_json", "entry_of", "family_of", "forms", "made"]

_BY_NAME = {entry.name: entry for entry in REGISTRY}


def forms() -> dict[str, str]:
    """The known segmenters: how each is written → one phrase of what it is."""
    return {entry.form: entry.phrase for entry in REGISTRY}


def able(ability: Ability) -> list[str]:
    """How those segmenters are written that can do something, `hf:` with the networks that can."""
    written = []
    for entry in REGISTRY:
        titles = [family.title for family in entry.families if ability in family.can]
        if titles:
            several = len(entry.families) > 1
            written.append(f"{entry.form} of {', '.join(titles)}" if several else entry.form)
    return written


def entry_of(spec: str) -> tuple[Entry, str]:
    """The entry of a name, and what the name has after the colon.

    Raises:
        SegmenterError: an unknown name, one without its argument, or with one that it does not take.
    """
    name, colon, argument = spec.partition(":")
    entry = _BY_NAME.get(name)
    if entry is None:
        known = "; ".join(f"{form} ({phrase})" for form, phrase in forms().items())
        raise SegmenterError(f"unknown segmenter {spec!r}; known: {known}")
    if entry.argument and not argument:
        raise SegmenterError(f"segmenter {spec!r} lacks its argument: write {entry.form}, {entry.phrase}")
    if colon and not entry.argument:
        raise SegmenterError(f"segmenter {name!r} takes no argument, got {spec!r}")
    return entry, argument


def family_of(entry: Entry, argument: str) -> Family:
    """The family of a segmenter; for `hf:` it is read off the checkpoint's configuration.

    Raises:
        SegmenterError: no such checkpoint, or one of a network that is in no family.
    """
    if len(entry.families) == 1:
        return entry.families[0]
    from transformers import AutoConfig

    from som_agent.pretrained import load_pretrained, local_or_hub

    where = local_or_hub(argument, SegmenterError)
    kind = load_pretrained(AutoConfig, where, SegmenterError).model_type
    for family in entry.families:
        if kind in family.types:
            return family
    known = ", ".join(family.title for family in entry.families)
    raise SegmenterError(f"{entry.name}:{argument} is a {kind} network; these work: {known}")


def made(spec: str, **options: Any) -> Any:
    """The segmenter of a name.

    Args:
        spec: as `entry_of` takes it.
        options: `device` and `granularity`; None for the usual one.

    Raises:
        SegmenterError: as `entry_of` and `family_of`; a granularity where there is none; a network that only
            finds by phrases; and what the segmenter itself raises.
    """
    entry, argument = entry_of(spec)
    family = family_of(entry, argument)
    if not family.make:
        raise SegmenterError(
            f"{spec} is {family.title}: it finds what phrases name and nothing by itself; give it as --finder"
        )
    if options.get("granularity") is not None and not family.dial:
        dials = ", ".join(entry.form for entry in REGISTRY if any(family.dial for family in entry.families))
        raise SegmenterError(f"segmenter {spec!r} has no granularity; these have: {dials}")
    module, _, name = family.make.partition(".")
    kind = getattr(import_module(f"som_agent.segmenters.{module}"), name)
    # Those without weights run on the CPU, and what is ready made has no dial.
    taken = {"granularity": options.get("granularity")} if family.dial else {}
    if family.weights is not None or entry.name == "dial":
        taken["device"] = options.get("device")
    return kind(*([argument] if entry.argument else []), **taken)


def as_json() -> list[dict[str, Any]]:
    """The table for programs, a row for every family."""
    return [
        {
            "name": entry.name,
            "written": entry.form,
            "network": family.title,
            "can": {ability: ability in family.can for ability in ABILITIES},
            "granularity": family.dial or None,
            "code_licence": family.code,
            "weights": None if family.weights is None else asdict(family.weights),
            "extra": family.needs or None,
            "model_types": list(family.types),
            "phrase": entry.phrase,
        }
        for entry in REGISTRY
        for family in entry.families
    ]
