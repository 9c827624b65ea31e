"""The MaskDINO segmenter on tiny checkpoints shaped as the published ones, weights by the parity rule."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from som_agent.errors import InputError, SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.maskdino import MaskDinoSegmenter, _box_start, _task
from som_agent.segmenters.networks.maskdino import MaskDino, MaskDinoConfig
from som_agent.segmenters.networks.swin import SWIN_L, SwinConfig
from som_agent.segmenters.panoptic import enlarge, instances
from som_agent.segmenters.pictures import fitted, seen
from som_agent.video import read_image
from som_agent.video.frame import Frame
from tests.segmenters.networks.rule import fill_by_rule, vectors
from tests.segmenters.networks.test_maskdino import TINY

torch.set_num_threads(1)

VECTORS = replace(TINY, box_start="no")
R50 = replace(
    VECTORS, pixels=replace(VECTORS.pixels, layers=1), decoder=replace(VECTORS.decoder, layers=1), classes=80
)
SWIN = replace(
    R50,
    backbone=SwinConfig(16, (2, 2, 2, 2), (1, 2, 4, 8), 4),
    pixels=replace(R50.pixels, levels=5, inputs=("res2", "res3", "res4", "res5")),
    decoder=replace(R50.decoder, levels=5),
)
LEARNED = replace(
    R50,
    pixels=replace(R50.pixels, levels=3, finest_first=False),
    decoder=replace(R50.decoder, levels=3),
    softmax=True,
    queries=12,
    learned=True,
)


def save(path: Path, config: MaskDinoConfig, *, distinct: bool = True) -> Path:
    """As detectron2 saves: the weights are the entry `model`, beside what training needs."""
    state = dict(fill_by_rule(MaskDino(config)).state_dict())
    if distinct:  # weights by the rule bring queries so close together that one of them wins everywhere
        for name, value in state.items():
            if re.search(
                r"predictor\.decoder\.layers\.\d\.(self_attn\.out_proj|cross_attn\.output_proj)", name
            ):
                state[name] = torch.zeros_like(value)
            if name.endswith(("predictor.query_feat.weight", "predictor.mask_embed.layers.2.weight")):
                state[name] = 9 * value
            if name.endswith("predictor.class_embed.bias"):
                state[name] = value - 2.5
    torch.save({"model": state, "iteration": 9, "scheduler": {"last_epoch": 3}}, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maskdino")
    return {
        "instance": save(folder / "seven.pth", replace(R50, classes=7)),
        "vectors": save(folder / "vectors.pth", VECTORS, distinct=False),
        "panoptic": save(folder / "panoptic.pth", replace(SWIN, classes=133)),
        "semantic": save(folder / "ade.pth", replace(LEARNED, classes=150)),
    }


@pytest.fixture(scope="module")
def opened(files):
    """The segmenter of a task with its dial at a number, opened once."""
    return cache(lambda task, dial: MaskDinoSegmenter(files[task], granularity=dial, **SMALL))


@pytest.fixture(scope="module")
def photo(shared_data):
    image = read_image(shared_data / "images" / "coco" / "images" / "000000000785.jpg")
    return Frame(cv2.resize(image, (118, 90), interpolation=cv2.INTER_AREA), 0, 0.0)


SMALL = {"device": "cpu", "short_side": 90, "queries": 20, "overlap": 0.1}


def check_contract(regions, frame):
    assert regions.atoms.shape == frame.image.shape[:2]
    masks = np.array([regions.mask(i) for i in range(len(regions))]).reshape(-1, *regions.atoms.shape)
    areas = masks.sum(axis=(1, 2))
    assert (areas > 0).all()
    starts = masks.reshape(-1, regions.atoms.size).argmax(axis=1)
    assert np.array_equal(np.lexsort((starts, -areas)), np.arange(len(masks)))
    for mask, box in zip(masks, regions.boxes, strict=True):
        y, x = mask.nonzero()
        assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    assert np.isfinite(regions.scores).all()
    assert ((regions.scores >= 0) & (regions.scores <= 1)).all()
    for i, parent in enumerate(regions.parents):
        if parent >= 0:
            assert areas[parent] > areas[i]
            assert (masks[i] & masks[parent]).sum() > areas[i] / 2


@pytest.mark.parametrize("task", ["instance", "panoptic", "semantic"])
@pytest.mark.parametrize("granularity", [None, 1.0])
def test_contract(opened, photo, task, granularity):
    segmenter = opened(task, granularity)
    assert segmenter.task == task
    regions, classes = segmenter.classified(photo)
    check_contract(regions, photo)
    assert len(classes) == len(regions)
    assert set(classes) <= set(segmenter.classes)
    again = segmenter.segment(photo)
    np.testing.assert_array_equal(again.atoms, regions.atoms)
    np.testing.assert_array_equal(again.members, regions.members)
    np.testing.assert_array_equal(again.scores, regions.scores)
    if granularity == 1.0:
        assert len(regions) > 1


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_the_dial_adds_what_is_less_sure(opened, photo, task):
    counts = []
    for granularity, threshold in ((0.0, 0.95), (0.75, 0.275), (1.0, 0.05)):
        regions = opened(task, granularity).segment(photo)
        counts.append(len(regions))
        assert (regions.scores >= threshold).all()
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_the_dial_cuts_classes_into_parts(opened, photo):
    _, names = opened("semantic", 0.4).classified(photo)
    assert len(set(names)) == len(names)
    fine, parts = opened("semantic", 1.0).classified(photo)
    assert set(names) <= set(parts)
    whole = [i for i in range(len(fine)) if fine.levels[i] == 0]
    assert sum(fine.areas[whole]) == photo.image.shape[0] * photo.image.shape[1]
    for i in np.flatnonzero(fine.levels == 1):
        assert fine.parents[i] >= 0


def test_original_results_come_out(files):
    """With the authors' own tests of 12 instances, no threshold, and the picture as it is."""
    case = vectors("maskdino", "tiny_r50_96x128")
    frame = Frame(case["image_u8"], 0, 0.0)
    start = {"box_start": "mask2box", "threshold": 0.0}
    segmenter = MaskDinoSegmenter(files["vectors"], **start, device="cpu", short_side=96, queries=20)
    regions = segmenter.segment(frame)
    masks = np.unpackbits(case["inst_masks_packed"], axis=1).reshape(-1, 96, 128).astype(bool)
    ours = np.array([regions.mask(i) for i in range(len(regions))])
    shared = (masks[:, None] & ours).sum(axis=(2, 3)) / (masks[:, None] | ours).sum(axis=(2, 3))
    # Duplicates of others are not among ours, but what they are duplicates of is.
    assert shared.max(axis=1).min() > 0.8
    best = masks[case["inst_scores"].argmax()]
    assert max((mask == best).mean() for mask in ours) > 0.999


def test_a_wide_frame_is_shrunk_and_its_regions_are_not(files):
    frame = Frame(np.full((20, 200, 3), 90, np.uint8), 0, 0.0)
    segmenter = MaskDinoSegmenter(files["panoptic"], **SMALL, long_side=64, granularity=1)
    regions = segmenter.segment(frame)
    assert regions.atoms.shape == (20, 200)


def test_published_names(tmp_path):
    """What the names of the released files say, where sizes do not."""
    big = replace(R50, pixels=replace(R50.pixels, hidden=2048))
    swin = replace(SWIN, backbone=SWIN_L, classes=80)
    path = "maskdino_{}_50ep_300q_hid2048_3sd1_{}.pth"
    enhanced = path.format("r50", "instance_maskenhanced_mask46.3ap_box51.7ap")
    assert (_task(big, enhanced), _box_start(big, enhanced)) == ("instance", "mask2box")
    assert _box_start(replace(big, pixels=replace(big.pixels, hidden=1024)), enhanced) == "bitmask"
    plain = path.format("swinl", "instance_mask52.1ap_box58.3ap")
    assert _box_start(swin, plain) == "no"
    assert _box_start(swin, enhanced) == _box_start(swin, "renamed.pth") == "bitmask"
    panoptic = path.format("swinl", "panoptic_58.3pq")
    swin = replace(swin, classes=133)
    assert (_task(swin, panoptic), _box_start(swin, panoptic)) == ("panoptic", "no")
    assert (_task(swin, "a.pth"), _task(LEARNED, "a.pth"), _task(R50, "a.pth")) == (
        "panoptic",
        "semantic",
        "instance",
    )


def test_by_name(files, photo):
    segmenter = load_segmenter(f"maskdino:{files['instance']}", device="cpu")
    assert isinstance(segmenter, MaskDinoSegmenter)
    assert segmenter.name == f"maskdino:{files['instance']}"
    assert segmenter._sides == (800, 1333)
    assert segmenter.classes[0] == "class 0"


def test_classes_and_sides(files, opened):
    assert opened("panoptic", None).classes[116] == "tree-merged"
    semantic = MaskDinoSegmenter(files["semantic"], device="cpu")
    assert semantic.classes[149] == "flag"
    assert semantic._sides == (512, 2048)
    assert semantic._network.config == replace(LEARNED, classes=150)


def test_other_files(files, tmp_path):
    state = torch.load(files["instance"], weights_only=True)["model"]

    def refused(table, match):
        torch.save(table, tmp_path / "x.pth")
        with pytest.raises(SegmenterError, match=match) as caught:
            MaskDinoSegmenter(tmp_path / "x.pth", device="cpu")
        assert "\n" not in str(caught.value)

    refused({"image_encoder.pos_embed": torch.zeros(1)}, "not a MaskDINO .*looks like .* Segment Anything")
    less = {key: value for key, value in state.items() if not key.endswith("enc_output.bias")}
    refused(less, r"1 are missing, first 'sem_seg_head.predictor.enc_output.bias'")
    refused({**state, "more": torch.zeros(2)}, r"1 are not the network's, first 'more'")
    refused({**state, "backbone.res2.0.conv1.weight": torch.zeros(4, 9, 1, 1)}, "of other shapes")
    with pytest.raises(SegmenterError, match="there is no file"):
        MaskDinoSegmenter(tmp_path / "none.pth", device="cpu")
    del state["criterion.empty_weight"]
    torch.save(state, tmp_path / "cut.pth")
    assert MaskDinoSegmenter(tmp_path / "cut.pth", device="cpu").task == "instance"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"task": "instances"}, "task 'instances' is not known"),
        ({"box_start": "mask"}, "box_start 'mask' is not known"),
        ({"threshold": 1.5}, "threshold is a number from 0 to 1, got 1.5"),
        ({"granularity": 2}, "granularity"),
        ({"queries": 0}, "queries must be at least 1, got 0"),
    ],
)
def test_arguments(files, options, match):
    with pytest.raises(InputError, match=match):
        MaskDinoSegmenter(files["instance"], device="cpu", **options)


def test_size_of_what_is_seen():
    assert fitted((480, 640), 800, 1333) == (800, 1067)
    assert fitted((360, 1280), 800, 1333) == (375, 1333)
    assert fitted((1, 999), 800, 100) == (1, 100)
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    look = seen(image, (5, 7), torch.device("cpu"))
    assert (look.inner, look.padded) == ((5, 7), (32, 32))
    assert look.pixels[0, 1, 4, 6] == pytest.approx((image[4, 6, 1] - 116.28) / 57.12, rel=1e-5)
    assert not look.pixels[..., 5:, :].any()
    assert not look.pixels[..., 7:].any()
    assert seen(image[:, ::-1], (64, 33), torch.device("cpu"), kind="bicubic").padded == (64, 64)


def test_instances_keep_one_name_each(files, photo):
    """The best 100 pairs hold a query several times; of a thing there is one region."""
    segmenter = MaskDinoSegmenter(files["instance"], **SMALL, threshold=0.01)
    with torch.inference_mode():
        answers, resize = segmenter._answers(photo)
        raw = instances(answers.logits[0].sigmoid(), answers.masks[0], resize)
    assert len(raw.queries) > len(set(raw.queries.tolist()))
    assert len(segmenter.segment(photo)) <= len(set(raw.queries.tolist()))
    small = tuple(answers.masks.shape[2:])
    assert resize.source == small == enlarge(small, (96, 128), (90, 118), (90, 118)).source
