"""Everything mode outside the networks beside the mask-generation pipeline of transformers.

python tests/benchmarks/everything_pipeline.py [--photos 3] [--per-side 16] [--pictures DIR]

A tiny SAM of random weights, saved and loaded by both. One process, in turns, one thread; what its encoder,
its prompts' encoder and its decoder take is measured on both sides and taken off.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
import transformers
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from som_agent.segmenters.hf import HfSegmenter
from som_agent.video.frame import Frame
from tests.benchmarks.everything import PICTURES, least_iou
from tests.segmenters.lively_sam import lively_transformers_sam

THRESHOLDS = {"pred_iou_thresh": 0.6, "stability_score_thresh": 0.25001}
NETWORKS = "vision_encoder", "prompt_encoder", "mask_decoder"


@contextmanager
def networks_timed(model: Any) -> Iterator[list[float]]:
    """Seconds of every call of the parts of a SAM, while it is entered."""
    took: list[float] = []

    def timed(forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = forward(*args, **kwargs)
            took.append(time.perf_counter() - start)
            return result

        return call

    parts = [getattr(model, name) for name in NETWORKS]
    for part in parts:
        part.forward = timed(part.forward)
    try:
        yield took
    finally:
        for part in parts:
            del part.forward  # the class has its own


def outside(model: Any, act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds without the networks, and what came of it."""
    with networks_timed(model) as took:
        start = time.perf_counter()
        result = act()
        return time.perf_counter() - start - sum(took), result


def main() -> None:
    """Parse the arguments, run, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=3)
    parser.add_argument("--per-side", type=int, default=16)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(options.pictures.glob("*.jpg"))[: options.photos]
    images = [np.ascontiguousarray(cv2.imread(str(file))[:, :, ::-1]) for file in files]
    ratios = []
    with TemporaryDirectory() as folder:
        lively_transformers_sam(images[0], folder)
        pipeline = transformers.pipeline("mask-generation", model=folder, device="cpu")
        ours = HfSegmenter(folder, device="cpu", points_per_side=options.per_side, **THRESHOLDS)
        ours.segment(Frame(images[0], 0, 0.0))  # compiled code is loaded
        print("photo          masks least IoU   ours s  pipeline s      x")
        for file, image in zip(files, images, strict=True):
            one, regions = outside(ours._model, lambda image=image: ours.segment(Frame(image, 0, 0.0)))
            two, found = outside(
                pipeline.model,
                lambda image=image: pipeline(
                    Image.fromarray(image), points_per_crop=options.per_side, **THRESHOLDS
                ),
            )
            theirs = np.stack([np.asarray(mask).astype(bool) for mask in found["masks"]])
            masks = np.stack([regions.mask(i) for i in range(len(regions))])
            ratios.append(two / one)
            print(
                f"{file.stem:14} {len(masks):5} {least_iou(masks, theirs):9.4f} {one:8.3f} {two:11.2f} "
                f"{ratios[-1]:6.1f}"
            )
    print(f"median {statistics.median(ratios):.1f} times faster outside the networks")


if __name__ == "__main__":
    main()
