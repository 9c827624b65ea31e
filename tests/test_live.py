"""A session within a budget."""

import numpy as np
import pytest

from som_agent.live import QUALITY, LiveSession, _nth
from som_agent.regions import Regions
from som_agent.segmenters.labels import LabelsSegmenter
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.settings import Settings
from som_agent.tracking import AssociationTracker, PropagationTracker
from som_agent.tracking.propagators.video_models import propagator as video_model
from som_agent.video import Frame, open_video
from tests import tiny_video_models as tiny


class Blocks:
    """Three blocks of the picture, at any size; by its own clock each row of pixels takes some time."""

    name = "blocks"

    def __init__(self, ms_a_row=0.0):
        self.ms_a_row, self.sizes, self.now_s = ms_a_row, [], 0.0

    def segment(self, frame):
        h, w = frame.image.shape[:2]
        self.sizes.append((w, h))
        self.now_s += self.ms_a_row * h / 1000
        labels = np.zeros((h, w), np.int32)
        labels[: h // 2, : w // 2], labels[h // 2 :, : w // 2], labels[:, w // 2 :] = 1, 2, 3
        return Regions.from_labels(labels)


def frames(n):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48], image[32:, :48], image[:, 48:] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    return [Frame(image, i, i / 30) for i in range(n)]


def test_regions_come_back_at_full_size():
    scaled = ScaledSegmenter(Blocks())
    whole = scaled.segment(frames(1)[0])
    scaled.share = 0.5
    coarse = scaled.segment(frames(1)[0])
    assert scaled.inner.sizes == [(96, 64), (48, 32)]
    assert scaled.name == "blocks"
    assert coarse.atoms.shape == (64, 96)
    np.testing.assert_allclose(coarse.areas, whole.areas, rtol=0.01)  # corners are rounded
    np.testing.assert_allclose(coarse.boxes, whole.boxes, atol=4)


def test_ready_made_regions_are_left_alone(clip):
    told = []
    session = LiveSession(clip.segmenter, budget_ms=1e-3, notice=told.append)
    session.warm_up()
    with open_video(clip.path) as video:
        marks = [[info.mark for info in session.step(frame).infos] for frame in video]
    assert marks[-1] == [1, 2, 3]
    assert told


def test_marks_stay_while_quality_changes():
    told, blocks = [], Blocks(ms_a_row=1.0)
    session = LiveSession(
        blocks, Settings(size=96), budget_ms=50, notice=told.append, clock=lambda: blocks.now_s
    )
    for frame in frames(90):
        blocks.ms_a_row = 1.0 if frame.index < 30 else 0.1
        marked = session.step(frame)
        assert [info.mark for info in marked.infos] == [1, 2, 3]
        assert marked.regions.atoms.shape == (64, 96)
    assert blocks.sizes[0] == blocks.sizes[-1] == (96, 64)
    assert (round(96 * QUALITY[1].share), 48) in blocks.sizes
    assert told == [
        "steps are over the budget of 50 ms: segmenting at 75% of the size",
        "steps are well within the budget of 50 ms: segmenting at 100% of the size",
    ]


def test_with_a_propagator_the_segmenter_also_looks_less_often():
    told, blocks = [], Blocks(ms_a_row=8.0)
    session = LiveSession(
        blocks,
        Settings(size=96, propagator="flow", discover_every=2),
        budget_ms=100,
        notice=told.append,
        clock=lambda: blocks.now_s,
    )
    looks = []
    for frame in frames(160):
        seen = len(blocks.sizes)
        blocks.ms_a_row = 8.0 if frame.index < 80 else 0.1
        assert [info.mark for info in session.step(frame).infos] == [1, 2, 3]
        looks += [frame.index] * (len(blocks.sizes) - seen)
    what = "segmenting at 75% of the size, looking at every"
    assert told[:3] == [
        f"steps are over the budget of 100 ms: {what} 2nd frame",
        f"steps are over the budget of 100 ms: {what} 4th frame",
        f"steps are well within the budget of 100 ms: {what} 2nd frame",
    ], "8 ms a row are 256 ms a frame, then 192, then 96: the third level holds"
    apart = np.diff(looks)
    assert set(apart[:3]) == {2}
    assert set(apart[-3:]) == {2}
    assert max(apart) == 4


def test_a_slow_look_now_and_then_is_within_the_budget():
    """It takes 160 ms in every 8th frame: 20 a frame on average."""
    told, blocks = [], Blocks(ms_a_row=2.5)
    session = LiveSession(
        blocks,
        Settings(size=96, propagator="flow", discover_every=8),
        budget_ms=25,
        notice=told.append,
        clock=lambda: blocks.now_s,
    )
    for frame in frames(60):
        session.step(frame)
    assert told == []


@pytest.mark.parametrize(
    ("n", "words"), [(1, ""), (2, "2nd "), (3, "3rd "), (11, "11th "), (20, "20th "), (121, "121st ")]
)
def test_every_nth_frame(n, words):
    assert _nth(n) == words


@pytest.mark.parametrize("propagator", ["", "flow"])
def test_warming_up_leaves_no_trace(propagator):
    blocks = Blocks()
    session = LiveSession(blocks, Settings(size=96, propagator=propagator))
    session.warm_up()
    assert blocks.sizes == [(96, 96)] * 2
    assert session.session.newest is None
    assert session.session.history.marks == {}
    assert [info.mark for info in session.step(frames(1)[0]).infos] == [1, 2, 3]
    assert session.session.history.size == (96, 64)


@pytest.mark.parametrize("propagator", ["", "flow"])
def test_with_ready_made_regions_the_tracker_alone_is_warmed_up(clip, monkeypatch, propagator):
    """There are no masks for a made-up picture, but all that follows them must be compiled too."""
    segmented, tracked = [], []
    for tracker in (AssociationTracker, PropagationTracker):
        update = tracker.update
        monkeypatch.setattr(tracker, "update", lambda *a, _to=update: tracked.append(len(a[2])) or _to(*a))
    monkeypatch.setattr(LabelsSegmenter, "segment", lambda _, frame: segmented.append(frame))
    LiveSession(clip.segmenter, Settings(size=96, propagator=propagator)).warm_up()
    assert segmented == []
    assert tracked == [16, 16]


def test_warming_up_loads_no_network_again(tmp_path, monkeypatch):
    """What it remembers is not shared: the session sees what one sees that was not warmed up."""
    folder = tiny.save("sam2_video", tmp_path)
    settings = Settings(size=64, propagator=f"hf:{folder}", discover_every=2)
    cold, warm = (LiveSession(Blocks(), settings) for _ in range(2))
    monkeypatch.setattr(video_model, "load_pretrained", None)
    warm.warm_up()
    for frame in frames(4):
        one, other = cold.step(frame), warm.step(frame)
        assert one.infos == other.infos
        np.testing.assert_array_equal(one.regions.atoms, other.regions.atoms)
