"""Region measures on the CPU, from the runs of the label map.

Everything but colour follows from where runs start and end. The colour of a run is the difference of
four corners of the picture's integral image, which OpenCV builds at the speed of memory.
"""

import cv2
import numpy as np
import numpy.typing as npt
import torch

from som_kernels._runs import Runs, label_runs, run_boxes

__all__ = ["region_stats"]


def region_stats(labels: torch.Tensor, image: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
    """See `som_kernels.region_stats`."""
    runs = label_runs(labels.numpy())
    length = runs.x1 - runs.x0
    # Columns: area, sums of x and of y, sums of the channels. All are whole and below 2^53: exact.
    x_sum = (runs.x0 + runs.x1 - 1) * length // 2
    columns = [length, x_sum, runs.y * length, *_run_colours(runs, image.numpy()).T]
    sums = np.stack([np.bincount(runs.label, column, minlength=n + 1)[1:] for column in columns], axis=1)
    areas = sums[:, 0].astype(np.int64)
    means = (sums[:, 1:] / np.maximum(areas, 1)[:, None]).astype(np.float32)
    means[areas == 0, :2] = -1
    boxes = run_boxes(runs, runs.label, n + 1)[1:]
    centroids, colours = np.ascontiguousarray(means[:, :2]), np.ascontiguousarray(means[:, 2:])
    return tuple(map(torch.from_numpy, (areas, boxes, centroids, colours)))


def _run_colours(runs: Runs, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Sum of each channel over each run, `[R, 3] float64`."""
    h, w = image.shape[:2]
    depth = cv2.CV_32S if h * w * 255 <= np.iinfo(np.int32).max else cv2.CV_64F
    integral = cv2.integral(np.ascontiguousarray(image), sdepth=depth).reshape(-1, 3)  # [(H+1)*(W+1), 3]
    top = runs.y * (w + 1)
    below = top + w + 1
    total = integral[below + runs.x1] - integral[below + runs.x0]
    total -= integral[top + runs.x1] - integral[top + runs.x0]
    return np.asarray(total, dtype=np.float64)
