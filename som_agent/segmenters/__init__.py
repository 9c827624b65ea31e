"""Frame → regions.

A segmenter is named by a short text, `labels:masks/` for example, or is any object with `segment`; see
`Segmenter`. `registry` has the table of all that have names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from som_agent.errors import SegmenterError
from som_agent.segmenters.base import Segmenter

if TYPE_CHECKING:
    from som_agent.segmenters.prompts import Prompted
    from som_agent.segmenters.text import Finder

__all__ = ["Segmenter", "load_finder", "load_prompted", "load_segmenter", "segmenter_names"]


def segmenter_names() -> dict[str, str]:
    """The known segmenters: how each is written → one phrase of what it is."""
    from som_agent.segmenters.registry import forms

    return forms()


def load_segmenter(
    spec: str | Segmenter, *, device: str | None = None, granularity: float | None = None
) -> Segmenter:
    """The segmenter of a name; a ready segmenter is handed back as it is.

    Args:
        spec: a name such as `hierarchy` or `sam:CHECKPOINT`, see `segmenter_names`; or an object with `name`
            and `segment`.
        device: where a network runs, `cuda:0` for example; None takes the first GPU or the CPU.
        granularity: 0 (coarse) to 1 (fine), see `granularity`; None takes the segmenter's own.

    Raises:
        SegmenterError: an unknown name, a missing argument, files that the segmenter cannot use, or a
            granularity for a segmenter that has none or is there already.
        InputError: a device that is not there, or a granularity that is not from 0 to 1.
    """
    from som_agent.segmenters.granularity import checked
    from som_agent.segmenters.registry import made

    dial = checked(granularity)
    if isinstance(spec, str):
        segmenter: Segmenter = made(spec, device=device, granularity=dial)
        return segmenter
    if not (callable(getattr(spec, "segment", None)) and isinstance(getattr(spec, "name", None), str)):
        raise SegmenterError(
            f"a segmenter is a name or an object with `name` and `segment(frame)`, not {type(spec).__name__}"
        )
    if dial is not None:
        raise SegmenterError(f"segmenter {spec.name!r} is loaded already: its granularity is its own")
    return spec


def load_prompted(
    spec: str | Segmenter | Prompted, *, device: str | None = None, granularity: float | None = None
) -> Prompted:
    """The segmenter of a name, one that can be pointed at: `hierarchy` or `sam:CHECKPOINT` for example.

    Args:
        spec: as for `load_segmenter`, or an object with `name` and `prompted`.
        device: as for `load_segmenter`.
        granularity: as for `load_segmenter`.

    Raises:
        SegmenterError: as `load_segmenter`, or a segmenter that takes no prompts.
        InputError: as `load_segmenter`.
    """
    from som_agent.segmenters.registry import able

    segmenter: object = spec
    if isinstance(spec, str):
        segmenter = load_segmenter(spec, device=device, granularity=granularity)
    if not callable(getattr(segmenter, "prompted", None)):
        name = getattr(segmenter, "name", type(segmenter).__name__)
        raise SegmenterError(
            f"segmenter {name!r} takes no points or boxes; these do: {'; '.join(able('points'))}"
        )
    return segmenter  # type: ignore[return-value]  # it was just looked at


def load_finder(
    spec: str | Finder, *, masks: str | Prompted = "hierarchy", device: str | None = None
) -> Finder:
    """What finds things by phrases: `hf:REPO_OR_DIR` of Grounding DINO or of SAM 3, or `seem:CHECKPOINT`.

    Args:
        spec: the name, or an object with `name` and `find`, which is handed back as it is.
        masks: what cuts things out of the boxes of Grounding DINO, see `load_prompted`; the others need none.
        device: as for `load_segmenter`.

    Raises:
        SegmenterError: an unknown name, or files of another kind of network or damaged ones.
        InputError: a device that is not there.
    """
    if not isinstance(spec, str):
        return spec
    from som_agent.segmenters.registry import able, entry_of, family_of, made

    known = "; ".join(able("text"))
    if spec.partition(":")[0] not in {form.partition(":")[0] for form in able("text")}:
        raise SegmenterError(f"unknown finder {spec!r}; these find by phrases: {known}")
    entry, argument = entry_of(spec)
    family = family_of(entry, argument)
    if "text" not in family.can:
        raise SegmenterError(f"{spec} is {family.title}, which finds nothing by phrases; these do: {known}")
    if entry.name != "hf":
        finder: Finder = made(spec, device=device)
        return finder
    from som_agent.segmenters.text import DINO_TYPES, DinoFinder, Sam3Finder

    if set(family.types) <= set(DINO_TYPES):
        return DinoFinder(argument, load_prompted(masks, device=device), device=device)
    return Sam3Finder(argument, device=device)
