"""Frame → regions.

A segmenter is named by a short text, `labels:masks/` for example, or is any object with `segment`; see
`Segmenter`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from som_agent.errors import SegmenterError
from som_agent.segmenters.base import Segmenter

if TYPE_CHECKING:
    from som_agent.segmenters.prompts import Prompted
    from som_agent.segmenters.text import Finder

__all__ = ["Segmenter", "load_finder", "load_prompted", "load_segmenter", "segmenter_names"]


@dataclass(frozen=True)
class _Entry:
    """A row of the registry: what follows the colon ("" for nothing), one phrase of help, how to make it."""

    argument: str
    phrase: str
    make: Callable[[str, str | None], Segmenter]


def _hierarchy(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.hierarchy import HierarchySegmenter

    return HierarchySegmenter()


def _labels(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.labels import LabelsSegmenter

    return LabelsSegmenter(argument)


def _sam(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.sam import SamSegmenter

    return SamSegmenter(argument, device=device)


def _maskdino(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.maskdino import MaskDinoSegmenter

    return MaskDinoSegmenter(argument, device=device)


def _hf(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.hf import HfSegmenter

    return HfSegmenter(argument, device=device)


def _seem(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.seem import SeemSegmenter

    return SeemSegmenter(argument, device=device)


def _semantic_sam(argument: str, device: str | None) -> Segmenter:
    from som_agent.segmenters.semantic_sam import SemanticSamSegmenter

    return SemanticSamSegmenter(argument, device=device)


_REGISTRY = {
    "hierarchy": _Entry("", "the embedded default: a watershed hierarchy, no weights needed", _hierarchy),
    "labels": _Entry("DIR", "ready-made masks: index PNGs or COCO RLE lists in a folder", _labels),
    "sam": _Entry("CHECKPOINT", "a Segment Anything checkpoint file (.pth), any size of ViT", _sam),
    "semantic-sam": _Entry(
        "CHECKPOINT", "a Semantic-SAM checkpoint file, Swin-T or Swin-L: six levels", _semantic_sam
    ),
    "maskdino": _Entry(
        "CHECKPOINT", "a MaskDINO checkpoint file (.pth): things by class, stuff too", _maskdino
    ),
    "hf": _Entry("REPO_OR_DIR", "SAM, SAM-HQ, SAM 2, EdgeTAM or SAM 3 tracker of transformers", _hf),
    "seem": _Entry("CHECKPOINT", "SEEM: things and stuff by class, strokes, references, phrases", _seem),
}


def segmenter_names() -> dict[str, str]:
    """The known segmenters: how each is written → one phrase of what it is."""
    return {
        name + (f":{entry.argument}" if entry.argument else ""): entry.phrase
        for name, entry in _REGISTRY.items()
    }


def load_segmenter(spec: str | Segmenter, *, device: str | None = None) -> Segmenter:
    """The segmenter of a name; a ready segmenter is handed back as it is.

    Args:
        spec: `hierarchy`, `labels:DIR`, `sam:CHECKPOINT`, `hf:REPO_OR_DIR`, or an object with `name` and
            `segment`.
        device: where a network runs, `cuda:0` for example; None takes the first GPU or the CPU.

    Raises:
        SegmenterError: an unknown name, a missing argument, or files that the segmenter cannot use.
        InputError: a device that is not there.
    """
    if not isinstance(spec, str):
        if callable(getattr(spec, "segment", None)) and isinstance(getattr(spec, "name", None), str):
            return spec
        raise SegmenterError(
            f"a segmenter is a name or an object with `name` and `segment(frame)`, not {type(spec).__name__}"
        )
    name, colon, argument = spec.partition(":")
    entry = _REGISTRY.get(name)
    if entry is None:
        known = "; ".join(f"{form} ({phrase})" for form, phrase in segmenter_names().items())
        raise SegmenterError(f"unknown segmenter {spec!r}; known: {known}")
    if entry.argument and not argument:
        raise SegmenterError(
            f"segmenter {spec!r} lacks its argument: write {name}:{entry.argument}, {entry.phrase}"
        )
    if colon and not entry.argument:
        raise SegmenterError(f"segmenter {name!r} takes no argument, got {spec!r}")
    return entry.make(argument, device)


def load_prompted(spec: str | Segmenter | Prompted, *, device: str | None = None) -> Prompted:
    """The segmenter of a name, one that can be pointed at: `hierarchy`, `sam:CHECKPOINT` or `hf:REPO_OR_DIR`.

    Args:
        spec: as for `load_segmenter`, or an object with `name` and `prompted`.
        device: as for `load_segmenter`.

    Raises:
        SegmenterError: as `load_segmenter`, or a segmenter that takes no prompts.
        InputError: a device that is not there.
    """
    segmenter = load_segmenter(spec, device=device) if isinstance(spec, str) else spec
    if not callable(getattr(segmenter, "prompted", None)):
        name = getattr(segmenter, "name", type(segmenter).__name__)
        raise SegmenterError(f"segmenter {name!r} takes no points or boxes; hierarchy, sam: and hf: do")
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
    name, _, source = spec.partition(":")
    if name == "seem" and source:
        from som_agent.segmenters.seem import SeemSegmenter

        return SeemSegmenter(source, device=device)
    from transformers import AutoConfig

    from som_agent.pretrained import load_pretrained, local_or_hub
    from som_agent.segmenters.text import DINO_TYPES, SAM3_TYPES, DinoFinder, Sam3Finder

    if name != "hf" or not source:
        raise SegmenterError(
            f"unknown finder {spec!r}; write hf:REPO_OR_DIR of Grounding DINO or SAM 3, or seem:CHECKPOINT"
        )
    kind = load_pretrained(AutoConfig, local_or_hub(source, SegmenterError), SegmenterError).model_type
    if kind in SAM3_TYPES:
        return Sam3Finder(source, device=device)
    if kind in DINO_TYPES:
        return DinoFinder(source, load_prompted(masks, device=device), device=device)
    known = ", ".join([*DINO_TYPES, *SAM3_TYPES])
    raise SegmenterError(f"{spec} is a {kind} network; finding by phrases works with {known}")
