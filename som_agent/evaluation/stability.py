"""Do marks stay? True masks as regions, so that only the marks can move."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from som_agent.errors import InputError
from som_agent.evaluation.tracks import sequences
from som_agent.regions import BoolArray
from som_agent.segmenters.labels import read_index_png
from som_agent.session import Session
from som_agent.video import open_video

__all__ = ["Steadiness", "stability_scores"]

Point = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Steadiness:
    """One video.

    Attributes:
        sequence: its name, or "mean".
        frames: how many it has.
        steps: how often a mark was seen in two frames in a row: what the means are over.
        jitter_px: how far a mark's anchor moves against the centroid of its region from one frame to the
            next, mean over the steps, in source pixels.
        moved: share of steps in which it moved by more than a pixel.
        worst_px: the largest such move.
        plate_px: the same as `jitter_px` for the middle of the drawn label, which is on whole pixels.
        point_px: the same for a single point that must lie on its object, and goes to the nearest pixel of it
            only when it does not: what the videos ask of any mark on its object.
        new_numbers: how often an object went on under another number.
        new_colors: how often a number went on in another colour.
    """

    sequence: str
    frames: int
    steps: int
    jitter_px: float
    moved: float
    worst_px: float
    plate_px: float
    point_px: float
    new_numbers: int
    new_colors: int


@dataclass
class _Moves:
    """Moves against the centroid, a row a step: of the anchor, the label and the single point."""

    before: dict[int, Point] = field(default_factory=dict)  # mark → anchor, label, point, each minus centroid
    steps: list[Point] = field(default_factory=list)

    def add(self, places: dict[int, tuple[Point, Point, BoolArray]]) -> None:
        """Take in anchor, middle of the label and mask of each mark of the next frame."""
        now = {}
        for mark, (anchor, middle, mask) in places.items():
            pixels = np.argwhere(mask)[:, ::-1] + 0.5
            center = pixels.mean(axis=0)
            point = anchor if mark not in self.before else self.before[mark][2] + center
            point = pixels[((pixels - point) ** 2).sum(axis=1).argmin()] if not _on(mask, point) else point
            now[mark] = np.array([anchor, middle, point]) - center
        self.steps += [
            np.linalg.norm(now[mark] - self.before[mark], axis=1) for mark in now.keys() & self.before.keys()
        ]
        self.before = now


def stability_scores(root: Path) -> list[Steadiness]:
    """Every video of a folder in the layout of DAVIS, then all together.

    Raises:
        InputError: no such folder, or pictures without annotations.
    """
    scores, steps = [], []
    for name in sequences(root):
        moves, frames, numbers, colors = _watch(root, name)
        scores.append(_score(name, frames, moves.steps, numbers, colors))
        steps += moves.steps
    whole = [sum(getattr(s, field) for s in scores) for field in ("frames", "new_numbers", "new_colors")]
    return [*scores, _score("mean", whole[0], steps, *whole[1:])]


def _score(name: str, frames: int, steps: list[Point], numbers: int, colors: int) -> Steadiness:
    moves = np.array(steps).reshape(-1, 3)
    jitter, plate, point = moves.mean(axis=0).tolist() if len(moves) else (0.0, 0.0, 0.0)
    worst = float(moves[:, 0].max(initial=0))
    moved = float((moves[:, 0] > 1).mean()) if len(moves) else 0.0
    return Steadiness(name, frames, len(moves), jitter, moved, worst, plate, point, numbers, colors)


def _watch(root: Path, name: str) -> tuple[_Moves, int, int, int]:
    """One video: how its marks moved, its frames, and how often numbers and colours changed."""
    session = Session(f"labels:{root / 'Annotations' / name}")
    number_of: dict[int, int] = {}  # true object → its mark
    color_of: dict[int, tuple[int, int, int]] = {}
    moves, frames, numbers, colors = _Moves(), 0, 0, 0
    with open_video(root / "JPEGImages" / name) as video:
        for frame in video:
            marked = session.step(frame)
            truth = read_index_png(root / "Annotations" / name / f"{frame.name}.png")
            if truth.shape != frame.image.shape[:2]:
                raise InputError(f"{name}: the annotation of {frame.name} is of another size")
            frames += 1
            places = {}
            for mark in marked.marks:
                mask = marked.mask(mark.mark)
                owner = int(np.bincount(truth[mask])[1:].argmax()) + 1 if truth[mask].any() else 0
                numbers += number_of.setdefault(owner, mark.mark) != mark.mark
                colors += color_of.setdefault(mark.mark, mark.color) != mark.color
                number_of[owner] = mark.mark
                anchor = np.array(mark.anchor)
                plate = np.array(mark.plate or (*anchor, *anchor))  # without room for one there is no label
                places[mark.mark] = anchor, (plate[:2] + plate[2:]) / 2, mask
            moves.add(places)
    return moves, frames, numbers, colors


def _on(mask: BoolArray, point: Point) -> bool:
    x, y = np.floor(point).astype(int)
    return bool(0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x])
