"""A ten-second scene of rectangles with exact masks, for questions whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as coco

from som_agent.colors import COLOR_TERMS
from som_agent.history import GONE, OCCLUDED, VISIBLE, History, MarkInfo, Trace

SIZE = (640, 360)
FPS = 10
FRAMES = 101

BoxAt = Callable[[float], tuple[float, float, float, float] | None]


def shares(**percent: int) -> np.ndarray:
    row = np.zeros(len(COLOR_TERMS), np.uint8)
    for term, value in percent.items():
        row[COLOR_TERMS.index(term)] = value
    return row


def trace(box_at: BoxAt, colors: np.ndarray, holes: BoxAt | None = None, absent: int = GONE) -> Trace:
    """Rows from the first sight on; `box_at` is None where the mark is out of sight."""
    rows: list[tuple] = []
    last: tuple | None = None
    for k in range(FRAMES):
        t = k / FPS
        box = box_at(t)
        if box is None:
            if last is not None:
                rows.append((k, t, absent, *last[3:7], ""))
            continue
        mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        x0, y0, x1, y1 = (round(v) for v in box)
        mask[y0:y1, x0:x1] = 1
        if holes is not None and (hole := holes(t)) is not None:
            hx0, hy0, hx1, hy1 = (round(v) for v in hole)
            mask[hy0:hy1, hx0:hx1] = 0
        rle = coco.encode(np.asfortranarray(mask))["counts"].decode()
        last = (k, t, VISIBLE, (x0, y0, x1, y1), int(mask.sum()), ((x0 + x1) / 2, (y0 + y1) / 2), 0.9, rle)
        rows.append(last)
    frames, times, states, boxes, areas, anchors, scores, rles = zip(*rows, strict=True)
    return Trace(
        frames=np.array(frames, np.int32),
        times=np.array(times, np.float64),
        states=np.array(states, np.int8),
        boxes=np.array(boxes, np.float32),
        areas=np.array(areas, np.int32),
        anchors=np.array(anchors, np.float32),
        scores=np.array(scores, np.float32),
        colors=np.tile(colors, (len(rows), 1)),
        rles=list(rles),
    )


def blue_box(t: float) -> tuple[float, float, float, float]:
    return (100 + 40 * t, 270, 160 + 40 * t, 330)


def make_history(labels: str = "123456") -> History:
    """Six marks.

    1: red, still, left. 2: blue, moves right over mark 5. 3: yellow, small, top; from 3 to 6.9 s. 4: red,
    small, right; out of sight from 4.1 to 7.9 s. 5: white, large, bottom: it surrounds 2. 6: half green,
    half blue, centre, touches nothing; moves up in the last two seconds.
    """
    traces = {
        1: trace(lambda t: (40, 140, 120, 220), shares(red=78, pink=12, brown=10)),
        2: trace(blue_box, shares(blue=90, white=10)),
        3: trace(lambda t: (300, 60, 320, 80) if 3 <= t < 6.95 else None, shares(yellow=70, orange=30)),
        4: trace(
            lambda t: (560, 150, 590, 180) if t < 4.05 or t > 7.95 else None,
            shares(red=60, black=40),
            absent=OCCLUDED,
        ),
        5: trace(lambda t: (0, 240, 640, 360), shares(white=70, grey=30), holes=blue_box),
        6: trace(
            lambda t: (300, 150 - 30 * max(t - 8, 0), 360, 210 - 30 * max(t - 8, 0)),
            shares(green=50, blue=48, grey=2),
        ),
    }
    return History(
        size=SIZE,
        frames=np.arange(FRAMES, dtype=np.int32),
        times=np.arange(FRAMES) / FPS,
        marks={m: MarkInfo(m, labels[m - 1], (255, 40 * m, 0)) for m in traces},
        traces=traces,
        segmenter="labels:scene",
    )


@pytest.fixture(scope="session")
def history() -> History:
    return make_history()


@pytest.fixture(scope="session")
def lettered() -> History:
    return make_history("ABCDEF")


@pytest.fixture(scope="session")
def scene() -> Callable[..., History]:
    """Makes a ten-second history; each mark is its box over time and its colours in percent."""

    def make(*marks: tuple[BoxAt, dict[str, int]]) -> History:
        traces = {
            number: trace(box, shares(**percent), absent=OCCLUDED)
            for number, (box, percent) in enumerate(marks, 1)
        }
        return History(
            size=SIZE,
            frames=np.arange(FRAMES, dtype=np.int32),
            times=np.arange(FRAMES) / FPS,
            marks={number: MarkInfo(number, str(number), (255, 0, 40 * number)) for number in traces},
            traces=traces,
            segmenter="labels:scene",
        )

    return make
