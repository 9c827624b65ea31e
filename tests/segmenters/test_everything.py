"""Everything mode beside the generators that it stands for, on real photos."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import linear_sum_assignment
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.utils.amg import generate_crop_boxes

from som_agent.errors import InputError
from som_agent.segmenters.crops import crop_boxes
from som_agent.segmenters.everything import regions_of_everything
from som_agent.segmenters.hf import HfSegmenter
from som_agent.segmenters.rules import Everything
from som_agent.segmenters.sam import SamSegmenter
from som_agent.video.frame import Frame
from som_kernels import mask_iou
from tests.segmenters.lively_sam import lively_sam, lively_transformers_sam

torch.set_num_threads(1)

PHOTOS = (
    Path(os.environ.get("SOM_AGENT_DATA", Path(__file__).parents[3] / "shared" / "data"))
    / "images/coco/images"
)

pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the shared photos")


def photo(name, width=None):
    image = cv2.imread(str(name))[:, :, ::-1]
    if width is not None:
        image = cv2.resize(
            image, (width, round(image.shape[0] * width / image.shape[1])), interpolation=cv2.INTER_AREA
        )
    return np.ascontiguousarray(image)


def photos(count, width=None):
    return [photo(name, width) for name in sorted(PHOTOS.glob("*.jpg"))[:count]]


def least_iou(regions, truth):
    """The IoU of the worst pair, each mask with its twin; the masks must be as many."""
    assert len(regions) == len(truth)
    truth = torch.from_numpy(np.stack(truth))
    ours = torch.from_numpy(np.stack([regions.mask(i) for i in range(len(regions))]))
    iou = mask_iou(ours, truth).numpy()
    # Masks of a line of pixels can be there twice: their boxes have no area, so that nothing suppresses them.
    return float(iou[linear_sum_assignment(-iou)].min())


def rules(answers, share):
    """Thresholds that this share of the masks reach, of the network's own scores and of their stability."""
    scores, stability = (
        np.array([entry[name] for entry in answers]) for name in ("predicted_iou", "stability_score")
    )
    return {
        "pred_iou_thresh": float(np.quantile(scores, 1 - share)),
        "stability_score_thresh": float(np.nanquantile(stability, 1 - share)),
    }


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    """A network, its checkpoint, and thresholds that suit it."""
    image = photos(1, 120)[0]
    model = lively_sam(image)
    path = tmp_path_factory.mktemp("sam") / "lively.pth"
    torch.save(model.state_dict(), path)
    everything = SamAutomaticMaskGenerator(
        model, points_per_side=8, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1
    )
    return model, path, rules(everything.generate(image), 0.75)


def both(lively, image, **options):
    """Our regions and the original's records."""
    model, path, thresholds = lively
    theirs = {name.replace("crop_layers", "crop_n_layers"): value for name, value in options.items()}
    truth = SamAutomaticMaskGenerator(model, **thresholds, **theirs).generate(image)
    if options.get("points_per_side", 0) is None:
        del options["points_per_side"]
    segmenter = SamSegmenter(path, device="cpu", **thresholds, **options)
    return segmenter.segment(Frame(image, 0, 0.0)), truth


CASES = {
    "defaults": {},
    "small batches": {"points_per_side": 5, "points_per_batch": 7},
    "stricter boxes": {"points_per_side": 6, "box_nms_thresh": 0.3, "stability_score_offset": 2.0},
    "specks": {"min_mask_region_area": 25, "box_nms_thresh": 0.5},
    "a grid of one's own": {
        "points_per_side": None,
        "point_grids": [np.array([[0.5, 0.5], [0.1, 0.7], [0.8, 0.2]])],
    },
    "crops": {"points_per_side": 6, "crop_layers": 1, "crop_n_points_downscale_factor": 2},
    "crops and specks": {
        "crop_layers": 1,
        "points_per_side": 4,
        "crop_overlap_ratio": 0.5,
        "crop_nms_thresh": 0.4,
        "min_mask_region_area": 9,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_masks_as_segment_anything(lively, case):
    image = photos(2, 120)[1]
    regions, truth = both(lively, image, **{"points_per_side": 8, **CASES[case]})
    assert len(truth) >= 3
    assert least_iou(regions, [entry["segmentation"] for entry in truth]) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"points_per_side": 16}, {"points_per_side": 8, "crop_layers": 1}], ids=str
)
def test_the_same_masks_on_ten_photos(tmp_path, options):
    pictures = photos(10, 480)
    model = lively_sam(pictures[0])
    torch.save(model.state_dict(), tmp_path / "lively.pth")
    everything = SamAutomaticMaskGenerator(
        model, points_per_side=8, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1
    )
    lively = model, tmp_path / "lively.pth", rules(everything.generate(pictures[0]), 0.75)
    counts = []
    for image in pictures:
        regions, truth = both(lively, image, **options)
        counts.append(len(truth))
        assert least_iou(regions, [entry["segmentation"] for entry in truth]) >= 0.98
    assert 20 <= np.median(counts) <= 200


@pytest.fixture(scope="module")
def lively_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hf")
    lively_transformers_sam(photos(1, 120)[0], folder)
    return folder


def assert_like_the_pipeline(folder, pictures, **options):
    """Of a network that sees a padded picture the pipeline's points are right, so its masks are, too."""
    # The pipeline drops what is exactly as stable as the threshold; no mask of few pixels is so by chance.
    thresholds = {"pred_iou_thresh": 0.6, "stability_score_thresh": 0.25001}
    pipeline = transformers.pipeline("mask-generation", model=str(folder), device="cpu")
    segmenter = HfSegmenter(str(folder), device="cpu", **options, **thresholds)
    counts = []
    for image in pictures:
        theirs = pipeline(Image.fromarray(image), points_per_crop=options["points_per_side"], **thresholds)
        masks = [np.asarray(mask).astype(bool) for mask in theirs["masks"]]
        counts.append(len(masks))
        assert least_iou(segmenter.segment(Frame(image, 0, 0.0)), masks) >= 0.98
    return counts


def test_the_same_masks_as_transformers(lively_folder):
    assert min(assert_like_the_pipeline(lively_folder, photos(2, 120), points_per_side=8)) >= 5


@pytest.mark.slow
def test_the_same_masks_as_transformers_on_ten_photos(lively_folder):
    counts = assert_like_the_pipeline(lively_folder, photos(10, 320), points_per_side=20)
    assert 15 <= min(counts) <= max(counts) <= 200


@given(
    h=st.integers(8, 2000),
    w=st.integers(8, 2000),
    layers=st.integers(0, 2),
    ratio=st.floats(0, 0.9, allow_subnormal=False),
)
def test_crops_are_those_of_segment_anything(h, w, layers, ratio):
    boxes, numbers = generate_crop_boxes((h, w), layers, ratio)
    theirs = list(zip(numbers, map(tuple, boxes), strict=True))[1:]
    whole = [(layer, box) for layer, box in theirs if box[0] < box[2] and box[1] < box[3]]
    assert crop_boxes((h, w), layers, ratio) == whole


def test_crops_of_pictures_of_a_few_pixels(lively):
    segmenter = SamSegmenter(lively[1], device="cpu", points_per_side=1, crop_layers=2)
    for size in [(1, 1), (2, 9)]:
        image = np.zeros((*size, 3), np.uint8)
        assert segmenter.segment(Frame(image, 0, 0.0)).atoms.shape == size


def test_by_masks_a_ring_and_its_disc_both_stay():
    y, x = np.mgrid[:60, :80]
    far = np.hypot(x - 40, y - 30)
    disc, ring, twin = 20 - far, 4 - abs(far - 16), 20.5 - far
    logits = torch.from_numpy(np.stack([disc, ring, twin])).float() * 99
    scores = torch.tensor([0.95, 0.9, 0.92])
    steps = (((60, 80), (60, 80)),)

    def scores_kept(**options):
        halves = [(logits[:2], scores[:2]), (logits[2:], scores[2:])]
        return sorted(regions_of_everything(halves, steps, Everything(**options)).scores.round(2).tolist())

    assert scores_kept() == pytest.approx([0.95])
    assert scores_kept(suppress_by="masks") == pytest.approx([0.9, 0.95])
    assert scores_kept(suppress_by="masks", box_nms_thresh=1.0) == pytest.approx([0.9, 0.92, 0.95])


def test_holes_and_islands_go_and_what_becomes_a_duplicate_with_them():
    y, x = np.mgrid[:40, :60]
    disc = np.hypot(x - 20, y - 20) < 12
    specked = disc & ~((abs(x - 20) < 2) & (abs(y - 20) < 2)) | (x == 55) & (y == 3)
    logits = torch.from_numpy(np.where(np.stack([specked, disc]), 9.0, -9.0)).float()
    steps = (((40, 60), (40, 60)),)
    plain, cleaned = (
        regions_of_everything(
            [(logits, torch.tensor([0.95, 0.9]))], steps, Everything(min_mask_region_area=area)
        )
        for area in (0, 10)
    )
    assert plain.areas.tolist() == [disc.sum(), specked.sum()]
    assert cleaned.areas.tolist() == [disc.sum()]
    assert cleaned.scores[0] == np.float32(0.9)  # the one that was left as it was


@pytest.mark.parametrize(
    "precision",
    [pytest.param("float16", marks=pytest.mark.slow), "bfloat16"],  # the CPU is slow at float16
)
def test_half_precision_changes_little(lively, precision):
    _, path, thresholds = lively
    frame = Frame(photos(1, 120)[0], 0, 0.0)
    options = {"points_per_side": 4, "device": "cpu", **thresholds}
    full = SamSegmenter(path, **options).segment(frame)
    half = SamSegmenter(path, precision=precision, **options).segment(frame)
    alike = mask_iou(full.packed(), half.packed()).amax(dim=1)
    assert (alike > 0.8).float().mean() > 0.7
    assert not np.array_equal(full.scores, half.scores)  # it was not in full precision


@pytest.mark.slow
def test_a_compiled_encoder_gives_the_same_masks(lively):
    _, path, thresholds = lively
    frame = Frame(photos(1, 120)[0], 0, 0.0)
    options = {"points_per_side": 4, "device": "cpu", **thresholds}
    plain = SamSegmenter(path, **options)
    compiled = SamSegmenter(path, compile="eager", **options)
    torch._dynamo.utils.counters.clear()
    one, two = plain.segment(frame), compiled.segment(frame)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1
    np.testing.assert_array_equal(one.atoms, two.atoms)
    assert compiled._predictor.model.state_dict().keys() == plain._predictor.model.state_dict().keys()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"points_per_side": 0}, "points_per_side must be a whole number from 1, got 0"),
        ({"points_per_batch": 1.5}, "points_per_batch"),
        ({"box_nms_thresh": 1.2}, "box_nms_thresh must be a number from 0 to 1, got 1.2"),
        ({"pred_iou_thresh": float("nan")}, "pred_iou_thresh"),
        ({"suppress_by": "colour"}, "suppress_by must be boxes or masks, got 'colour'"),
        ({"points_per_side": 3, "crop_layers": 2, "crop_n_points_downscale_factor": 2}, "4 or more"),
        ({"point_grids": [[[0.5, 0.5]]], "crop_layers": 1}, "for each layer"),
        ({"point_grids": [[[0.5, 1.5]]]}, "from 0 to 1"),
        ({"precision": "float8"}, "precision is one of float32, float16, bfloat16, got 'float8'"),
        ({"compile": "gcc"}, "compile is True, False or one of"),
    ],
)
def test_options_out_of_their_range_are_one_clear_line(lively, options, said):
    with pytest.raises(InputError, match=said) as caught:
        SamSegmenter(lively[1], device="cpu", **options)
    assert "\n" not in str(caught.value)
