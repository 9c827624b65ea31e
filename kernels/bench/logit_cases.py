"""Cases on a mask decoder's logits, up to the whole of the everything mode."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

import som_kernels as sk
from bench import peers
from bench.sam_inputs import MAP, SQUARE, candidates, inner_size, resizing
from bench.trial import Contestant, Trial, arrays, lazily, ours

__all__ = ["everything", "measure", "threshold"]

PER_SIDE = 16  # points along each side of the picture
MIN_AREA = 100  # pixels; smaller holes and islands go
SURE = 0.88  # candidates of this score or less go, in segment-anything and in `select_masks`


def maps(w: int, h: int, n: int) -> tuple[torch.Tensor, torch.Tensor, sk.Resize, tuple[int, int]]:
    """`n` candidates' logits and scores, the resizing, and the picture's part of the padded square."""
    inner = inner_size(w, h)
    logits, scores = candidates(PER_SIDE, tuple(-(-side * MAP // SQUARE) for side in inner), seed=0)
    chosen = torch.arange(n) * len(logits) // n
    return logits[chosen], scores[chosen], resizing(w, h), inner


def needed(resize: sk.Resize, count: int) -> int:
    """Bytes of the parts of `count` maps that the picture is made of."""
    sides = [int(taps.start[-1]) + taps.weights.shape[1] for taps in (resize.rows, resize.columns)]
    return 4 * count * sides[0] * sides[1]


def near_measures(mine: Any, truth: Any) -> bool:
    """Stability and boxes but for what rounding does to pixels at the cutoff; no areas, the peer has none."""
    (stability, boxes), (true_stability, true_boxes, _) = arrays(mine), arrays(truth)
    return bool(
        np.allclose(np.nan_to_num(stability), true_stability, atol=2e-3)
        and np.abs(boxes + np.array([0, 0, 1, 1]) - true_boxes).max() <= 1
    )


def measure(w: int, h: int, n: int) -> Trial:
    """Stability, boxes and areas of candidates, as they will be at the size of the picture."""
    logits, _, resize, inner = maps(w, h, n)

    def op(logits: torch.Tensor, *, backend: sk.Backend | None = None) -> sk.LogitMeasures:
        return sk.measure_logits(logits, resize=resize, backend=backend)

    peer = partial(peers.measured, logits, SQUARE, inner, (h, w))
    return Trial(
        (logits,),
        [*ours(op, logits), Contestant("segment_anything", peer, agrees=near_measures)],
        read=needed(resize, n),
    )


def near_masks(mine: Any, truth: Any) -> bool:
    """Masks but for what rounding does to pixels at the cutoff."""
    mine, truth = arrays((mine, truth))
    return bool(mine.shape == truth.shape and np.count_nonzero(mine != truth) <= 1e-5 * truth.size)


def threshold(w: int, h: int, n: int) -> Trial:
    """Masks of the size of the picture; ours come packed, with boxes and areas."""
    logits, _, resize, inner = maps(w, h, n)

    def op(logits: torch.Tensor, *, backend: sk.Backend | None = None) -> sk.PackedMasks:
        return sk.threshold_logits(logits, resize=resize, backend=backend)

    def peer() -> torch.Tensor:
        return peers.upsample(logits, SQUARE, inner, (h, w)) > 0

    return Trial(
        (logits,),
        [
            *ours(op, logits, view=lambda packed: packed.unpack()),
            Contestant("torch interpolate", peer, agrees=near_masks),
        ],
        read=needed(resize, n),
    )


def pairs_up(mine: Any, truth: Any) -> bool:
    """Whether two sets of masks are the same in any order: as many, and each has one twin of IoU 0.98."""
    (mine,), (truth,) = arrays(mine), arrays(truth)
    if mine.shape != truth.shape:
        return False
    iou = peers.matmul_iou(torch.from_numpy(mine), torch.from_numpy(truth)).numpy()
    twin = iou.argmax(axis=1)
    return len(set(twin)) == len(twin) and bool((iou.max(axis=1) >= 0.98).all())


def everything(w: int, h: int, n: int) -> Trial:
    """Candidates of a grid of points to the few masks that stay, as bool masks of the picture."""
    logits, scores, resize, _ = maps(w, h, n)

    def op(logits: torch.Tensor, scores: torch.Tensor, *, backend: sk.Backend | None = None) -> torch.Tensor:
        kept = sk.select_masks(logits, scores, resize=resize, min_area=MIN_AREA, backend=backend)
        return kept.masks.unpack()

    @lazily
    def peer() -> Any:
        from bench.sam_peer import generator

        return generator(logits, scores, MIN_AREA)

    picture = np.zeros((h, w, 3), np.uint8)  # nobody looks at it
    return Trial(
        (logits, scores),
        [
            Contestant(
                "SamAutomaticMaskGenerator",
                lambda: peer().generate(picture),
                view=lambda found: np.stack([entry["segmentation"] for entry in found]),
            ),
            *ours(op, logits, scores, reference=False, agrees=pairs_up),
        ],
        # Nothing need be read of a candidate that its score rules out.
        read=needed(resize, int((scores > SURE).sum())),
    )
