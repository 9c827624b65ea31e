import dataclasses

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.regions import Regions
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.best_region import best_region
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.segmenters.prompts import Prompt
from som_agent.video.frame import Frame
from tests import tiny_image_models as tiny
from tests.segmenters import test_sam as sam

torch.set_num_threads(1)


PROMPTS = {
    "point": Prompt([(20, 11)]),
    "points": Prompt([(20, 11), (40.5, 20), (3, 30)], [1, 1, 0]),
    "box": Prompt(box=(8, 5, 50, 30)),
    "box and point": Prompt([(30, 20), (45, 8)], [1, 0], (8, 5, 50, 30)),
}
PROCESSORS = {
    "sam": "SamProcessor",
    "sam_hq": "SamHQProcessor",
    "sam2": "Sam2Processor",
    "sam2_video": "Sam2Processor",
    "sam3_tracker": "Sam3TrackerProcessor",
    "edgetam": "Sam2Processor",
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A segmenter of each family of transformers, loaded as a user does it."""
    made = {}

    def checkpoint(family):
        if family == "edgetam":
            pytest.importorskip("timm", reason="EdgeTAM's backbone is timm's")
        if family not in made:
            seeds = {"sam": 2, "sam_hq": 2, "sam3_tracker": 2, "edgetam": 3}  # masks that are there
            folder = tiny.save(family, tmp_path_factory.mktemp(family), seeds.get(family, 0))
            made[family] = load_segmenter(f"hf:{folder}", device="cpu")
        return made[family]

    return checkpoint


def by_transformers(segmenter, processor, frame, prompt):
    """The mask of the network's own processor and post-processing."""
    inputs = processor(
        images=frame.image,
        input_points=[[[list(point) for point in prompt.points]]] if prompt.points else None,
        input_labels=[[list(prompt.labels)]] if prompt.points else None,
        input_boxes=[[list(prompt.box)]] if prompt.box else None,
        return_tensors="pt",
    )
    sizes = [inputs.pop("original_sizes")]
    if "reshaped_input_sizes" in inputs:
        sizes.append(inputs.pop("reshaped_input_sizes"))
    with torch.inference_mode():
        output = segmenter._model(**inputs, multimask_output=len(prompt.points) == 1 and prompt.box is None)
    masks = processor.image_processor.post_process_masks(output.pred_masks.cpu(), *sizes)[0][0]
    return masks[output.iou_scores[0, 0].argmax()].numpy()


@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=pytest.mark.slow) if f in ("edgetam", "sam2_video") else f for f in PROCESSORS],
)
def test_networks_of_transformers_give_their_own_masks(checkpoints, family):
    segmenter, frame = checkpoints(family), tiny.picture()
    processor = getattr(transformers, PROCESSORS[family])(segmenter._processor)
    areas = set()
    for prompt in PROMPTS.values():
        mask = segmenter.prompted(frame, prompt)
        assert mask.shape == (36, 64)
        assert mask.dtype == bool
        expected = by_transformers(segmenter, processor, frame, prompt)
        assert (mask != expected).sum() <= 1
        areas.add(int(mask.sum()))
    assert len(areas - {0, 36 * 64}) >= 2


def test_segment_anything_gives_its_own_masks(tmp_path):
    from segment_anything import SamPredictor

    torch.save(sam.tiny_sam().state_dict(), tmp_path / "tiny.pth")
    segmenter, frame = load_segmenter(f"sam:{tmp_path}/tiny.pth", device="cpu"), sam.picture()
    predictor = SamPredictor(sam.tiny_sam())
    predictor.set_image(frame.image)
    areas = set()
    for prompt in PROMPTS.values():
        masks, scores, _ = predictor.predict(
            np.array(prompt.points) if prompt.points else None,
            np.array(prompt.labels) if prompt.points else None,
            np.array(prompt.box) if prompt.box else None,
            multimask_output=len(prompt.points) == 1 and prompt.box is None,
        )
        mask = segmenter.prompted(frame, prompt)
        np.testing.assert_array_equal(mask, masks[scores.argmax()])
        areas.add(int(mask.sum()))
    assert len(areas - {0, mask.size}) >= 2


@pytest.mark.parametrize("kind", ["hf", "sam", "hierarchy"])
def test_a_frame_is_looked_at_once(checkpoints, tmp_path, kind, monkeypatch):
    looks = []
    if kind == "hierarchy":
        segmenter, segment = HierarchySegmenter(), HierarchySegmenter.segment
        monkeypatch.setattr(
            HierarchySegmenter, "segment", lambda self, frame: looks.append(frame) or segment(self, frame)
        )
    elif kind == "sam":
        torch.save(sam.tiny_sam().state_dict(), tmp_path / "tiny.pth")
        segmenter = load_segmenter(f"sam:{tmp_path}/tiny.pth", device="cpu")
        segmenter._predictor.model.image_encoder.register_forward_hook(lambda *_: looks.append(1))
    else:
        segmenter = checkpoints("sam3_tracker")
        segmenter._model.vision_encoder.register_forward_hook(lambda *_: looks.append(1))
    one, other = sam.picture(36, 64), Frame(sam.picture(36, 64).image[::-1].copy(), 1, 0.1)
    first = [segmenter.prompted(one, prompt) for prompt in PROMPTS.values()]
    assert len(looks) == 1
    if kind != "hierarchy":
        segmenter._rules = dataclasses.replace(segmenter._rules, points_per_side=2)
        segmenter.segment(one)
        assert len(looks) == 1
    flipped = segmenter.prompted(other, PROMPTS["point"])
    assert len(looks) == 2
    again = segmenter.prompted(one, PROMPTS["point"])
    assert len(looks) == 3
    np.testing.assert_array_equal(again, first[0])
    assert (flipped != again).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs a box, or at least one point"),
        ({"points": [(1, 2)], "labels": [0]}, "needs a box, or at least one point"),
        ({"points": [(1, 2)], "labels": [1, 0]}, "the labels of a prompt must be 1 numbers"),
        ({"points": [(1, 2)], "labels": [2]}, "labels are 1 .on the thing. and 0"),
        ({"points": [(1, 2, 3)]}, "a point of a prompt must be 2 numbers"),
        ({"points": [(1, float("nan"))]}, "a point of a prompt must be 2 numbers"),
        ({"points": ["ab"]}, "a point of a prompt must be 2 numbers"),
        ({"box": (1, 2, 3)}, "a box of a prompt must be 4 numbers"),
        ({"box": (5, 2, 5, 9)}, "x0 < x1 and y0 < y1"),
    ],
)
def test_what_points_at_nothing_is_refused(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        Prompt(**arguments)
    assert "\n" not in str(caught.value)


def test_arrays_become_plain_numbers():
    prompt = Prompt(np.array([[1, 2], [3, 4]]), np.array([True, False]), np.array([0, 0, 5, 5], np.float32))
    assert prompt == Prompt([(1, 2), (3, 4)], [1, 0], (0, 0, 5, 5))
    assert hash(prompt) == hash(Prompt(((1.0, 2.0), (3.0, 4.0)), (1, 0), (0, 0, 5, 5)))
    assert prompt.on == [(1, 2)]
    assert prompt.off == [(3, 4)]
    assert Prompt([(1, 2), (3, 4)]).labels == (1, 1)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([(64, 3)]),
        Prompt([(3, -1)]),
        Prompt([(3, 3), (3, 36)], [1, 0]),
        Prompt(box=(0, 0, 65, 9)),
        Prompt(box=(-1, 0, 4, 9)),
    ],
)
def test_a_prompt_outside_the_frame_is_refused(prompt):
    with pytest.raises(InputError, match="side the 64x36 px of Frame") as caught:
        HierarchySegmenter().prompted(tiny.picture(), prompt)
    assert "\n" not in str(caught.value)
    Prompt([(63.9, 35.9)], box=(0, 0, 64, 36)).check(tiny.picture())


BOXES = {1: (10, 10, 60, 50), 2: (90, 20, 150, 90), 4: (20, 70, 70, 110)}


def iou(mask, labels, *names):
    true = np.isin(labels, names)
    return (mask & true).sum() / (mask | true).sum()


def test_the_hierarchy_is_pointed_into(make):
    labels = make.labels(BOXES, (160, 120))
    frame, segmenter = Frame(make.paint(labels), 0, 0.0), HierarchySegmenter()
    assert iou(segmenter.prompted(frame, Prompt([(30, 30)])), labels, 1) > 0.9
    assert iou(segmenter.prompted(frame, Prompt(box=(88, 21, 149, 91))), labels, 2) > 0.9
    assert iou(segmenter.prompted(frame, Prompt(box=(5, 5, 155, 115))), labels, 0, 1, 2, 4) > 0.9
    # Two things far from each other are no whole picture.
    both = segmenter.prompted(frame, Prompt([(30, 30), (120, 60), (5, 5)], [1, 1, 0]))
    assert iou(both, labels, 1, 2) > 0.9
    # A point on the thing overrules a box that fits another, and one off it the box that fits best.
    on_thing = segmenter.prompted(frame, Prompt([(40, 90)], box=(88, 21, 149, 91)))
    assert on_thing[90, 40]
    off_thing = segmenter.prompted(frame, Prompt([(5, 5)], [0], (0, 0, 100, 60)))
    assert iou(off_thing, labels, 1) > 0.9


@st.composite
def trees(draw):
    """Regions of a tree over random pieces, some proposed, and points on and off a thing."""
    h, w, n = draw(st.integers(2, 9)), draw(st.integers(2, 9)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    atoms = rng.integers(1, n + 1, (h, w)).astype(np.int32)
    rows = [np.eye(n + 1, dtype=bool)[i] for i in range(1, n + 1)]
    live = list(rows)
    while len(live) > 1:
        a, b = live.pop(rng.integers(len(live))), live.pop(rng.integers(len(live)))
        live.append(a | b)
        rows.append(a | b)
    members = np.array(rows[::-1])
    proposed = rng.random(len(members)) < 0.5
    regions = Regions.from_atoms(atoms, members, proposed=proposed)
    regions = regions.select(np.flatnonzero(regions.areas > 0))
    count = draw(st.integers(1, min(5, h * w)))
    spots = [(int(i % w), int(i // w)) for i in rng.permutation(h * w)[:count]]
    labels = [1, *(draw(st.integers(0, 1)) for _ in spots[1:])]
    box = draw(st.sampled_from([None, (0, 0, w, h), (0, 0, 1, 1)]))
    return regions, Prompt(spots, labels, box)


@given(trees())
def test_every_mask_holds_the_points_on_the_thing_and_none_off_it(case):
    regions, prompt = case
    mask = best_region(regions, prompt)
    assert mask.shape == regions.atoms.shape
    assert all(mask[int(y), int(x)] for x, y in prompt.on)
    assert not any(mask[int(y), int(x)] for x, y in prompt.off)


def test_best_of_nested_regions():
    """Four columns: the first two are a proposed pair, the third is proposed, the fourth is too small."""
    atoms = np.repeat([[1, 2, 3, 4]], 3, axis=0)
    rows = [{1, 2, 3, 4}, {1, 2}, {3, 4}, {1}, {2}, {3}, {4}]
    members = np.array([[a in row for a in range(5)] for row in rows])
    proposed = np.array([0, 1, 0, 0, 0, 1, 0], bool)
    regions = Regions.from_atoms(atoms, members, proposed=proposed)

    def columns(*arguments):
        mask = best_region(regions, Prompt(*arguments))
        assert (mask == mask[0]).all()
        return set(np.flatnonzero(mask[0]) + 1)

    assert columns([(0, 0)]) == {1, 2}
    assert columns([(0, 0), (1, 0)], [1, 0]) == {1}
    assert columns([(2, 0)]) == {3}
    assert columns([(3, 0)]) == {4}
    assert columns([(0, 0), (2, 1)]) == {1, 2, 3, 4}  # theirs are three quarters of the whole
    assert columns([(0, 0), (2, 1), (3, 1)], [1, 1, 0]) == {1, 2, 3}
    assert columns([(2, 0), (3, 2)]) == {3, 4}
    assert columns([], [], (2, 0, 4, 3)) == {3, 4}
    assert columns([(3, 2)], [0], (2, 0, 4, 3)) == {3}
