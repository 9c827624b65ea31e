"""All segmenters: how each is written, what it can, and what its weights are; see `registry`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ABILITIES", "REGISTRY", "Ability", "Entry", "Family", "Weights"]

Ability = Literal["automatic", "points", "boxes", "text", "classes", "levels", "video"]
ABILITIES: Mapping[Ability, str] = {
    "automatic": "finds regions by itself",
    "points": "can be pointed at",
    "boxes": "takes a box around a thing",
    "text": "finds things by phrases (`--finder`)",
    "classes": "says what a region is",
    "levels": "gives regions of several levels, parts linked to their wholes",
    "video": "the same checkpoint carries masks through a video (`--propagator`)",
}


@dataclass(frozen=True)
class Weights:
    """The weights that the authors of a network published.

    Attributes:
        licence: of the weights, as SPDX writes it where it is listed there.
        smallest_mb: size of the smallest in megabytes (10⁶ bytes), float32.
        largest_mb: of the largest.
        gated: whether the hub hands them out only to accounts that accepted their terms.
    """

    licence: str
    smallest_mb: int
    largest_mb: int
    gated: bool = False

    @property
    def size(self) -> str:
        """Both sizes in words, one number where they are the same."""
        low, high = self.smallest_mb, self.largest_mb
        return str(low) if low == high else f"{low}-{high}"


@dataclass(frozen=True)
class Family:
    """What one kind of network can, or a segmenter without one.

    Attributes:
        title: what it is called.
        can: its abilities.
        dial: what `granularity` does, "" where there is no dial.
        make: module and class of the segmenter, in `som_agent.segmenters`; "" where it only finds by phrases.
        weights: None where none are needed.
        types: for `hf:`, the model types in the configurations of transformers.
        needs: the extra to install, "" for none.
        code: licence of the code that runs.
    """

    title: str
    can: tuple[Ability, ...]
    dial: str = ""
    make: str = ""
    weights: Weights | None = None
    types: tuple[str, ...] = ()
    needs: str = ""
    code: str = "Apache-2.0"


@dataclass(frozen=True)
class Entry:
    """A way of writing segmenters.

    Attributes:
        name: what stands before the colon.
        argument: what stands after it, "" for nothing.
        phrase: one phrase of what it is.
        families: one, or those of `hf:`, which a checkpoint's own configuration chooses among.
    """

    name: str
    argument: str
    phrase: str
    families: tuple[Family, ...] = field(repr=False)

    @property
    def form(self) -> str:
        """How it is written."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


_PROMPTS: tuple[Ability, ...] = ("automatic", "points", "boxes", "levels")
_GRID = "density of the grid of points, smallest area, whole things or parts too"
_SURE = "how sure of a segment, and how much of it visible"
_STAGES = "SEEM, Semantic-SAM's levels 1 to 6, SAM"

_HF = (
    Family("SAM", _PROMPTS, _GRID, "hf.HfSegmenter", Weights("Apache-2.0", 375, 2564), ("sam",)),
    Family("SAM-HQ", _PROMPTS, _GRID, "hf.HfSegmenter", Weights("Apache-2.0", 379, 2570), ("sam_hq",)),
    Family(
        "SAM 2 and 2.1",
        (*_PROMPTS, "video"),
        _GRID,
        "hf.HfSegmenter",
        Weights("Apache-2.0", 156, 898),
        ("sam2", "sam2_video"),
    ),
    Family(
        "EdgeTAM",
        (*_PROMPTS, "video"),
        _GRID,
        "hf.HfSegmenter",
        Weights("Apache-2.0", 56, 56),
        ("edgetam", "edgetam_video"),
        needs="edgetam",
    ),
    Family(
        "SAM 3",
        (*_PROMPTS, "text", "video"),
        _GRID,
        "hf.HfSegmenter",
        Weights("SAM License", 3440, 3440, gated=True),
        ("sam3_video",),
    ),
    Family(
        "SAM 3 tracker",
        _PROMPTS,
        _GRID,
        "hf.HfSegmenter",
        Weights("SAM License", 3440, 3440, gated=True),
        ("sam3_tracker",),
    ),
    Family(
        "SAM 3 detector",
        ("text",),
        weights=Weights("SAM License", 3440, 3440, gated=True),
        types=("sam3",),
    ),
    Family(
        "Mask2Former",
        ("automatic", "classes"),
        _SURE,
        "classes.ClassSegmenter",
        Weights("MIT", 190, 866),
        ("mask2former",),
    ),
    Family(
        "OneFormer",
        ("automatic", "classes"),
        _SURE,
        "classes.ClassSegmenter",
        Weights("MIT", 204, 880),
        ("oneformer",),
    ),
    Family(
        "EoMT",
        ("automatic", "classes"),
        _SURE,
        "classes.ClassSegmenter",
        Weights("MIT; DINOv3 License", 96, 4700),
        ("eomt", "eomt_dinov3"),
    ),
    Family(
        "MaskFormer",
        ("automatic", "classes"),
        _SURE,
        "classes.ClassSegmenter",
        Weights("CC-BY-NC-4.0", 167, 851),
        ("maskformer",),
    ),
    Family(
        "RF-DETR segmentation",
        ("automatic", "classes"),
        _SURE,
        "classes.ClassSegmenter",
        Weights("Apache-2.0", 134, 155),
        ("rf_detr",),
    ),
    Family(
        "Grounding DINO",
        ("text",),
        weights=Weights("Apache-2.0", 689, 933),
        types=("grounding-dino", "mm-grounding-dino"),
    ),
)

REGISTRY = (
    Entry(
        "hierarchy",
        "",
        "the embedded default: a watershed hierarchy, no weights needed",
        (
            Family(
                "watershed hierarchy",
                _PROMPTS,
                "most regions of the cut, weakest border, smallest area",
                "hierarchy.HierarchySegmenter",
            ),
        ),
    ),
    Entry(
        "labels",
        "DIR",
        "ready-made masks: index PNGs or COCO RLE lists in a folder",
        (Family("ready-made masks", ("automatic",), make="labels.LabelsSegmenter"),),
    ),
    Entry(
        "sam",
        "CHECKPOINT",
        "a Segment Anything checkpoint file (.pth), any size of ViT",
        (Family("SAM", _PROMPTS, _GRID, "sam.SamSegmenter", Weights("Apache-2.0", 375, 2564)),),
    ),
    Entry(
        "semantic-sam",
        "CHECKPOINT",
        "a Semantic-SAM checkpoint file (.pth), Swin-T or Swin-L: six levels of granularity",
        (
            Family(
                "Semantic-SAM",
                _PROMPTS,
                "levels 1 to 6, then all at once",
                "semantic_sam.SemanticSamSegmenter",
                Weights("none stated", 212, 893),
            ),
        ),
    ),
    Entry(
        "maskdino",
        "CHECKPOINT",
        "a MaskDINO checkpoint file (.pth), ResNet-50 or Swin-L: instances, panoptic or semantic",
        (
            Family(
                "MaskDINO",
                ("automatic", "classes"),
                _SURE,
                "maskdino.MaskDinoSegmenter",
                Weights("Apache-2.0", 176, 893),
            ),
        ),
    ),
    Entry(
        "seem",
        "CHECKPOINT",
        "a SEEM checkpoint file (.pt), Focal-T or Focal-L: panoptic, points, strokes, text",
        (
            Family(
                "SEEM",
                ("automatic", "points", "boxes", "text", "classes"),
                _SURE,
                "seem.SeemSegmenter",
                Weights("none stated", 658, 1365),
            ),
        ),
    ),
    Entry(
        "dial",
        "seem=FILE,semantic-sam=FILE,sam=FILE",
        "SEEM, Semantic-SAM or SAM by granularity, as Set-of-Mark's own slider chose; any subset",
        (Family("the three of Set-of-Mark", _PROMPTS, _STAGES, "dial.DialSegmenter"),),
    ),
    Entry(
        "hf",
        "REPO_OR_DIR",
        "a network of transformers: SAM, SAM-HQ, SAM 2, EdgeTAM, SAM 3, Mask2Former, OneFormer, EoMT, "
        "MaskFormer or RF-DETR",
        _HF,
    ),
)
