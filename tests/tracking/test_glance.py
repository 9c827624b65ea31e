"""An embedding model in the trackers: what it decides, what it leaves alone, and how often it is asked."""

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from som_agent import Session, Settings
from som_agent.live import LiveSession
from som_agent.regions import Regions
from som_agent.tracking import AssociationTracker, PropagationTracker, load_propagator
from som_agent.tracking.embedders import HfEmbedder
from som_agent.tracking.features import Features
from som_agent.tracking.glance import CROPS, Embedding, Glance, evidence
from som_agent.tracking.lives import Track
from som_agent.tracking.recognition import RECALL_SCORE, recognise
from som_agent.tracking.shapes import shape_of
from som_agent.video import Frame

SIZE = (160, 90)
RED, BLUE, GREEN, YELLOW = (215, 40, 35), (40, 80, 215), (35, 170, 60), (235, 205, 40)
FLAG, UPSIDE_DOWN, DIM = (RED, BLUE), (BLUE, RED), ((180, 40, 35), (40, 80, 180))
"""Colours of the upper and lower half: a flag, one with the same histogram, and the flag in less light."""


class Halves:
    """Sees the mean colours of the upper and the lower half, which histograms of the whole do not."""

    name = "halves"

    def __init__(self):
        self.calls = []

    def embed(self, image, masks):
        self.calls.append(len(masks))
        units = []
        for mask in masks:
            rows = np.flatnonzero(mask.any(axis=1))
            middle = (rows[0] + rows[-1] + 1) // 2
            halves = [image[:middle][mask[:middle]], image[middle:][mask[middle:]]]
            unit = np.concatenate([half.mean(axis=0) if len(half) else np.zeros(3) for half in halves])
            units.append(unit / np.linalg.norm(unit))
        return np.array(units, np.float32)


class Same(Halves):
    """Sees no difference between any two things."""

    def embed(self, image, masks):
        self.calls.append(len(masks))
        return np.tile(np.float32([0.6, 0.8]), (len(masks), 1))


class Things:
    """Things of two halves, by frame: name → box and colours; the largest name is on top."""

    def __init__(self, frames, tracker):
        self.ids, self.tracked = [], []
        rng = np.random.default_rng(3)
        for i, things in enumerate(frames):
            image = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
            labels = np.zeros(image.shape[:2], np.int32)
            for name, ((x0, y0, x1, y1), (upper, lower)) in sorted(things.items()):
                labels[y0:y1, x0:x1] = name
                image[y0:y1, x0:x1] = lower
                image[y0 : (y0 + y1) // 2, x0:x1] = upper
            regions = None
            if tracker.wants_regions:
                order = np.concatenate([[0], 1 + rng.permutation(int(labels.max(initial=0)))])
                regions = Regions.from_labels(order[labels])
            tracked = tracker.update(Frame(image, i, i / 10), regions)
            self.tracked.append(tracked)
            own = {int(track): tracked.regions.mask(k) for k, track in enumerate(tracked.ids)}
            self.ids.append({name: on(own, labels == name) for name in things if (labels == name).any()})

    def of(self, name):
        return [ids[name] for ids in self.ids if name in ids]


def on(own, mask):
    for track, mine in own.items():
        if (mine & mask).sum() > 0.5 * (mine | mask).sum():
            return track
    return None


def trackers(embedder):
    return [
        AssociationTracker(embedder=embedder),
        PropagationTracker(load_propagator("flow"), every=2, embedder=embedder),
    ]


def beside(i):
    """Two things that stay in sight, one of them on the move."""
    return {1: ((6 + i, 6, 30 + i, 28), (GREEN, GREEN)), 2: ((6, 60, 34, 84), (YELLOW, GREEN))}


def leaves(i):
    """Beside them thing 3, a flag that goes out of the picture to the right."""
    x = 130 + 6 * max(i - 12, 0)
    return {**beside(i), **({3: ((x, 34, x + 24, 58), FLAG)} if i < 18 else {})}


def returns(i):
    """It comes back higher up, and where it went out there is one upside down, thing 4."""
    if i < 26:
        return leaves(i)
    return {**beside(i), 3: ((132, 4, 156, 28), FLAG), 4: ((132, 34, 156, 58), UPSIDE_DOWN)}


@pytest.mark.parametrize("kind", [0, 1])
def test_it_decides_between_two_that_histograms_cannot_tell_apart(kind):
    frames = [returns(i) for i in range(40)]
    without = Things(frames, trackers(None)[kind])
    first = without.of(3)[0]
    assert without.of(4)[-1] == first, "the one that is where it left is taken for it"
    seen = Things(frames, trackers(Halves())[kind])
    assert seen.of(3)[0] == seen.of(3)[-1] == first
    assert seen.of(4)[-1] not in (None, first)


@pytest.mark.parametrize("kind", [0, 1])
def test_another_thing_where_it_left_is_not_it(kind):
    def frame(i):
        return leaves(i) if i < 26 else {**beside(i), 4: ((132, 34, 156, 58), UPSIDE_DOWN)}

    frames = [frame(i) for i in range(40)]
    without = Things(frames, trackers(None)[kind])
    assert without.of(3)[0] == without.of(4)[-1]
    seen = Things(frames, trackers(Halves())[kind])
    assert None not in (seen.of(3)[0], seen.of(4)[-1])
    assert seen.of(3)[0] != seen.of(4)[-1]


@pytest.mark.parametrize("kind", [0, 1])
def test_what_left_the_picture_and_comes_back_in_other_light_is_known(kind):
    def frame(i):
        x = 100 + 8 * i if i < 14 else 100 + 8 * max(30 - i, 0)
        return {**beside(0), 3: ((x, 40, x + 24, 64), FLAG if i < 14 else DIM)}

    frames = [frame(i) for i in range(44)]
    without = Things(frames, trackers(None)[kind]).of(3)
    assert without[-1] not in (None, without[0])
    seen = Things(frames, trackers(Halves())[kind])
    assert seen.of(3)[0] == seen.of(3)[-1]
    assert seen.of(3)[0] in seen.tracked[20].occluded


@pytest.mark.parametrize("kind", [0, 1])
def test_a_model_that_tells_nothing_apart_changes_nothing(kind):
    """Bit by bit."""
    frames, blind = [returns(i) for i in range(40)], Same()
    with_it, without = Things(frames, trackers(blind)[kind]), Things(frames, trackers(None)[kind])
    assert blind.calls
    for a, b in zip(with_it.tracked, without.tracked, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.scores, b.scores)
        np.testing.assert_array_equal(a.regions.visible(), b.regions.visible())
        assert (a.occluded, a.gone, a.hidden_by) == (b.occluded, b.gone, b.hidden_by)


@pytest.fixture(scope="module")
def by_chance(tmp_path_factory):
    """A tiny DINOv2 with weights of chance, in a folder."""
    folder = tmp_path_factory.mktemp("dinov2")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    transformers.BitImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}
    ).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", [0, 1])
def test_weights_of_chance_do_no_harm(kind, by_chance):
    """A thing hides, another leaves and comes back; they are what they are without."""

    def frame(i):
        things = beside(i)
        if not 10 <= i < 20:
            things[3] = ((90, 10, 116, 34), FLAG)
        x = 60 + 8 * i if i < 16 else 60 + 8 * max(32 - i, 0)
        things[4] = ((x, 50, x + 24, 74), (BLUE, YELLOW))
        return things

    frames = [frame(i) for i in range(40)]
    without = Things(frames, trackers(None)[kind])
    assert Things(frames, trackers(HfEmbedder(by_chance, device="cpu"))[kind]).ids == without.ids
    assert without.of(3)[0] == without.of(3)[-1] is not None


def test_crops_are_few_in_every_frame_and_fewer_as_tracks_grow_old(make):
    """Thirty things at once: every one is embedded soon, some at a time; then seldom."""
    labels = np.zeros((120, 200), np.int32)
    for k in range(30):
        y, x = 6 + 22 * (k // 6), 6 + 32 * (k % 6)
        labels[y : y + 14, x : x + 20] = k + 1
    counting = Halves()
    tracker, asked = AssociationTracker(embedder=counting), []
    for i in range(120):
        before = sum(counting.calls)
        shown = (
            labels if i % 40 < 30 or i < 40 else np.where(labels <= 10, 0, labels)
        )  # a third hides, returns
        tracker.update(Frame(make.paint(shown), i, i / 10), Regions.from_labels(shown))
        asked.append(sum(counting.calls) - before)
    assert max(asked) == CROPS
    assert len(tracker._lives.tracks) == 30
    assert all(track.embedding is not None for track in tracker._lives.tracks.values())
    # A newcomer costs two crops; the next time is half a second later, then a whole one, and so on.
    assert asked[:8] == [CROPS] * 7 + [4 + 4]
    assert sum(asked[60:]) < 0.6 * sum(asked[:60])


def test_nothing_is_asked_of_things_while_nothing_is_lost():
    counting = Halves()
    tracker = AssociationTracker(embedder=counting)
    frames = [{**beside(i), **({3: ((90, 40, 114, 64), FLAG)} if i >= 4 else {})} for i in range(8)]
    Things(frames, tracker)
    known = {track.id: track.embedding.count for track in tracker._lives.tracks.values()}
    assert known == {1: 2, 2: 2, 3: 1}
    assert sum(counting.calls) == 3 * 2 + 2, "each new one and its mirror image, two of them once more"


distances = st.floats(0.0, 2.0, allow_subnormal=False)


@given(distances, distances, distances, distances, st.floats(0.01, 100.0))
def test_evidence(nearer, farther, own, other, scale):
    nearer, farther = sorted((nearer, farther))
    near, far = evidence(nearer, own, other), evidence(farther, own, other)
    assert -1 <= far <= near <= 1
    if other <= own:
        assert near == far == 0.0, "a model that cannot tell it from the others has no say"
    elif other - own > 1e-3:
        assert evidence(own, own, other) == pytest.approx(1 - own / other) == -evidence(other, own, other)
        assert evidence((own + other) / 2, own, other) == pytest.approx(0.0, abs=1e-6)
        scaled = evidence(scale * nearer, scale * own, scale * other)
        np.testing.assert_allclose(scaled, near, atol=1e-4)


@given(st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=12))
def test_a_running_embedding_stays_a_direction_and_its_spread_is_what_was_seen(angles):
    def unit(angle):
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    own = Embedding(unit(0.0), 0.1, 0.0, 1, 0.0, frozenset())
    farthest = 0.0
    for k, angle in enumerate(angles):
        farthest = max(farthest, 1 - float(own.unit @ unit(angle)))
        own = own.renewed(unit(angle), float(k), frozenset({k}))
        assert np.linalg.norm(own.unit) == pytest.approx(1.0, abs=1e-5)
        assert 0.1 <= own.spread <= max(0.1, farthest) + 1e-5
    assert (own.count, own.time_s, own.others) == (len(angles) + 1, len(angles) - 1.0, {len(angles) - 1})


class Fixed:
    """Hands out the vectors that it was given, in turn."""

    name = "fixed"

    def __init__(self, *units):
        self.units = np.array(units, np.float32)

    def embed(self, image, masks):
        return self.units[: len(masks)]


def track(number, unit, others=()):
    own = Embedding(np.array(unit, np.float32), 0.0, 0.0, 1, 0.0, frozenset(others))
    return Track(number, 0.0, True, area=100.0, embedding=own)


def weight(lost, visible, unit, area=100.0, score=0.8):
    glance = Glance(
        Fixed(unit), np.zeros((4, 4, 3), np.uint8), Regions.from_labels(np.ones((4, 4), np.int32))
    )
    members, areas = np.array([[False, True]]), np.array([area])
    return float(glance.weights(np.array([[score]]), 0.4, [lost], visible, members, areas)[0, 0])


def test_only_what_was_seen_beside_it_is_a_measure():
    lost, rival = track(1, (1, 0)), track(2, (0, 1))
    assert weight(lost, [rival], (0, 1)) == 1.0, "the other may be the lost one itself, under another number"
    assert weight(track(1, (1, 0), others=[2]), [rival], (0, 1)) == pytest.approx(0.4)
    assert weight(lost, [track(2, (0, 1), others=[1])], (0, 1)) == pytest.approx(0.4), "either has noted it"
    assert weight(track(1, (1, 0), others=[2]), [rival], (1, 0)) == pytest.approx(1.4)
    assert weight(track(1, (1, 0), others=[2]), [], (1, 0)) == 1.0, "nothing in sight to hold it against"


def test_a_sliver_says_little_and_a_hopeless_pair_is_not_looked_at():
    lost, rival = track(1, (1, 0), others=[2]), track(2, (0, 1))
    assert weight(lost, [rival], (0, 1), area=25.0) == pytest.approx(1 - 0.6 / 4)
    assert weight(lost, [rival], (0, 1), score=0.3) == 1.0


def test_looks_make_up_for_no_place():
    """However sure the model is: what is at the other end of a second's way is not recognised by it."""
    labels = np.zeros((90, 160), np.int32)
    labels[40:60, 10:30], labels[40:60, 130:150] = 1, 2
    image = np.full((90, 160, 3), 120, np.uint8)
    image[labels > 0] = RED
    regions = Regions.from_labels(labels)
    features = Features.measure(image, regions)
    lost = track(1, (1, 0), others=[2])
    lost.looks, lost.area = features.looks(regions.members[:1])[0], 400.0
    lost.center = np.array([19.5, 49.5], np.float32)
    lost.outline = lost.seen = shape_of(regions, regions.members[0], lost.center)
    nothing = np.zeros(3, bool)
    glance = Glance(Fixed((1, 0), (1, 0)), image, regions)
    found = recognise(
        [lost], regions.members[1:], regions, features, visible=[], taken=nothing, time_s=0.1, glance=glance
    )
    assert found == []
    rival = track(2, (0, 1))
    rival.looks = np.zeros_like(lost.looks)
    ((row, thing, agreed),) = recognise(
        [lost], regions.members, regions, features, visible=[rival], taken=nothing, time_s=0.1, glance=glance
    )
    assert (row, thing) == (0, 0)
    assert RECALL_SCORE <= agreed <= 1.0


def test_a_correction_forgets_the_embedding():
    for tracker in trackers(Halves()):
        Things([beside(i) for i in range(3)], tracker)
        assert tracker._lives[1].embedding is not None
        mask = np.zeros((SIZE[1], SIZE[0]), bool)
        mask[10:30, 60:90] = True
        assert tracker.correct(1, mask)
        assert tracker._lives[1].embedding is None


def test_a_session_has_it_by_name_and_a_rehearsal_shares_it(by_chance, monkeypatch):
    loaded = []
    load = HfEmbedder.__init__
    monkeypatch.setattr(HfEmbedder, "__init__", lambda self, *a, **k: loaded.append(a) or load(self, *a, **k))
    live = LiveSession("hierarchy", Settings(embedder=f"hf:{by_chance}", size=64))
    live.warm_up()
    assert loaded == [(by_chance,)]
    assert live.session._tracker.embedder is live.session.embedder
    own = Halves()
    session = Session("hierarchy", Settings(propagator="flow"), embedder=own)
    assert session._tracker.embedder is session.embedder is own
    assert Session("hierarchy").embedder is None
