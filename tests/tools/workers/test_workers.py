import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from som_agent.errors import SomError
from som_agent.regions import Regions
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.tracking import AssociationTracker, Tracked
from som_agent.video import Frame
from som_tools.access import Access
from som_tools.call import Call
from som_tools.quota import Quota
from som_tools.sessions import CameraSession, SessionStore
from som_tools.workers import Pool, WorkerTracker

Blocks = Callable[[int], np.ndarray]


class ByColor:
    name = "by-color"

    def segment(self, frame: Frame) -> Regions:
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One worker for all tests: it takes seconds to start."""
    pool = Pool(1)
    keeps_it = pool.hold()
    yield pool
    keeps_it.close()


def frames(blocks: Blocks) -> list[Frame]:
    return [Frame(index=k, time=k / 6, image=blocks(3 * k)) for k in range(4)]


def same(there: Tracked, here: Tracked) -> bool:
    return (
        there.ids.tolist() == here.ids.tolist()
        and there.occluded == here.occluded
        and all(np.array_equal(there.regions.mask(k), here.regions.mask(k)) for k in range(len(here.ids)))
    )


@pytest.mark.parametrize("segmenter", [HierarchySegmenter(granularity=0.3), ByColor()], ids=["there", "here"])
def test_it_tracks_as_this_process_would(pool: Pool, blocks: Blocks, segmenter: object) -> None:
    scaled, own = ScaledSegmenter(segmenter), AssociationTracker()
    scaled.share = 0.75
    tracker = WorkerTracker(pool, scaled)
    assert tracker.wants_regions == isinstance(segmenter, ByColor)
    if isinstance(segmenter, HierarchySegmenter):  # what it knows of a frame is not sent along
        segmenter.prompted(frames(blocks)[0], Prompt([(30, 40)]))
        assert len(pickle.dumps(segmenter)) < 1000
    for frame in frames(blocks):
        regions = scaled.segment(frame)
        there = tracker.update(frame, regions if tracker.wants_regions else None)
        assert same(there, own.update(frame, regions))
    assert len(there.ids) >= 2
    part = np.zeros((90, 160), bool)
    part[25:40, 20:40] = True
    assert tracker.adopt(part[None], 1) == own.adopt(part[None], 1) != []
    assert tracker.correct(int(there.ids[0]), part)
    assert not tracker.correct(999, part)
    tracker.close()
    tracker.close()
    with pytest.raises(SomError, match="was closed"):
        tracker.correct(1, part)


def test_trackers_of_one_worker_know_nothing_of_each_other(pool: Pool, blocks: Blocks) -> None:
    first, second = (WorkerTracker(pool, ScaledSegmenter(ByColor())) for _ in range(2))
    one, *_ = frames(blocks)
    regions = ByColor().segment(one)
    assert first.update(one, regions).ids.tolist() == [1, 2]
    assert second.update(one, regions).ids.tolist() == [1, 2]
    first.close()
    assert second.update(frames(blocks)[1], regions).ids.tolist() == [1, 2]
    second.close()


def test_what_a_tracker_raises_is_raised_here_and_the_worker_lives(pool: Pool, blocks: Blocks) -> None:
    tracker = WorkerTracker(pool, ScaledSegmenter(ByColor()))
    with pytest.raises(AttributeError):
        tracker.update("no frame", ByColor().segment(frames(blocks)[0]))  # type: ignore[arg-type]
    assert tracker.update(frames(blocks)[0], ByColor().segment(frames(blocks)[0])).ids.tolist() == [1, 2]
    tracker.close()


def test_several_live_sessions_share_a_worker_and_one_that_is_killed_is_told_of(root: Path) -> None:
    store = SessionStore(Access.to(root), quota=Quota(live_fps=20), segmenter=ByColor(), workers=1)
    call = Call()
    opened = [store.open("blocks.mp4", call, live=True) for _ in range(2)]
    kinds = [type(one.session.tracker) for one in opened]
    assert kinds == [AssociationTracker, WorkerTracker]
    one, two = opened
    assert isinstance(two, CameraSession)
    (worker,) = store._workers._workers
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(SomError, match=r"the process that tracks the session ended \(status -9\)"):
        two.session.tracker.adopt(np.ones((1, 90, 160), bool))
    one.play(1.0, call)
    store.close_all()
    assert worker.ended


def test_no_worker_where_none_is_wanted(root: Path) -> None:
    store = SessionStore(Access.to(root), quota=Quota(live_fps=20), segmenter=ByColor(), workers=0)
    opened = [store.open("blocks.mp4", Call(), live=True) for _ in range(2)]
    assert {type(one.session.tracker) for one in opened} == {AssociationTracker}
    store.close_all()
