import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from rich.console import Console

from som_agent.errors import InputError
from som_agent.evaluation.contour import bound_px, boundary, contour_accuracy, region_similarity
from som_agent.evaluation.davis import DavisScore, score_davis, score_sequence, scores_json, table
from som_agent.regions import BoolArray, Regions
from som_agent.tracking.propagators.base import Propagated
from som_agent.tracking.propagators.warp import WarpPropagator
from som_agent.video import Frame, write_image

pairs = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)


def brute_boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    """Pixels that differ from the one on the right, below, or below right of them, as far as there is one."""
    h, w = mask.shape
    return {
        (y, x)
        for y, x in itertools.product(range(h), range(w))
        for b, a in ((y, x + 1), (y + 1, x), (y + 1, x + 1))
        if mask[y, x] != mask[min(b, h - 1), min(a, w - 1)]
    }


def brute_f(mask: np.ndarray, truth: np.ndarray) -> float:
    reach = math.ceil(0.008 * math.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))
    found, true = brute_boundary(mask), brute_boundary(truth)
    if not found or not true:
        return float(found == true)

    def near(points: set[tuple[int, int]], line: set[tuple[int, int]]) -> float:
        return float(
            np.mean([any((y - b) ** 2 + (x - a) ** 2 <= reach**2 for b, a in line) for y, x in points])
        )

    precision, recall = near(found, true), near(true, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@given(pairs)
def test_j_and_f_are_what_their_definitions_say(pair: tuple[np.ndarray, np.ndarray]) -> None:
    mask, truth = pair
    union = (mask | truth).sum()
    assert region_similarity(mask, truth) == pytest.approx((mask & truth).sum() / union if union else 1)
    assert contour_accuracy(mask, truth) == pytest.approx(brute_f(mask, truth))
    assert set(zip(*np.nonzero(boundary(mask)), strict=True)) == brute_boundary(mask)


def test_f_allows_a_disk_of_a_larger_picture() -> None:
    rng = np.random.default_rng(3)
    assert bound_px((480, 854)) == 8
    for _ in range(4):
        mask, truth = np.zeros((2, 120, 260), bool)  # outlines may lie 3 px apart
        for layer in (mask, truth):
            x, y, w, h = rng.integers([10, 10, 3, 3], [200, 90, 50, 25])
            layer[y : y + h, x : x + w] = True
        truth |= np.roll(mask, int(rng.integers(2, 5)), axis=1)
        assert contour_accuracy(mask, truth) == pytest.approx(brute_f(mask, truth))


@given(pairs)
def test_both_are_symmetric_and_one_only_for_agreement(pair: tuple[np.ndarray, np.ndarray]) -> None:
    mask, truth = pair
    for measure in (region_similarity, contour_accuracy):
        assert measure(mask, truth) == pytest.approx(measure(truth, mask))
        assert 0 <= measure(mask, truth) <= 1
        assert measure(mask, mask) == 1
    assert (region_similarity(mask, truth) == 1) == bool((mask == truth).all())


def test_empty_masks() -> None:
    none, some = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    some[10:20, 10:30] = True
    for measure in (region_similarity, contour_accuracy):
        assert measure(none, none) == 1
        assert measure(none, some) == measure(some, none) == 0


SIZE = (96, 64)


class Truth:
    """A propagator that knows the answer, late by some frames, and notes what it is given."""

    name = "truth"

    def __init__(self, maps: Sequence[np.ndarray], late: int = 0) -> None:
        self.maps, self.late = maps, late
        self.puts: list[tuple[int, list[int], BoolArray]] = []
        self.index = -1

    def step(self, frame: Frame) -> Propagated:
        self.index = frame.index
        known = [k for _, ids, _ in self.puts for k in ids]
        labels = self.maps[max(frame.index - self.late, 0)]
        shown = [k for k in known if (labels == k).any()]
        masks = np.array([labels == k for k in shown]).reshape(len(shown), *labels.shape)
        return Propagated(
            Regions.from_masks(masks), np.array(shown, np.int32), np.ones(len(shown), np.float32)
        )

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        self.puts.append((self.index, list(ids), masks))

    def drop(self, ids: Sequence[int]) -> None:
        raise AssertionError(ids)


def label_maps(frames: int = 8) -> list[np.ndarray]:
    """Two boxes that move right by 4 px a frame; the second one appears in frame 3."""
    maps = []
    for t in range(frames):
        labels = np.zeros(SIZE[::-1], np.int32)
        labels[8:24, 4 + 4 * t : 24 + 4 * t] = 1
        if t >= 3:
            labels[36:56, 10 + 4 * t : 30 + 4 * t] = 5
        maps.append(labels)
    return maps


def write_davis(root: Path, name: str, maps: Sequence[np.ndarray], annotated: Sequence[int]) -> Path:
    pictures, annotations = root / "JPEGImages" / name, root / "Annotations" / name
    pictures.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for t, labels in enumerate(maps):
        write_image(pictures / f"{t:05d}.jpg", np.stack([labels * 40] * 3, axis=-1).astype(np.uint8))
        if t in annotated:
            mask = Image.fromarray(labels.astype(np.uint8)).convert("P")
            mask.putpalette([channel for v in range(256) for channel in (v, 255 - v, v // 2)])
            mask.putdata(labels.astype(np.uint8).ravel().tolist())
            mask.save(annotations / f"{t:05d}.png")
    return root


def test_the_truth_scores_one_and_each_object_is_given_when_it_appears(tmp_path: Path) -> None:
    maps = label_maps()
    root = write_davis(tmp_path, "boxes", maps, range(8))
    truth = Truth(maps)
    score = score_sequence(root, "boxes", truth, size=96)
    assert [(index, ids) for index, ids, _ in truth.puts] == [(0, [1]), (3, [5])]
    assert (truth.puts[0][2][0] == (maps[0] == 1)).all()
    assert (score.name, score.frames) == ("boxes", 8)
    assert score.seconds > 0
    # The frame in which an object is given and the last one are left out.
    assert [(k.object, len(k.jaccards), k.j, k.f) for k in score.objects] == [
        (1, 6, 1.0, 1.0),
        (5, 3, 1.0, 1.0),
    ]


def test_being_late_costs_what_it_should(tmp_path: Path) -> None:
    maps = [labels * (labels == 1) for labels in label_maps()]
    score = score_sequence(
        write_davis(tmp_path, "boxes", maps, range(8)), "boxes", Truth(maps, late=1), size=96
    )
    (one,) = score.objects
    assert one.jaccards == pytest.approx([16 / 24] * 6)  # 4 px of 20 on either side
    assert one.contours == pytest.approx([brute_f(maps[0] == 1, maps[1] == 1)] * 6)


def test_sparse_annotations_count_where_they_are(tmp_path: Path) -> None:
    maps = label_maps()
    truth = Truth(maps)
    score = score_sequence(write_davis(tmp_path, "boxes", maps, (0, 4, 6, 7)), "boxes", truth, size=96)
    assert [(index, ids) for index, ids, _ in truth.puts] == [(0, [1]), (4, [5])]
    assert [(k.object, len(k.jaccards), k.j) for k in score.objects] == [(1, 2, 1.0), (5, 1, 1.0)]
    assert score.frames == 8


def test_small_frames_and_specks(tmp_path: Path) -> None:
    maps = [labels.copy() for labels in label_maps()]
    for labels in maps:
        labels[60, 90] = 9  # one pixel, of which a quarter of the size has none
    truth = Truth([labels[::4, ::4] for labels in maps])
    score = score_sequence(write_davis(tmp_path, "boxes", maps, range(8)), "boxes", truth, size=24)
    assert truth.puts[0][1] == [1, 9]
    assert truth.puts[0][2].shape == (2, 16, 24)
    assert truth.puts[0][2].any(axis=(1, 2)).all()
    assert score.objects[0].j > 0.9  # enlarged again, and only as coarse as the given masks


def test_means_are_over_objects(tmp_path: Path) -> None:
    maps = label_maps()
    write_davis(tmp_path, "a", maps, range(8))
    write_davis(tmp_path, "b", [labels * (labels == 1) for labels in maps], range(8))
    propagators = iter([Truth(maps), Truth(maps, late=1)])
    scores = score_davis(tmp_path, ["a", "b"], lambda: next(propagators), 96)
    data = scores_json(scores)
    assert data["sequences"]["a"] | {"fps": 0} == {
        "J&F": 1.0,
        "J": 1.0,
        "F": 1.0,
        "frames": 8,
        "fps": 0,
        "objects": {"1": {"J&F": 1.0, "J": 1.0, "F": 1.0}, "5": {"J&F": 1.0, "J": 1.0, "F": 1.0}},
    }
    late = data["sequences"]["b"]
    assert data["J"] == pytest.approx((1 + 1 + late["J"]) / 3)
    assert data["J&F"] == pytest.approx((data["J"] + data["F"]) / 2)
    assert late["J&F"] == pytest.approx((late["J"] + late["F"]) / 2)
    assert (data["propagator"], data["size"]) == ("truth", 96)
    assert data["fps"] > 0
    console = Console(width=140, record=True)
    console.print(table(scores, baseline=scores))
    shown = console.export_text()
    assert f"{late['J&F']:.3f}" in shown
    assert f"{data['J&F']:.3f}" in shown


def test_nothing_measured_is_no_crash_of_the_table() -> None:
    assert scores_json(DavisScore("none", 480, ()))["J&F"] == 0.0


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    maps = label_maps()
    root = write_davis(tmp_path, "boxes", maps, range(8))

    def says() -> str:
        with pytest.raises(InputError) as caught:
            score_sequence(root, "boxes", WarpPropagator(), 96)
        return str(caught.value)

    extra = root / "Annotations" / "boxes" / "00099.png"
    Image.fromarray(maps[0].astype(np.uint8)).save(extra)
    assert "there is no picture for annotation" in says()
    extra.unlink()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(root / "Annotations" / "boxes" / "00003.png")
    assert "00003.png is 4x4 px, its picture is 96x64 px" in says()
    for t in range(8):
        Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(root / "Annotations" / "boxes" / f"{t:05d}.png")
    assert "no object has an annotated frame between its first one and the last" in says()
