"""Readings of class queries against the original codes' (parity vectors), and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_agent.regions import Regions
from som_agent.segmenters import panoptic
from som_agent.segmenters.panoptic import (
    best_class,
    class_maps,
    class_regions,
    enlarge,
    instances,
    largest_first,
    merge_panoptic,
)

torch.set_num_threads(1)

THINGS = range(80)


@pytest.fixture(scope="module")
def parity(shared_data):
    return shared_data.parent / "parity"


def vectors(folder, name):
    path = folder / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    return dict(np.load(path))


def read(case, size, last="bilinear"):
    """Class logits, mask logits, and how maps get to `size`."""
    logits, masks = (torch.from_numpy(case[key][0]) for key in ("pred_logits", "pred_masks"))
    padded = tuple(4 * side for side in masks.shape[1:])
    return logits, masks, enlarge(masks.shape[1:], padded, case["image_u8"].shape[:2], size, last=last)


def packed(case, key="inst_masks_packed"):
    h, w = case["inst_mask_hw"] if "inst_mask_hw" in case else case["panoptic_seg"].shape
    return np.unpackbits(case[key], axis=1)[:, : h * w].reshape(-1, h, w).astype(bool)


def same_instances(found, case, masks=None):
    """The same instances in any order, masks but for a few pixels on the threshold."""
    order = np.lexsort((case["inst_scores"], case["inst_classes"]))
    ours = np.lexsort((found.scores.numpy(), found.classes.numpy()))
    np.testing.assert_array_equal(found.classes.numpy()[ours], case["inst_classes"][order])
    np.testing.assert_allclose(found.scores.numpy()[ours], case["inst_scores"][order], atol=2e-6)
    off = (found.masks.numpy()[ours] != packed(case)[order]).sum(axis=(1, 2))
    assert off.max() <= 3


@pytest.mark.parametrize("name", ["tiny_r50_96x128", "tiny_r50_90x118_to_135x177"])
def test_instances_of_maskdino(parity, name):
    case = vectors(parity / "maskdino", name)
    logits, masks, resize = read(case, tuple(case["inst_mask_hw"].tolist()))
    same_instances(instances(logits.sigmoid(), masks, resize, count=12), case)


@pytest.mark.parametrize("name", ["tiny_eval_96x128", "tiny_eval_90x118_to_135x177", "tiny_focalL_96x128"])
def test_seem(parity, name):
    """Softmax with a column for nothing: instances of things, the panoptic map, the maps of classes."""
    case = vectors(parity / "seem", name)
    logits, masks, resize = read(case, case["panoptic_seg"].shape, "bicubic")
    chances = logits.softmax(dim=1)
    same_instances(instances(chances[:, :-1], masks, resize, count=12, things=THINGS), case)
    threshold, overlap = case["panoptic_thresholds_object_overlap"]
    scores, classes = chances.max(dim=1)
    kept = (classes != 133) & (scores > threshold)
    found = merge_panoptic(
        scores[kept], classes[kept], masks[kept], resize, things=THINGS, overlap=float(overlap)
    )
    listed = [[part.id, part.is_thing, part.category] for part in found.segments]
    assert listed == case["panoptic_id_isthing_cat"].tolist()
    assert (found.labels != case["panoptic_seg"]).sum() <= 3
    for key in case:
        if key.startswith("sem_seg_cls"):
            maps = class_maps(chances[:, :-1], masks, resize)[:: int(key.removeprefix("sem_seg_cls"))]
            np.testing.assert_allclose(maps, case[key].astype(np.float32), rtol=1e-3, atol=2e-3)


def test_panoptic_of_maskdino(parity):
    case = vectors(parity / "maskdino", "tiny_panoptic_96x128")
    logits, masks, resize = read(case, (96, 128))
    sigmoid = logits.sigmoid()
    sharp = (sigmoid / 0.06).softmax(dim=1)
    kept = sigmoid.amax(dim=1) > 0.25
    scores, classes = sharp.max(dim=1)
    found = merge_panoptic(scores[kept], classes[kept], masks[kept], resize, things=THINGS)
    listed = [[part.id, part.is_thing, part.category] for part in found.segments]
    assert listed == case["panoptic_segments_id_isthing_cat"].tolist()
    assert (found.labels != case["panoptic_seg"]).sum() <= 3
    maps = class_maps(sharp, masks, resize)
    np.testing.assert_allclose(maps[::5], case["sem_seg_cls5"].astype(np.float32), rtol=1e-3, atol=2e-3)
    best, share = best_class(sharp, masks, resize)
    np.testing.assert_array_equal(best, maps.argmax(dim=0))
    np.testing.assert_allclose(share, (maps.amax(dim=0) / maps.sum(dim=0)), rtol=1e-5)


def bar(*columns, width=8):
    """Logits `[4, width]`, 5 in the columns from the first to the second, -5 elsewhere."""
    logits = torch.full((4, width), -5.0)
    logits[:, slice(*columns)] = 5
    return logits


SAME = enlarge((4, 8), (4, 8), (4, 8), (4, 8))


def test_merging_by_hand():
    maps = torch.stack([bar(0, 4), bar(2, 6), bar(4, 8), bar(0, 1), bar(7, 8)])
    scores = torch.tensor([0.9, 0.5, 0.6, 0.95, 0.55])
    classes = torch.tensor([3, 3, 100, 100, 2])
    # The second loses half of itself to the first and the third; the last all of itself to the third.
    found = merge_panoptic(scores, classes, maps, SAME, things=THINGS, overlap=0.7)
    assert [(part.id, part.category, part.is_thing) for part in found.segments] == [
        (1, 3, True),
        (2, 100, False),
    ]
    assert [part.score for part in found.segments] == pytest.approx([0.9, 0.6])
    # Stuff of one class is one segment wherever it lies.
    np.testing.assert_array_equal(found.labels, [[2, 1, 1, 1, 2, 2, 2, 2]] * 4)
    strict = merge_panoptic(scores, classes, maps, SAME, things=THINGS, overlap=0.8)
    np.testing.assert_array_equal(strict.labels, [[1, 0, 0, 0, 1, 1, 1, 1]] * 4)


def test_nothing_to_merge():
    none = torch.zeros(0)
    found = merge_panoptic(none, none.long(), torch.zeros(0, 4, 8), SAME, things=THINGS)
    assert found.segments == ()
    assert found.labels.shape == (4, 8)
    assert not found.labels.any()


def test_things_are_told_apart_after_the_best_are_taken():
    scores = torch.zeros(2, 101)
    scores[0, 100], scores[0, 3], scores[1, 2] = 0.9, 0.8, 0.7
    found = instances(scores, torch.stack([bar(0, 4), bar(4, 8)]), SAME, count=2, things=THINGS)
    assert found.classes.tolist() == [3]
    assert found.queries.tolist() == [0]
    np.testing.assert_allclose(found.scores, 0.8 * torch.tensor(5.0).sigmoid(), rtol=1e-5)
    assert len(instances(scores, torch.stack([bar(0, 4), bar(4, 8)]), SAME, count=999).classes) == 202


def test_a_mask_of_nothing_scores_nothing():
    found = instances(torch.ones(1, 1), bar(0, 0)[None], SAME)
    assert found.scores.tolist() == [0]
    assert not found.masks.any()


@settings(max_examples=12)
@given(
    st.integers(1, 40),
    st.integers(2, 40),  # torch resizes maps of one column wrongly, seen in 2.14
    st.integers(1, 5),
    st.integers(0, 9),
    st.sampled_from(["bilinear", "bicubic"]),
)
def test_maps_at_the_size_of_the_frame(h, w, queries, seed, last):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(queries, 5, 7, generator=rng) * 4
    scores = torch.rand(queries, 3, generator=rng)
    resize = enlarge((5, 7), (20, 28), (17, 23), (h, w), last=last)
    whole = class_maps(scores, logits, resize)
    before = panoptic._BAND_VALUES
    panoptic._BAND_VALUES = 3 * queries * w
    try:
        parts = class_maps(scores, logits, resize)
        found = instances(scores, logits, resize)
    finally:
        panoptic._BAND_VALUES = before
    torch.testing.assert_close(whole, parts)
    large = torch.nn.functional.interpolate(logits[None], (20, 28), mode="bilinear")[..., :17, :23]
    large = torch.nn.functional.interpolate(large, (h, w), mode=last, antialias=last == "bicubic")[0]
    sure = large.abs() > 1e-4
    assert torch.equal((large > 0)[found.queries] & sure[found.queries], found.masks & sure[found.queries])
    torch.testing.assert_close(whole, torch.einsum("qc,qhw->chw", scores, large.sigmoid()))


def test_classes_and_their_parts():
    labels = np.array([[3, 3, 0, 3], [3, 3, 0, 0], [0, 0, 0, 3]])
    shares = np.where(labels == 3, 0.75, 0.5).astype(np.float32)
    regions, classes = class_regions(labels, shares)
    assert classes == [0, 3]
    assert regions.areas.tolist() == [6, 6]
    assert regions.scores.tolist() == [0.5, 0.75]
    regions, classes = class_regions(labels, shares, parts=True, least_share=1 / 12)
    assert classes == [0, 3, 3, 3, 3]  # the ground of class 0 is one part
    assert sorted(regions.areas.tolist()) == [1, 1, 4, 6, 6]
    assert regions.levels.tolist() == [0, 0, 1, 1, 1]
    regions, classes = class_regions(labels, shares, parts=True, least_share=2 / 12)
    assert classes == [0, 3, 3]
    regions, classes = class_regions(labels, shares, least_share=0.9)
    assert (len(regions), classes) == (0, [])


def test_order_of_the_contract():
    masks = np.zeros((4, 4, 6), bool)
    masks[0, 3, 4:] = masks[1, 0, :2] = masks[2, 1:3, :4] = masks[3, 3, 4:] = True
    regions = Regions.from_masks(masks, scores=np.linspace(0.1, 0.4, 4, dtype=np.float32))
    ordered, order = largest_first(regions)
    assert order.tolist() == [2, 1, 0, 3]
    np.testing.assert_array_equal([ordered.mask(i) for i in range(4)], masks[order])
    np.testing.assert_allclose(ordered.scores, [0.3, 0.2, 0.1, 0.4])
    empty, order = largest_first(Regions.from_masks(np.zeros((0, 4, 6), bool)))
    assert len(empty) == len(order) == 0
