"""Tracking alone, without a segmenter: milliseconds a frame at 854×480 with 50 objects, beside plain ways.

python tests/benchmarks/association.py [--frames 60] [--threads 2] [--size 854x480] [--objects 50]

All in one process, in turns over the same frames, which are made before: textured ellipses that drift and
lie over one another, and their true segments in an order of chance. "switches" counts how often an object
gets another number than it had. The trackers of `trackers` take boxes only, without looking at the picture;
they are left out where they are not installed (extra `bench`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from propagation import made
from scipy.optimize import linear_sum_assignment

from som_agent.regions import Regions
from som_agent.tracking import AssociationTracker
from som_agent.video import Frame

WARM_UP = 5
TARGET_MS = 12.0
Way = Callable[[Frame, Regions], npt.NDArray[np.int64]]
"""Takes a frame and its regions; gives the number of each region, 0 for none."""


def ours() -> Way:
    tracker = AssociationTracker()

    def step(frame: Frame, regions: Regions) -> npt.NDArray[np.int64]:
        tracked = tracker.update(frame, regions)
        numbers = np.zeros(len(regions), np.int64)
        for number, members in zip(tracked.ids, tracked.regions.members, strict=True):
            numbers[(regions.members & members).any(axis=1)] = number
        return numbers

    return step


def dense() -> Way:
    """Masks as a stack of pictures, each with each of the frame before, one to one: no memory beyond that."""
    before: list[tuple[int, npt.NDArray[np.bool_]]] = []
    last = 0

    def step(frame: Frame, regions: Regions) -> npt.NDArray[np.int64]:
        nonlocal before, last
        masks = [regions.mask(i) for i in range(len(regions))]
        iou = np.zeros((len(before), len(masks)))
        for i, (_, old) in enumerate(before):
            for j, new in enumerate(masks):
                both = np.count_nonzero(old & new)
                iou[i, j] = both / max(np.count_nonzero(old | new), 1) if both else 0.0
        numbers = np.zeros(len(masks), np.int64)
        for i, j in zip(*linear_sum_assignment(-iou), strict=True):
            if iou[i, j] > 0.3:
                numbers[j] = before[i][0]
        for j in np.flatnonzero(numbers == 0):
            last += 1
            numbers[j] = last
        before = list(zip(numbers.tolist(), masks, strict=True))
        return numbers

    return step


def theirs(name: str) -> Way | None:
    """A tracker of Roboflow's `trackers`."""
    try:
        import supervision as sv
        import trackers
    except ImportError:
        return None
    tracker = getattr(trackers, name)(frame_rate=25)

    def step(frame: Frame, regions: Regions) -> npt.NDArray[np.int64]:
        n = len(regions)
        found = sv.Detections(
            regions.boxes.astype(np.float32),
            confidence=np.ones(n, np.float32),
            class_id=np.zeros(n, int),
            data={"row": np.arange(n)},
        )
        found = tracker.update(found)
        numbers = np.zeros(n, np.int64)
        numbers[found.data["row"]] = found.tracker_id + 1  # -1 while it waits to be confirmed
        return numbers

    return step


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--objects", type=int, default=50)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    w, h = (int(side) for side in args.size.split("x"))
    clip = made(w, h, args.objects, args.frames)
    ways: dict[str, Way | None] = {"ours": ours(), "masks, each with each": dense()}
    ways |= {name: theirs(name) for name in ("ByteTrackTracker", "OCSORTTracker")}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    had: dict[str, dict[int, int]] = {name: {} for name in ways}
    switches = dict.fromkeys(ways, 0)
    order = np.random.default_rng(0)
    for frame, labels in zip(clip.frames, clip.labels, strict=True):
        names = np.concatenate([[0], 1 + order.permutation(args.objects)])
        shuffled = names[labels]
        present = np.unique(shuffled[shuffled > 0])
        for name, way in ways.items():
            if way is None:
                continue
            regions = Regions.from_labels(shuffled)
            start = time.perf_counter()
            numbers = way(frame, regions)
            spent[name].append(time.perf_counter() - start)
            for label, number in zip(present.tolist(), numbers.tolist(), strict=True):
                thing = int(np.flatnonzero(names == label)[0])
                if number:
                    switches[name] += had[name].get(thing, number) != number
                    had[name][thing] = number
    least = {name: 1000 * min(times[WARM_UP:]) for name, times in spent.items() if times}
    print(f"{args.size}, {args.objects} objects       least ms  median ms  switches")
    for name, ms in least.items():
        median = 1000 * statistics.median(spent[name][WARM_UP:])
        note = f"(target: at most {TARGET_MS:g})" if name == "ours" else f"{ms / least['ours']:.1f} x ours"
        print(f"  {name:<24}{ms:9.1f}{median:11.1f}{switches[name]:10}   {note}")


if __name__ == "__main__":
    main()
