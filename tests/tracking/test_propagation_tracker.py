"""The tracker that propagates, over drawn things whose regions it sees only now and then."""

import numpy as np
import pytest

from som_agent.errors import InputError, TrackingError
from som_agent.regions import Regions
from som_agent.tracking import PropagationTracker, Tracked, load_propagator, propagator_names
from som_agent.video import Frame
from tests.tracking.conftest import id_on

SIZE = (120, 80)


def boxes(i):
    return {1: (6 + 2 * i, 8, 34 + 2 * i, 36), 2: (80, 44, 110, 72)}


class Run:
    """A tracker over label maps; regions are given when they are wanted, in an order of chance."""

    def __init__(self, make, maps, images=None, **options):
        self.tracker = PropagationTracker(load_propagator("flow"), **options)
        self.maps, self.looks = maps, []
        self.tracked: list[Tracked] = []
        shuffle = np.random.default_rng(3)
        for i, labels in enumerate(maps):
            regions = None
            if self.tracker.wants_regions:
                self.looks.append(i)
                order = np.concatenate([[0], 1 + shuffle.permutation(int(labels.max(initial=0)))])
                regions = Regions.from_labels(order[labels])
            image = images[i] if images is not None else textured(make, labels)
            self.tracked.append(self.tracker.update(Frame(image, i, i / 10), regions))

    def of(self, label):
        """Ids on one object in the frames in which it is."""
        pairs = zip(self.tracked, self.maps, strict=True)
        return [id_on(tracked, labels == label) for tracked, labels in pairs if (labels == label).any()]


def textured(make, labels):
    grain = np.random.default_rng(0).integers(-12, 13, (*labels.shape, 3))
    return np.clip(make.paint(labels).astype(int) + grain, 0, 255).astype(np.uint8)


def test_numbers_stay_between_looks_and_across_them(make):
    run = Run(make, [make.labels(boxes(i), SIZE) for i in range(16)], every=5)
    assert run.looks == [0, 5, 10, 15]
    for label in (1, 2):
        assert len(set(run.of(label))) == 1
        assert None not in run.of(label)
    assert len({*run.of(1), *run.of(2)}) == 2


def test_how_often_it_looks_may_change_between_frames(make):
    """A cut is looked at whatever is changed in that moment."""
    first, second = make.labels(boxes(0), SIZE), make.labels({3: (0, 0, 60, 80), 7: (60, 0, 120, 80)}, SIZE)
    tracker, looks = PropagationTracker(load_propagator("flow"), every=2), []
    for i in range(24):
        if i in (5, 16):
            tracker.every = 7 if i == 5 else 50
        labels = first if i < 15 else second
        if tracker.wants_regions:
            looks.append(i)
        regions = Regions.from_labels(labels) if looks[-1] == i else None
        tracker.update(Frame(textured(make, labels), i, i / 10), regions)
    assert looks == [0, 2, 4, 11, 16], "the cut at 15 is known after it"


def test_a_newcomer_is_found_at_a_look_and_shown_when_it_is_found_again(make):
    maps = [make.labels({**boxes(0), **({3: (60, 4, 78, 24)} if i >= 2 else {})}, SIZE) for i in range(16)]
    ids = Run(make, maps, every=4, confirm_looks=2).of(3)
    shown = [i for i, track in enumerate(ids, start=2) if track is not None]
    assert shown, "it gets a number"
    assert shown[0] == 8, "found at 4, found again at 8"
    assert shown == list(range(shown[0], 16))
    assert len({ids[i - 2] for i in shown}) == 1


def test_what_one_look_alone_finds_gets_no_number(make):
    """It is carried on, as it has a colour of its own, but no second look finds it again."""
    maps = [make.labels({**boxes(0), 3: (60, 4, 78, 24)}, SIZE) for _ in range(16)]
    tracker = PropagationTracker(load_propagator("flow"), every=4)
    ids = set()
    for i, labels in enumerate(maps):
        regions = None
        if tracker.wants_regions:
            regions = Regions.from_labels(labels if i == 4 else np.where(labels == 3, 0, labels))
        tracked = tracker.update(Frame(textured(make, labels), i, i / 10), regions)
        ids |= set(tracked.ids.tolist())
    assert len(ids) == 2


def test_of_two_marks_on_one_thing_the_younger_ends(make):
    maps = [make.labels(boxes(0), SIZE) for _ in range(4)]
    run = Run(make, maps, every=50)
    older = run.of(1)[0]
    (younger,) = run.tracker.adopt((maps[0] == 1)[None])
    run.tracker.every = 1
    gone, seen = [], set()
    for i in range(4, 8):
        tracked = run.tracker.update(Frame(textured(make, maps[0]), i, i / 10), Regions.from_labels(maps[0]))
        gone += tracked.gone
        seen = set(tracked.ids.tolist())
    assert younger in gone or younger not in seen
    assert older in seen
    assert younger not in seen


def test_a_change_of_light_ends_nothing(make):
    maps = [make.labels(boxes(0), SIZE) for _ in range(10)]
    images = [textured(make, m) for m in maps]
    dark = [(image * 0.7).astype(np.uint8) for image in images]
    run = Run(make, maps, images[:5] + dark[5:], every=3)
    assert not any(tracked.gone for tracked in run.tracked)
    assert set(run.tracked[-1].ids.tolist()) == set(run.tracked[0].ids.tolist())


def test_much_that_comes_into_sight_is_looked_at_at_once(make):
    maps = [
        make.labels({1: (20 - 6 * max(i - 2, 0), 4, 110 - 6 * max(i - 2, 0), 76)}, SIZE) for i in range(9)
    ]
    run = Run(make, maps, every=100)
    assert run.looks[0] == 0
    assert 3 <= run.looks[1] < 9, "the ground that was uncovered is no object's"


def test_a_thing_that_was_hidden_comes_back_with_its_number(make):
    def at(i):
        seen = {} if 8 <= i < 20 else {2: (80, 44, 110, 72)}
        return make.labels({1: (6, 8, 34, 36), **seen}, SIZE)

    run = Run(make, [at(i) for i in range(34)], every=3)
    ids = run.of(2)
    assert ids[0] is not None
    assert ids[-1] == ids[0]
    assert ids[0] in run.tracked[14].occluded
    assert ids[0] not in run.tracked[14].ids


def test_a_cut_ends_all_tracks_and_no_number_comes_again(make):
    maps = [make.labels(boxes(0), SIZE) for _ in range(8)]
    other = make.labels({4: (3, 30, 50, 78), 5: (70, 2, 117, 30)}, SIZE)
    images = [textured(make, m) for m in maps]
    bright = np.where(other[..., None] > 0, make.paint(other), 250).astype(np.uint8)
    run = Run(make, maps + [other] * 8, images + [bright] * 8, every=4)
    old, new = set(run.tracked[7].ids.tolist()), set(run.tracked[-1].ids.tolist())
    assert len(old) == len(new) == 2
    assert not old & new
    assert set(run.tracked[8].gone) == old


def test_a_black_frame_hides_everything_and_ends_nothing(make):
    maps = [make.labels(boxes(0), SIZE) for _ in range(9)]
    images = [textured(make, m) for m in maps]
    images[5] = np.zeros_like(images[5])
    run = Run(make, maps, images, every=3)
    assert len(run.tracked[5].ids) == 0
    assert (
        set(run.tracked[5].occluded) == set(run.tracked[4].ids.tolist()) == set(run.tracked[6].ids.tolist())
    )


def test_adopted_and_corrected_masks_go_on(make):
    run = Run(make, [make.labels({1: (6, 8, 34, 36)}, SIZE) for _ in range(3)], every=50)
    thing = np.zeros(SIZE[::-1], bool)
    thing[50:70, 60:90] = True
    first = run.of(1)[0]
    labels = make.labels({1: (6, 8, 34, 36), 2: (60, 50, 90, 70)}, SIZE)
    (new,) = run.tracker.adopt(thing[None])
    tracked = run.tracker.update(Frame(textured(make, labels), 3, 0.3), None)
    assert {first, new} <= set(tracked.ids.tolist())
    smaller = np.zeros(SIZE[::-1], bool)
    smaller[8:36, 6:20] = True
    assert run.tracker.correct(first, smaller)
    assert not run.tracker.correct(999, smaller)
    tracked = run.tracker.update(Frame(textured(make, labels), 4, 0.4), None)
    own = tracked.regions.mask(tracked.ids.tolist().index(first))
    assert own[:, 24:].sum() < 0.3 * own.sum(), "the half that was taken away stays away"


def test_memory_is_bounded(make):
    tracker = PropagationTracker(load_propagator("warp"), every=1, max_tracks=5, lost_s=1e9)
    rng = np.random.default_rng(0)
    for i in range(20):
        labels = np.kron(rng.integers(0, 9, (8, 12)), np.ones((10, 10), np.int64)).astype(np.int32)
        tracked = tracker.update(Frame(make.paint(labels), i, i / 10), Regions.from_labels(labels))
        assert len(tracked.ids) + len(tracked.occluded) <= 5


def test_propagators_by_name():
    assert load_propagator("flow").name == "flow"
    ready = load_propagator("warp")
    assert load_propagator(ready) is ready
    for wrong in ("magic", "hf:", ""):
        with pytest.raises(TrackingError, match=f"unknown propagator '{wrong}'; known: flow"):
            load_propagator(wrong)
    with pytest.raises((TrackingError, InputError), match="no/such/place"):
        load_propagator("hf:no/such/place")
    assert set(propagator_names()) == {"flow", "warp", "hf:REPO_OR_DIR"}
