"""Running a tracker over label maps whose objects are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from som_agent.regions import Regions
from som_agent.tracking import AssociationTracker, Tracked
from som_agent.video import Frame


class Watch:
    """What a tracker made of label maps.

    Attributes:
        tracked: its answers, frame by frame.
        ids: for each frame, label → id of the track on it (None where there is none).
    """

    def __init__(
        self,
        maps: Sequence[np.ndarray],
        images: Sequence[np.ndarray],
        fps: float,
        tracker: AssociationTracker | None,
    ) -> None:
        self.tracker = tracker or AssociationTracker()
        self.tracked: list[Tracked] = []
        self.ids: list[dict[int, int | None]] = []
        shuffle = np.random.default_rng(5)
        for i, (labels, image) in enumerate(zip(maps, images, strict=True)):
            # A segmenter names nothing: the same object has another place in the list in every frame.
            order = np.concatenate([[0], 1 + shuffle.permutation(int(labels.max(initial=0)))])
            regions = Regions.from_labels(order[labels])
            tracked = self.tracker.update(Frame(image, i, i / fps), regions)
            self.tracked.append(tracked)
            self.ids.append({int(n): id_on(tracked, labels == n) for n in np.unique(labels) if n})

    def of(self, label: int) -> list[int | None]:
        """Ids of one object over time, for the frames in which it is."""
        return [ids[label] for ids in self.ids if label in ids]

    @property
    def all_ids(self) -> set[int]:
        return {int(i) for tracked in self.tracked for i in tracked.ids}


def id_on(tracked: Tracked, mask: np.ndarray) -> int | None:
    """The id of the track that covers a mask by more than half, IoU."""
    for k, track in enumerate(tracked.ids):
        own = tracked.regions.mask(k)
        if (own & mask).sum() > 0.5 * (own | mask).sum():
            return int(track)
    return None


@pytest.fixture
def watch(make):
    def watch(maps, images=None, fps=10.0, tracker=None) -> Watch:
        return Watch(maps, images if images is not None else [make.paint(m) for m in maps], fps, tracker)

    return watch
