"""Propagation speed: milliseconds a frame at 854×480 with 10 and 50 objects, beside plain ways of warping.

python tests/benchmarks/propagation.py [--frames 40] [--threads 1] [--size 854x480] [--objects 10,50]

All in one process, in turns over the same frames. Frames are made before and not timed: textured ellipses
that drift over a textured ground; the masks given are those of the first frame. J is the mean overlap with
the truth in the last frame.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numba
import numpy as np
import numpy.typing as npt
import torch

from som_agent.evaluation.contour import region_similarity
from som_agent.regions import BoolArray
from som_agent.tracking.propagators.flow.propagator import FlowPropagator
from som_agent.tracking.propagators.warp import WarpPropagator
from som_agent.video import Frame

WARM_UP = 4
TARGETS = {("854x480", 50): 12.0, ("480x270", 20): 10.0}


@dataclass(frozen=True)
class Clip:
    """Frames and their true labels, `[h, w] int32` each."""

    frames: list[Frame]
    labels: list[npt.NDArray[np.int32]]


class Way(Protocol):
    """One way of propagating: a step gives the object of each pixel, `[h, w] int32`."""

    def put(self, masks: BoolArray) -> None: ...
    def step(self, frame: Frame) -> object: ...
    def labels(self, result: object) -> npt.NDArray[np.int32]: ...


def blotches(
    rng: np.random.Generator, w: int, h: int, grain_px: int, spread: float
) -> npt.NDArray[np.float32]:
    coarse = rng.normal(0, spread, (h // grain_px + 2, w // grain_px + 2, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)


def made(w: int, h: int, n: int, frames: int, seed: int = 0) -> Clip:
    """Ellipses on a loose grid, each with its own colour and drift; the later ones lie on top."""
    rng = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(n * w / h)))
    rows = int(np.ceil(n / columns))
    ground = blotches(rng, w, h, 24, 12) + np.float32((118, 116, 110))
    side = int(0.62 * min(w / columns, h / rows))
    y, x = np.mgrid[:side, :side]
    inside = ((2 * x + 1 - side) / side) ** 2 + ((2 * y + 1 - side) / (0.8 * side)) ** 2 <= 1
    y, x = np.nonzero(inside)
    patches = [blotches(rng, side, side, 6, 24) + rng.integers(30, 226, 3) for _ in range(n)]
    cell = np.array([w / columns, h / rows])
    starts = np.array([(k % columns + 0.2, k // columns + 0.2) for k in range(n)]) * cell
    drifts = rng.normal(0, 1.2, (n, 2))
    images, maps = [], []
    for t in range(frames):
        image, labels = ground.copy(), np.zeros((h, w), np.int32)
        for k in range(n):
            left, top = np.rint(starts[k] + drifts[k] * t).astype(int)
            seen = (x + left >= 0) & (y + top >= 0) & (x + left < w) & (y + top < h)
            image[y[seen] + top, x[seen] + left] = patches[k][y[seen], x[seen]]
            labels[y[seen] + top, x[seen] + left] = k + 1
        noisy = image + rng.normal(0, 3, image.shape)
        images.append(Frame(np.clip(noisy, 0, 255).astype(np.uint8), t, t / 25))
        maps.append(labels)
    return Clip(images, maps)


class Ours:
    """One of our propagators."""

    def __init__(self, propagator: FlowPropagator | WarpPropagator) -> None:
        self.propagator = propagator

    def put(self, masks: BoolArray) -> None:
        self.propagator.put(range(1, len(masks) + 1), masks)

    def step(self, frame: Frame) -> object:
        return self.propagator.step(frame)

    def labels(self, result: object) -> npt.NDArray[np.int32]:
        ids = np.concatenate([[0], result.ids]).astype(np.int32)  # type: ignore[attr-defined]
        return np.asarray(ids[result.regions.visible()])  # type: ignore[attr-defined]


class PerObject:
    """The plain way with one soft mask an object: each is warped whole, and the strongest takes the pixel."""

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.before: npt.NDArray[np.uint8] | None = None
        self.soft: list[npt.NDArray[np.float32]] = []

    def put(self, masks: BoolArray) -> None:
        self.soft = [mask.astype(np.float32) for mask in masks]

    def step(self, frame: Frame) -> object:
        h, w = frame.image.shape[:2]
        now = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
        labels = np.zeros((h, w), np.int32)
        if self.before is not None:
            flow = self.flow.calc(now, self.before, np.zeros((h, w, 2), np.float32))
            x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
            x, y = x + flow[..., 0], y + flow[..., 1]
            self.soft = [
                np.asarray(cv2.remap(soft, x, y, cv2.INTER_LINEAR), np.float32) for soft in self.soft
            ]
            best = np.full((h, w), 0.5, np.float32)
            for k, soft in enumerate(self.soft):
                better = soft > best
                labels[better] = k + 1
                np.copyto(best, soft, where=better)
        self.before = now
        return labels

    def labels(self, result: object) -> npt.NDArray[np.int32]:
        return np.asarray(result, np.int32)


def measure(ways: dict[str, Way], clip: Clip) -> dict[str, tuple[list[float], list[float], float]]:
    """Seconds by the clock and of the processor of each step, and mean J in the last frame."""
    n = int(clip.labels[0].max())
    clock: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    scores = {}
    for t, frame in enumerate(clip.frames):
        for name, way in ways.items():
            cpu, start = time.process_time(), time.perf_counter()
            result = way.step(frame)
            clock[name].append(time.perf_counter() - start)
            work[name].append(time.process_time() - cpu)
            if t == 0:
                way.put(np.arange(1, n + 1)[:, None, None] == clip.labels[0])
            if t == len(clip.frames) - 1:
                found, true = way.labels(result), clip.labels[-1]
                shown = [k for k in range(1, n + 1) if (true == k).any()]
                scores[name] = statistics.mean(region_similarity(found == k, true == k) for k in shown)
    return {name: (clock[name][WARM_UP:], work[name][WARM_UP:], scores[name]) for name in ways}


def report(w: int, h: int, n: int, frames: int) -> None:
    """Print one table."""
    ways: dict[str, Way] = {
        "ours": Ours(FlowPropagator()),
        "plain warp of the label map": Ours(WarpPropagator()),
        "a soft mask an object": PerObject(),
    }
    measured = measure(ways, made(w, h, n, frames))
    least = {name: min(clock) * 1000 for name, (clock, _, _) in measured.items()}
    print(f"{w}x{h}, {n} objects{'':<10}least ms  median ms  processor ms      J")
    for name, (clock, work, score) in measured.items():
        note = f"{least[name] / least['ours']:.1f} x the time of ours" if name != "ours" else ""
        target = TARGETS.get((f"{w}x{h}", n))
        if name == "ours" and target:
            note = f"(target: at most {target:g})"
        median, processor = statistics.median(clock) * 1000, min(work) * 1000
        print(f"  {name:<27}{least[name]:9.1f}{median:11.1f}{processor:14.1f}{score:7.3f}   {note}".rstrip())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--objects", default="10,50", help="how many, with commas between")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    numba.set_num_threads(1)
    w, h = (int(side) for side in args.size.split("x"))
    for n in args.objects.split(","):
        report(w, h, int(n), args.frames)


if __name__ == "__main__":
    main()
