"""A tiny checkpoint with random weights for every row of the registry, and how it is named.

A new segmenter adds one line to `FACTORIES`: what writes its files into a folder and hands back the name that
`load_segmenter` takes. The contract test and the benchmark run all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from som_agent.segmenters.entries import REGISTRY, Entry, Family
from tests import tiny_image_models
from tests.segmenters import tiny_class_models
from tests.tiny_image_models import picture

__all__ = ["FACTORIES", "picture", "quicken", "rows"]

Factory = Callable[[Path], str]


def rows() -> list[tuple[Entry, Family]]:
    """All that find regions by themselves."""
    return [(entry, family) for entry in REGISTRY for family in entry.families if "automatic" in family.can]


_QUICK: dict[str, Any] = {
    "_short_side_px": 64,
    "_sides": (64, 96),
    "_templates": False,
    "_threshold": 0.0,
    "_overlap": 0.1,
}
"""Attributes of segmenters that make them quick, and random networks sure of something."""


def quicken(segmenter: Any, points_per_side: int = 5) -> Any:
    """The segmenter with a coarse grid and small pictures inside, where it has such rules."""
    for one in (segmenter, getattr(segmenter, "inner", segmenter)):
        for name, value in _QUICK.items():
            if hasattr(one, name):
                setattr(one, name, value)
        if hasattr(one, "_rules"):
            one._rules = replace(one._rules, points_per_side=points_per_side)
    return segmenter


def _labels(folder: Path) -> str:
    import cv2

    frame = picture()
    labels = np.zeros(frame.image.shape[:2], np.uint8)
    labels[3:20, 5:30], labels[10:30, 40:60], labels[0, 0] = 1, 7, 2
    cv2.imwrite(str(folder / "00000.png"), labels)
    return f"labels:{folder}"


def _sam(folder: Path) -> str:
    from tests.segmenters.test_sam import tiny_sam

    torch.save(tiny_sam().state_dict(), folder / "sam.pth")
    return f"sam:{folder}/sam.pth"


def _semantic_sam(folder: Path) -> str:
    from som_agent.segmenters.networks.semantic_sam import SemanticSam
    from tests.segmenters.networks.rule import fill_by_rule
    from tests.segmenters.test_semantic_sam import TINY, save

    net = fill_by_rule(SemanticSam(TINY))
    predictor = net.sem_seg_head.predictor
    with torch.no_grad():  # sure of all its masks, which have hard edges
        predictor.iou_prediction_head.layers[-1].weight.zero_()
        predictor.iou_prediction_head.layers[-1].bias.fill_(0.95)
        for value in predictor.mask_embed.layers[-1].parameters():
            value.mul_(50)
    return f"semantic-sam:{save(net, folder / 'tiny.pth')}"


def _maskdino(folder: Path) -> str:
    from tests.segmenters.test_maskdino import R50, save

    return f"maskdino:{save(folder / 'maskdino_instance.pth', R50)}"


def _seem(folder: Path) -> str:
    from som_agent.segmenters.networks.seem import Seem
    from tests.segmenters.networks.rule import state_by_rule
    from tests.segmenters.test_seem import TINY

    torch.save(state_by_rule(Seem(TINY)), folder / "seem.pt")
    return f"seem:{folder}/seem.pt"


def _dial(folder: Path) -> str:
    return f"dial:sam={_sam(folder).removeprefix('sam:')}"


def _prompted(family: str, seed: int = 0) -> Factory:
    return lambda folder: f"hf:{tiny_image_models.save(family, folder, seed)}"


def _classes(family: str, task: str, seed: int = 0) -> Factory:
    def make(folder: Path) -> str:
        # The folder's name says what the network was trained to give.
        return f"hf:{tiny_class_models.save(family, folder / f'tiny-{task}', seed)}"

    return make


FACTORIES: dict[tuple[str, str], Factory] = {
    ("hierarchy", "watershed hierarchy"): lambda folder: "hierarchy",
    ("labels", "ready-made masks"): _labels,
    ("sam", "SAM"): _sam,
    ("semantic-sam", "Semantic-SAM"): _semantic_sam,
    ("maskdino", "MaskDINO"): _maskdino,
    ("seem", "SEEM"): _seem,
    ("dial", "the three of Set-of-Mark"): _dial,
    ("hf", "SAM"): _prompted("sam"),
    ("hf", "SAM-HQ"): _prompted("sam_hq"),
    ("hf", "SAM 2 and 2.1"): _prompted("sam2_video"),
    ("hf", "EdgeTAM"): _prompted("edgetam", seed=3),
    ("hf", "SAM 3"): _prompted("sam3_video"),
    ("hf", "SAM 3 tracker"): _prompted("sam3_tracker"),
    ("hf", "Mask2Former"): _classes("mask2former", "panoptic", seed=1),
    ("hf", "OneFormer"): _classes("oneformer", "panoptic"),
    ("hf", "EoMT"): _classes("eomt", "instance"),
    ("hf", "MaskFormer"): _classes("maskformer", "semantic", seed=1),
    ("hf", "RF-DETR segmentation"): _classes("rf_detr", "instance"),
}
"""Name in the registry and title of the network → what writes a tiny checkpoint into an empty folder."""
