"""Do marks stay? True masks as regions, so that only the marks can move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from som_agent.evaluation.tracks import sequences
from som_agent.session import Session
from som_agent.video import open_video

__all__ = ["Steadiness", "stability_scores"]


@dataclass(frozen=True)
class Steadiness:
    """One video.

    Attributes:
        sequence: its name, or "mean".
        frames: how many it has.
        objects: true objects that have a mark.
        jitter_px: how far a mark's anchor moves against the centroid of its region from one frame to the
            next, mean over marks and frames, in source pixels.
        moved: share of marks and frames in which it moved by more than a pixel.
        worst_px: the largest such move.
        plate_px: the same as `jitter_px` for the middle of the drawn label, which is on whole pixels.
        new_numbers: how often an object went on under another number.
        new_colors: how often a number went on in another colour.
    """

    sequence: str
    frames: int
    objects: int
    jitter_px: float
    moved: float
    worst_px: float
    plate_px: float
    new_numbers: int
    new_colors: int


def stability_scores(root: Path) -> list[Steadiness]:
    """Every video of a folder in the layout of DAVIS, then their mean.

    Raises:
        InputError: no such folder, or pictures without annotations.
    """
    scores = [_one(root, name) for name in sequences(root)]
    jitter, moved, plate = (
        float(np.average([getattr(s, name) for s in scores], weights=[s.frames * s.objects for s in scores]))
        for name in ("jitter_px", "moved", "plate_px")
    )
    return [
        *scores,
        Steadiness(
            "mean",
            sum(s.frames for s in scores),
            sum(s.objects for s in scores),
            jitter,
            moved,
            max(s.worst_px for s in scores),
            plate,
            sum(s.new_numbers for s in scores),
            sum(s.new_colors for s in scores),
        ),
    ]


def _one(root: Path, name: str) -> Steadiness:
    session = Session(f"labels:{root / 'Annotations' / name}")
    number_of: dict[int, int] = {}  # true object → its mark
    color_of: dict[int, tuple[int, int, int]] = {}
    before: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    moves, plate_moves, frames, numbers, colors = [], [], 0, 0, 0
    with open_video(root / "JPEGImages" / name) as video:
        for frame in video:
            marked = session.step(frame)
            truth = session.segmenter.segment(frame)  # at the source's size, in the order of the objects
            frames += 1
            now: dict[int, tuple[np.ndarray, np.ndarray]] = {}
            for mark in marked.marks:
                mask = marked.mask(mark.mark)
                shared = [int((truth.mask(i) & mask).sum()) for i in range(len(truth))]
                owner = int(np.argmax(shared))
                numbers += number_of.setdefault(owner, mark.mark) != mark.mark
                colors += color_of.setdefault(mark.mark, mark.color) != mark.color
                number_of[owner] = mark.mark
                y, x = np.nonzero(mask)
                center = np.array([x.mean() + 0.5, y.mean() + 0.5])
                plate = mark.plate or (*mark.anchor, *mark.anchor)
                middle = np.array([plate[0] + plate[2], plate[1] + plate[3]]) / 2
                now[mark.mark] = np.array(mark.anchor) - center, middle - center
            for mark_id in now.keys() & before.keys():
                moves.append(float(np.linalg.norm(now[mark_id][0] - before[mark_id][0])))
                plate_moves.append(float(np.linalg.norm(now[mark_id][1] - before[mark_id][1])))
            before = now
    return Steadiness(
        name,
        frames,
        len(number_of),
        float(np.mean(moves)),
        float(np.mean(np.array(moves) > 1)),
        max(moves),
        float(np.mean(plate_moves)),
        numbers,
        colors,
    )
