"""Everything mode outside the networks: the same masks as `SamAutomaticMaskGenerator`, how many times faster.

python tests/benchmarks/everything.py [--photos 10] [--per-side 16] [--grid 64] [--pictures DIR] [--json]

A tiny SAM of random weights, whose maps are as large as those of the published ones, looks at each photo,
and what its decoder answers is kept. Both sides then start from these answers, so that no network is in the
times: the original resizes, filters and encodes, ours measures, filters and makes regions. One process, in
turns, one thread. Peak memory is what the resident set grew by (Linux). Thresholds are those that three
quarters of the masks of the first photo reach. With `--grid 16` maps are 64 x 64, which is quicker.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide

sys.path.insert(0, str(Path(__file__).parents[2]))

from som_agent.segmenters.everything import Everything, Steps, regions_of_everything
from som_kernels import Resize, mask_iou, measure_logits
from tests.segmenters.lively_sam import lively_sam

PICTURES = (
    Path(os.environ.get("SOM_AGENT_DATA", Path(__file__).parents[3] / "shared" / "data"))
    / "images/coco/images"
)
GRID, BATCH = 64, 64  # maps of 256 x 256, as the published networks have
TARGET = 10.0

Batches = list[tuple[torch.Tensor, torch.Tensor]]


class Answers(NamedTuple):
    """Of one photo: logits `[n, 3, h, w]` and scores `[n, 3]` of each batch of points."""

    image: np.ndarray[Any, Any]
    batches: Batches
    inner: tuple[int, int]

    def steps(self, square: int) -> Steps:
        size = self.image.shape[:2]
        return (((square, square), self.inner), (size, size))


class Result(NamedTuple):
    """One side on one photo; masks `[n, h, w] bool`, megabytes of memory."""

    seconds: float
    memory: float
    masks: np.ndarray[Any, Any]


class Replay:
    """The predictor of the original's generator, with answers given before."""

    def __init__(self, answers: Answers, square: int, device: torch.device) -> None:
        self.answers, self.device, self.transform = answers, device, ResizeLongestSide(square)
        self.model = SimpleNamespace(mask_threshold=0.0, image_encoder=SimpleNamespace(img_size=square))

    def set_image(self, _image: np.ndarray[Any, Any]) -> None:
        self.left = iter(self.answers.batches)

    def reset_image(self) -> None:
        pass

    def predict_torch(self, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor, None]:
        logits, scores = next(self.left)
        size = self.answers.image.shape[:2]
        return Sam.postprocess_masks(self.model, logits, self.answers.inner, size), scores, None


def answers_of(model: Sam, image: np.ndarray[Any, Any], per_side: int) -> Answers:
    predictor = SamPredictor(model)
    predictor.set_image(image)
    points = Everything(points_per_side=per_side).points(0, predictor.input_size)
    batches = []
    for batch in points.to(predictor.device, torch.float32).split(BATCH):
        labels = torch.ones(len(batch), 1, device=batch.device)
        sparse, dense = model.prompt_encoder((batch[:, None], labels), boxes=None, masks=None)
        batches.append(
            model.mask_decoder(
                image_embeddings=predictor.get_image_embedding(),
                image_pe=model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )
        )
    return Answers(image, batches, predictor.input_size)


def thresholds(answers: Answers, square: int) -> dict[str, float]:
    logits, scores = (torch.cat([batch[k] for batch in answers.batches]).flatten(0, 1) for k in (0, 1))
    resize = Resize.steps(logits.shape[1:], *answers.steps(square))
    measures = measure_logits(logits, resize=resize)
    return {
        "pred_iou_thresh": float(scores.quantile(0.25)),
        "stability_score_thresh": float(measures.stability[measures.areas > 0].quantile(0.25)),
    }


def measured(device: torch.device, act: Callable[[], np.ndarray[Any, Any]]) -> Result:
    """Seconds and the rise of memory while it acts."""
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = float(torch.cuda.memory_allocated())
    else:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before must be asked for again
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    masks = act()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    peak = float(torch.cuda.max_memory_allocated()) if cuda else _status("VmHWM")
    return Result(seconds, max(peak - before, 0) / 2**20, masks)


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def least_iou(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    """The IoU of the worst pair; 0 where they are not as many."""
    if len(ours) != len(theirs):
        return 0.0
    iou = mask_iou(torch.from_numpy(ours), torch.from_numpy(theirs)).numpy()
    return float(iou[linear_sum_assignment(-iou)].min())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=10)
    parser.add_argument("--per-side", type=int, default=16)
    parser.add_argument("--grid", type=int, default=GRID)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    files = sorted(options.pictures.glob("*.jpg"))[: options.photos]
    images = [np.ascontiguousarray(cv2.imread(str(file))[:, :, ::-1]) for file in files]
    if not images:
        print(f"no photos in {options.pictures}", file=sys.stderr)
        return 2
    with torch.inference_mode():
        model = lively_sam(images[0], grid=options.grid).to(device)
        square = model.image_encoder.img_size
        first = answers_of(model, images[0], options.per_side)
        kept = thresholds(first, square)
        rows = [row(answers_of(model, image, options.per_side), square, kept, device) for image in images]
    for file, entry in zip(files, rows, strict=True):
        entry["photo"] = file.stem
    summary = {
        "masks": [entry["ours"] for entry in rows],
        "same_count": sum(entry["ours"] == entry["theirs"] for entry in rows),
        "least_iou": min(entry["least_iou"] for entry in rows),
        "times_faster": statistics.median(entry["times_faster"] for entry in rows),
    }
    if options.json:
        print(json.dumps({**summary, "thresholds": kept, "photos": rows}))
    else:
        show(rows, summary, kept)
    good = summary["least_iou"] >= 0.98 and summary["times_faster"] >= TARGET
    return 0 if good else 1


def row(answers: Answers, square: int, kept: dict[str, float], device: torch.device) -> dict[str, Any]:
    per_side = round(sum(len(logits) for logits, _ in answers.batches) ** 0.5)
    generator = SamAutomaticMaskGenerator(
        SimpleNamespace(image_encoder=SimpleNamespace(img_size=square)),
        points_per_side=per_side,
        points_per_batch=BATCH,
        **kept,
    )
    generator.predictor = Replay(answers, square, device)
    rules = Everything(points_per_side=per_side, **kept)

    def ours() -> np.ndarray[Any, Any]:
        flat = ((logits.flatten(0, 1), scores.flatten()) for logits, scores in answers.batches)
        regions = regions_of_everything(flat, answers.steps(square), rules)
        return np.stack([regions.mask(i) for i in range(len(regions))])

    def theirs() -> np.ndarray[Any, Any]:
        found = generator.generate(answers.image)
        return np.stack([entry["segmentation"] for entry in found])

    measured(device, ours)  # compiled code is loaded
    one, two, again = measured(device, ours), measured(device, theirs), measured(device, ours)
    seconds = min(one.seconds, again.seconds)
    return {
        "ours": len(one.masks),
        "theirs": len(two.masks),
        "least_iou": least_iou(one.masks, two.masks),
        "ours_s": seconds,
        "theirs_s": two.seconds,
        "times_faster": two.seconds / seconds,
        "ours_mb": min(one.memory, again.memory),
        "theirs_mb": two.memory,
    }


def show(rows: list[dict[str, Any]], summary: dict[str, Any], kept: dict[str, float]) -> None:
    print(", ".join(f"{name} {value:.3f}" for name, value in kept.items()))
    print("photo           ours orig. least IoU   ours s  orig. s      x  ours MB orig. MB")
    for entry in rows:
        print(
            f"{entry['photo']:14} {entry['ours']:5} {entry['theirs']:5} {entry['least_iou']:9.4f} "
            f"{entry['ours_s']:8.3f} {entry['theirs_s']:8.2f} {entry['times_faster']:6.1f} "
            f"{entry['ours_mb']:8.0f} {entry['theirs_mb']:8.0f}"
        )
    print(
        f"same count on {summary['same_count']} of {len(rows)}, least IoU {summary['least_iou']:.4f}, "
        f"median {summary['times_faster']:.1f} times faster (target {TARGET:.0f})"
    )


if __name__ == "__main__":
    raise SystemExit(main())
