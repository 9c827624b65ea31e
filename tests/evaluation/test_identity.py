"""The metrics of identity against the libraries of the field, on random trackings; and by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import motmetrics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trackeval import metrics as trackeval

from som_agent.evaluation.contingency import contingency
from som_agent.evaluation.identity import Identity, IdentityScore
from som_agent.regions import Regions

H, W = 24, 32
Masks = dict[int, np.ndarray]


@dataclass(frozen=True)
class Frame:
    """True objects, which share no pixel, and marks, which may."""

    truth: np.ndarray
    marks: Masks

    @property
    def objects(self) -> Masks:
        return {int(v): self.truth == v for v in np.unique(self.truth) if v}


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return mask


def score(frames: list[Frame], objects: list[int] | None = None) -> IdentityScore:
    identity = Identity()
    known = objects or sorted({obj for frame in frames for obj in frame.objects})
    for frame in frames:
        masks = np.array(list(frame.marks.values()), bool).reshape(len(frame.marks), H, W)
        identity.add(contingency(list(frame.marks), Regions.from_masks(masks), frame.truth, known))
    return identity.score()


def tracking(seed: int, count: int = 14) -> list[Frame]:
    """Objects that walk, hide and come back; marks that wobble, are lost, swap, change, nest and ghost."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    places, steps = rng.integers(0, [W - 8, H - 8], (n, 2)), rng.integers(-2, 3, (n, 2))
    sizes = rng.integers(4, 9, (n, 2))
    number = {k: k + 1 for k in range(n)}
    frames = []
    for t in range(count):
        truth, marks = np.zeros((H, W), np.int32), {}
        if rng.random() < 0.15 and n > 1:
            a, b = rng.choice(n, 2, replace=False)
            number[a], number[b] = number[b], number[a]
        if rng.random() < 0.15:
            number[int(rng.integers(n))] = 100 + t
        empty, blind = rng.random(2) < 0.08
        for k in range(n):
            (x, y), (w, h) = places[k] + t * steps[k], sizes[k]
            if rng.random() < 0.85 and not empty:
                truth[box(x, y, x + w, y + h)] = 10 * (k + 1)
            dx, dy, dw, dh = rng.integers(-2, 3, 4)
            if rng.random() < 0.85 and not blind:
                marks[number[k]] = box(x + dx, y + dy, x + dx + w + dw, y + dy + h + dh)
        if rng.random() < 0.3 and not blind:
            marks[50] = box(*rng.integers(0, 10, 2), *rng.integers(12, 24, 2))  # over whatever is there
        frames.append(Frame(truth, {mark: mask for mark, mask in marks.items() if mask.any()}))
    return frames


def similarities(frame: Frame) -> np.ndarray:
    pairs = [[(a & b).sum() / (a | b).sum() for b in frame.marks.values()] for a in frame.objects.values()]
    return np.array(pairs, float).reshape(len(frame.objects), len(frame.marks))


def by_trackeval(frames: list[Frame]) -> dict[str, dict]:
    """What TrackEval says: HOTA and the scores of identity."""
    objects = sorted({obj for frame in frames for obj in frame.objects})
    marks = sorted({mark for frame in frames for mark in frame.marks})
    data = {
        "num_timesteps": len(frames),
        "num_gt_ids": len(objects),
        "num_tracker_ids": len(marks),
        "num_gt_dets": sum(len(frame.objects) for frame in frames),
        "num_tracker_dets": sum(len(frame.marks) for frame in frames),
        "gt_ids": [np.array([objects.index(o) for o in frame.objects], int) for frame in frames],
        "tracker_ids": [np.array([marks.index(m) for m in frame.marks], int) for frame in frames],
        "similarity_scores": [similarities(frame) for frame in frames],
    }
    identity = trackeval.Identity({"PRINT_CONFIG": False})
    return {"hota": trackeval.HOTA().eval_sequence(data), "identity": identity.eval_sequence(data)}


def by_motmetrics(videos: list[list[Frame]]) -> dict[str, float]:
    """What py-motmetrics says of some videos together."""
    accumulators = []
    for frames in videos:
        accumulators.append(motmetrics.MOTAccumulator(auto_id=True))
        for frame in frames:
            distances = 1 - similarities(frame)
            distances[distances > 0.5] = np.nan
            accumulators[-1].update(list(frame.objects), list(frame.marks), distances)
    names = ["idf1", "idp", "idr", "num_switches", "mota", "num_misses", "num_false_positives"]
    table = motmetrics.metrics.create().compute_many(accumulators, metrics=names, generate_overall=True)
    return table.loc["OVERALL"].to_dict()


@pytest.mark.parametrize("seed", range(40))
def test_hota_and_idf1_are_those_of_trackeval(seed: int) -> None:
    frames = tracking(seed)
    ours, theirs = score(frames), by_trackeval(frames)
    for name, key in (("hota", "HOTA"), ("det_a", "DetA"), ("ass_a", "AssA"), ("owta", "OWTA")):
        assert getattr(ours.hota, name) == pytest.approx(float(theirs["hota"][key].mean())), name
    np.testing.assert_array_equal(ours.hota.matched, theirs["hota"]["HOTA_TP"])
    for name, key in (("idf1", "IDF1"), ("idp", "IDP"), ("idr", "IDR"), ("matched", "IDTP")):
        assert getattr(ours, name) == pytest.approx(float(theirs["identity"][key])), name


@pytest.mark.parametrize("seed", range(12))
def test_switches_mota_and_idf1_are_those_of_motmetrics(seed: int) -> None:
    frames = tracking(seed)
    ours, theirs = score(frames), by_motmetrics([frames])
    assert ours.clear.switches == theirs["num_switches"]
    assert ours.clear.missed == theirs["num_misses"]
    assert ours.clear.extra == theirs["num_false_positives"]
    assert ours.clear.mota == pytest.approx(theirs["mota"])
    for name in ("idf1", "idp", "idr"):
        assert getattr(ours, name) == pytest.approx(theirs[name]), name


def test_the_random_trackings_have_what_may_go_wrong() -> None:
    totals = [score(tracking(seed)).clear for seed in range(12)]
    for field in ("missed", "extra", "switches"):
        assert sum(getattr(total, field) for total in totals) > 10
    frames = [frame for seed in range(12) for frame in tracking(seed)]
    assert any(not frame.marks for frame in frames)
    assert any(not frame.objects for frame in frames)
    assert any(sum(frame.marks.values()).max() > 1 for frame in frames if frame.marks)


def test_videos_add_up_as_they_do_there() -> None:
    videos = [tracking(seed, count=8) for seed in (3, 5, 7)]
    a, b, c = (score(frames) for frames in videos)
    whole = a + b + c
    theirs = by_motmetrics(videos)
    assert whole.clear.switches == theirs["num_switches"]
    assert whole.clear.mota == pytest.approx(theirs["mota"])
    assert whole.idf1 == pytest.approx(theirs["idf1"])
    single = {str(k): by_trackeval(frames)["hota"] for k, frames in enumerate(videos)}
    combined = trackeval.HOTA().combine_sequences(single)
    assert whole.hota.hota == pytest.approx(float(combined["HOTA"].mean()))
    assert whole.hota.ass_a == pytest.approx(float(combined["AssA"].mean()))


def stq_pixel_by_pixel(frames: list[Frame]) -> tuple[float, float]:
    """AQ and SQ of the paper's formulas, on sets of pixels."""
    true, ours, both = Counter(), Counter(), Counter()
    for frame in frames:
        on_top = np.zeros((H, W), int)
        for mark, mask in sorted(frame.marks.items(), key=lambda item: -item[1].sum()):
            on_top[mask] = mark
        for obj, mark in zip(frame.truth.ravel().tolist(), on_top.ravel().tolist(), strict=True):
            true[obj] += obj > 0
            ours[mark] += mark > 0
            both[obj, mark] += obj > 0 and mark > 0
    tubes = [obj for obj in true if obj]
    kept = 0.0
    for obj in tubes:
        for mark in ours:
            shared = both[obj, mark]
            kept += shared / true[obj] * (shared / (true[obj] + ours[mark] - shared) if shared else 0)
    shared = sum(both.values())
    union = sum(true.values()) + sum(ours.values()) - shared
    return kept / max(len(tubes), 1), shared / max(union, 1)


@pytest.mark.parametrize("seed", range(10))
def test_stq_is_that_of_its_formulas(seed: int) -> None:
    # Marks of equal area on one another: which is on top is for the regions to say.
    frames = [
        frame for frame in tracking(seed) if len({m.sum() for m in frame.marks.values()}) == len(frame.marks)
    ]
    aq, sq = stq_pixel_by_pixel(frames)
    ours = score(frames).stq
    assert (ours.aq, ours.sq) == (pytest.approx(aq), pytest.approx(sq))
    assert ours.stq == pytest.approx(math.sqrt(aq * sq))


@given(st.integers(0, 10_000))
def test_true_masks_with_their_own_numbers_are_perfect(seed: int) -> None:
    frames = [Frame(frame.truth, frame.objects) for frame in tracking(seed, count=5)]
    ours = score(frames).to_json()
    if any(frame.objects for frame in frames):
        wrong = {name: value for name, value in ours.items() if value != pytest.approx(1)}
        assert wrong == {"id_switches": 0}


@given(st.integers(0, 10_000))
def test_which_numbers_marks_have_does_not_matter(seed: int) -> None:
    frames = tracking(seed, count=6)
    other = [Frame(f.truth, {1000 - mark: mask for mark, mask in f.marks.items()}) for f in frames]
    assert score(other).to_json() == pytest.approx(score(frames).to_json())


def test_one_switch_in_the_middle() -> None:
    """By hand: one object, 6 frames, mark 1 for the first half and mark 2 for the second."""
    mask = box(4, 4, 12, 12)
    ours = score([Frame(np.where(mask, 7, 0), {1 if t < 3 else 2: mask}) for t in range(6)])
    assert ours.clear.switches == 1
    assert ours.clear.mota == pytest.approx(1 - 1 / 6)
    assert (ours.idf1, ours.idp, ours.idr) == (0.5, 0.5, 0.5)
    assert (ours.hota.det_a, ours.hota.ass_a) == (1, pytest.approx(0.5))
    assert ours.hota.hota == pytest.approx(math.sqrt(0.5))
    assert (ours.stq.aq, ours.stq.sq) == (pytest.approx(0.5), 1)
    assert ours.stq.stq == pytest.approx(math.sqrt(0.5))


def test_an_object_keeps_its_mark_even_where_another_fits_better() -> None:
    whole, part, mask = box(4, 4, 12, 12), box(4, 4, 12, 10), box(4, 4, 12, 12)
    frames = [Frame(mask * 1, {1: part}), Frame(mask * 1, {1: part, 2: whole})]
    assert (score(frames).clear.switches, score(frames).clear.extra) == (0, 1)


def test_a_number_that_comes_back_after_a_gap_is_no_switch() -> None:
    mask = box(4, 4, 12, 12)
    gap = Frame(np.zeros((H, W), np.int32), {})
    for mark, switches in ((1, 0), (2, 1)):
        frames = [Frame(mask * 1, {1: mask}), gap, Frame(mask * 1, {}), Frame(mask * 1, {mark: mask})]
        assert score(frames).clear.switches == switches


def test_nothing_to_count_is_zero() -> None:
    empty = Frame(np.zeros((H, W), np.int32), {})
    for frames in ([], [empty], [empty, empty]):
        assert set(score(frames).to_json().values()) == {0}
    alone = score([Frame(empty.truth, {3: box(0, 0, 5, 5)})]).to_json()
    assert (alone["hota"], alone["idf1"], alone["stq"], alone["mota"]) == (0, 0, 0, -1)
    unseen = score([Frame(box(0, 0, 5, 5) * 1, {})])
    assert (unseen.hota.hota, unseen.clear.missed, unseen.clear.mota, unseen.stq.stq) == (0, 1, 0, 0)


def test_objects_that_never_show_do_not_count() -> None:
    frames = tracking(4)
    known = sorted({obj for frame in frames for obj in frame.objects})
    assert score(frames, [*known, 99]).to_json() == score(frames).to_json()
