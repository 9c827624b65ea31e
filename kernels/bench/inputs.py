"""What the operations are measured on: generated, the same in every run, in the shape of real segments."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

__all__ = ["duplicates", "ellipses", "label_map", "specked", "with_covered"]

Stack = npt.NDArray[np.uint8]


def label_map(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Cells around `n` random points, `[h, w] int32` with labels 1 to n, and some ground between them."""
    rng = np.random.default_rng(seed)
    seeds = np.ones((h, w), np.uint8)
    seeds.flat[rng.choice(h * w, n, replace=False)] = 0
    distance, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells[distance > 1.1 * np.sqrt(h * w / n / np.pi) + 2] = 0
    return torch.from_numpy(cells)


def ellipses(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Filled ellipses of mixed sizes that overlap, `[n, h, w] bool`."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, h, w), np.uint8)
    for mask in masks:
        _ellipse(mask, *_somewhere(rng, w, h))
    return torch.from_numpy(masks.view(bool))


def with_covered(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Ellipses of which a tenth lie under their own two halves, so that nothing of them stays visible."""
    masks = ellipses(w, h, n, seed).numpy().view(np.uint8)
    columns = np.arange(w)
    for i in range(n // 10):
        whole, left, right = masks[3 * i : 3 * i + 3]
        middle = int(np.median(np.nonzero(whole)[1]))
        left[:] = whole * (columns <= middle)
        right[:] = whole * (columns > middle)
    return torch.from_numpy(masks.view(bool))


def duplicates(w: int, h: int, n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Four slightly different ellipses for each thing, `[n, h, w] bool`, and scores `[n] float32`."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, h, w), np.uint8)
    things = [_somewhere(rng, w, h) for _ in range(-(-n // 4))]
    for i, mask in enumerate(masks):
        (x, y), (a, b), angle = things[i // 4]
        shift = rng.normal(0, 0.06, 4)
        _ellipse(mask, (x + a * shift[0], y + b * shift[1]), (a * (1 + shift[2]), b * (1 + shift[3])), angle)
    scores = rng.permutation(n).astype(np.float32) / n  # no two alike
    return torch.from_numpy(masks.view(bool)), torch.from_numpy(scores)


def specked(w: int, h: int, n: int, seed: int) -> torch.Tensor:
    """Ellipses with a few small holes and islands each, `[n, h, w] bool`, as networks leave them."""
    rng = np.random.default_rng(seed)
    masks = ellipses(w, h, n, seed).numpy().view(np.uint8)
    for mask in masks:
        inside = np.argwhere(mask)
        for _ in range(rng.integers(0, 6)):
            y, x = inside[rng.integers(len(inside))]
            cv2.circle(mask, (int(x), int(y)), int(rng.integers(1, 8)), 0, -1)
        for _ in range(rng.integers(0, 6)):
            x, y = int(rng.integers(w)), int(rng.integers(h))
            cv2.circle(mask, (x, y), int(rng.integers(0, 8)), 1, -1)
    return torch.from_numpy(masks.view(bool))


def _somewhere(rng: np.random.Generator, w: int, h: int) -> tuple[Any, Any, float]:
    """Centre, half axes and angle of an ellipse, of a size drawn from all orders of magnitude alike."""
    size = h * np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
    axes = size, size * rng.uniform(0.4, 1)
    return (rng.integers(w), rng.integers(h)), axes, float(rng.uniform(0, 180))


def _ellipse(mask: Stack, centre: Any, axes: Any, angle: float) -> None:
    """Fill an ellipse, at least the pixel of its centre, which is moved into the picture."""
    h, w = mask.shape
    x, y = (int(np.clip(value, 0, side - 1)) for value, side in zip(centre, (w, h), strict=True))
    cv2.ellipse(mask, (x, y), (max(1, int(axes[0])), max(1, int(axes[1]))), angle, 0, 360, 1, -1)
    mask[y, x] = 1
