"""What watches cost: milliseconds a frame for 20 conditions on 20 marks that go to and fro.

python tests/benchmarks/watches.py [--frames 300]

Once with conditions that boxes alone decide, once with all kinds, some of which look at masks.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from som_agent.history import VISIBLE, Observation
from som_agent.watches import (
    Beside,
    ChangesColor,
    ChangesSize,
    Condition,
    Enters,
    Faster,
    Leaves,
    Moves,
    Near,
    Stops,
    Touches,
    Zone,
)
from som_agent.watches.board import Board
from som_agent.watches.memory import Seen
from som_kernels import encode_rle, pack_masks

SIZE, TARGET_MS = (480, 270), 1.0


def frame(index: int) -> Seen:
    """20 boxes on lanes of their own."""
    w, h = SIZE
    rows, masks = [], np.zeros((20, h, w), bool)
    for k in range(20):
        x = int(200 + 150 * np.sin(index / 20 + k)) + (k % 2) * 20
        y = 2 + k * 13
        masks[k, y : y + 12, x : x + 40] = True
        box = (float(x), float(y), float(x + 40), float(y + 12))
        colors = bytes([0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0])
        middle = (x + 20.0, y + 6.0)
        rows.append(Observation(k + 1, index, index / 25, VISIBLE, box, 480, middle, 1.0, colors, ""))
    codes = encode_rle(pack_masks(torch.from_numpy(masks)))
    rows = [Observation(r.mark, r.frame, r.time, r.state, r.box, r.area, r.anchor, r.score, r.colors, code)
            for r, code in zip(rows, codes, strict=True)]  # fmt: skip
    return Seen(index, index / 25, rows, {k: str(k) for k in range(1, 21)}, SIZE, SIZE)


def measured(frames: list[Seen], conditions: list[Condition]) -> float:
    """Median milliseconds of the processor a frame: others may share the machine."""
    board = Board()
    for condition in conditions:
        board.add(condition, frames[:1], range(1, 21), once=False, callback=None, since_s=None)
    times = []
    for seen in frames[1:]:
        start = time.process_time()
        board.update(seen)
        times.append(1000 * (time.process_time() - start))
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=300)
    frames = [frame(k) for k in range(parser.parse_args().frames)]
    by_boxes: list[Condition] = []
    for k in range(4):
        by_boxes += [
            Stops(mark=k + 1, seconds=1),
            Faster(mark=k + 5, speed_px_s=90),
            Moves(mark=k + 9),
            Leaves(mark=k + 13),
            Beside(mark=k + 1, other=k + 15, side="left_of"),
        ]
    by_all: list[Condition] = []
    for k in range(2):
        zone = Zone(polygon=((100, 20), (300, 20), (200, 250)))
        by_all += [
            Near(mark=k + 1, other=k + 3, distance_px=20),
            Near(mark=k + 7, distance_px=10),
            Touches(mark=k + 5, other=k + 6),
            Enters(mark=k + 1, zone=zone),
            Enters(zone=zone),
            ChangesColor(mark=k + 1),
            ChangesSize(mark=k + 4, factor=2),
            Stops(seconds=1),
            Moves(),
            Leaves(),
        ]
    boxes_ms, all_ms = measured(frames, by_boxes), measured(frames, by_all)
    print(f"20 conditions by boxes, 20 marks: {boxes_ms:.2f} ms a frame (target {TARGET_MS:g} ms)")
    print(f"20 conditions of all kinds, half on any mark: {all_ms:.2f} ms a frame")


if __name__ == "__main__":
    main()
