"""Region measures on the CPU: sums along each run of equal labels, added to its region where the run ends."""

import numpy as np
import numpy.typing as npt
import torch

from som_kernels._jit import compiled
from som_kernels._runs import run_ends

__all__ = ["region_stats"]


def region_stats(labels: torch.Tensor, image: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
    """See `som_kernels.region_stats`."""
    sums, boxes = np.zeros((n + 1, 6), np.int64), np.zeros((n + 1, 4), np.int32)
    plain = not any(image.stride())  # one colour for all pixels, as where colours do not matter
    pixels = np.zeros(0, np.uint8) if plain else np.ascontiguousarray(image.numpy()).reshape(-1)
    _measure(np.ascontiguousarray(labels.numpy()), pixels, sums, boxes)
    areas = sums[1:, 0].copy()
    means = (sums[1:, 1:] / np.maximum(areas, 1)[:, None]).astype(np.float32)
    means[areas == 0, :2] = -1
    if plain and image.numel():
        means[areas > 0, 2:] = image[0, 0].numpy()
    centroids, colours = np.ascontiguousarray(means[:, :2]), np.ascontiguousarray(means[:, 2:])
    return tuple(map(torch.from_numpy, (areas, boxes[1:].copy(), centroids, colours)))


@compiled
def _measure(
    labels: npt.NDArray[np.int32],
    pixels: npt.NDArray[np.uint8],
    sums: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.int32],
) -> None:
    """Fill in pixels, sums of x, of y and of the channels a label, and boxes; `pixels` may be empty."""
    h, w = labels.shape
    flat = labels.reshape(-1)
    ends = np.empty(w, np.int32)
    for y in range(h):
        x0 = 0
        for x1 in ends[: run_ends(flat, y * w, (y + 1) * w, ends)]:
            red, green, blue = np.uint32(0), np.uint32(0), np.uint32(0)
            last = x1 if len(pixels) else x0
            for p in range(np.uintp(3 * (y * w + x0)), np.uintp(3 * (y * w + last)), np.uintp(3)):
                red += pixels[p]
                green += pixels[p + np.uintp(1)]
                blue += pixels[p + np.uintp(2)]
            label, length = labels[y, x0], x1 - x0
            total, box = sums[label], boxes[label]
            if total[0] == 0:
                box[0], box[1] = x0, y
            total[0] += length
            total[1] += (x0 + x1 - 1) * length // 2
            total[2] += y * length
            total[3] += red
            total[4] += green
            total[5] += blue
            box[0], box[2], box[3] = min(box[0], x0), max(box[2], x1), y + 1
            x0 = x1
