"""STQ: segmentation and tracking quality, every pixel of the video counted once.

Weber et al., "STEP: Segmenting and Tracking Every Pixel", NeurIPS 2021 Datasets and Benchmarks
(arXiv 2102.11859).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from som_agent.evaluation.contingency import Contingency

__all__ = ["Stq", "Tubes"]


@dataclass(frozen=True)
class Stq:
    """The sums that STQ is made of; those of videos add up.

    There is one class: things. So the segmentation quality of the paper, a mean over classes, is a single
    ratio: pixels of marks on objects over pixels of either. The ground is no class of its own: its size would
    hide everything else.

    Attributes:
        kept: sum over the objects of how well they kept one mark, 0 to 1 each.
        objects: how many there are.
        shared: pixels with both a mark and an object.
        either: pixels with a mark, an object or both.
    """

    kept: float
    objects: int
    shared: int
    either: int

    def __add__(self, other: Stq) -> Stq:
        return Stq(
            self.kept + other.kept,
            self.objects + other.objects,
            self.shared + other.shared,
            self.either + other.either,
        )

    @property
    def aq(self) -> float:
        """Association quality."""
        return self.kept / max(self.objects, 1)

    @property
    def sq(self) -> float:
        """Segmentation quality."""
        return self.shared / max(self.either, 1)

    @property
    def stq(self) -> float:
        """Their geometric mean."""
        return float(np.sqrt(self.aq * self.sq))


@dataclass
class Tubes:
    """The pixels of a video by mark and object; takes one frame at a time."""

    _rows: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)  # mark, 0 for none → [N + 1] pixels

    def add(self, seen: Contingency) -> None:
        """Take the next frame."""
        for mark, row in zip((0, *seen.marks), seen.topmost, strict=True):
            self._rows[mark] = self._rows.get(mark, 0) + row

    def score(self) -> Stq:
        """What has come so far."""
        if not self._rows:
            return Stq(0.0, 0, 0, 0)
        table = np.array(list(self._rows.values()), np.int64)
        marked, sizes = table[1:], table.sum(axis=0)[1:]  # the first frame put mark 0 first
        on = marked[:, 1:]
        ious = on / np.maximum(marked.sum(axis=1, keepdims=True) + sizes - on, 1)
        return Stq(
            kept=float(((on * ious).sum(axis=0) / np.maximum(sizes, 1)).sum()),
            objects=int((sizes > 0).sum()),
            shared=int(on.sum()),
            either=int(marked.sum() + sizes.sum() - on.sum()),
        )
