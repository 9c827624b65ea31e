from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from som_agent.errors import InputError, SegmenterError
from som_agent.regions import Regions
from som_agent.segmenters import load_prompted, load_segmenter
from som_agent.segmenters.everything import regions_of_everything
from som_agent.segmenters.networks.semantic_sam import LEVEL_TOKENS, SEMANTIC_SAM_T, SemanticSam
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.rules import Everything, grid_points
from som_agent.segmenters.semantic_sam import SemanticSamSegmenter
from som_agent.video.frame import Frame
from tests.segmenters.networks.rule import fill_by_rule, vectors
from tests.segmenters.networks.test_semantic_sam import TINY

torch.set_num_threads(1)


def records(regions: Regions):
    """Every region as bytes, its score rounded."""
    return sorted(
        (np.packbits(regions.mask(i)).tobytes(), round(float(regions.scores[i]), 5))
        for i in range(len(regions))
    )


def expected_records(arrays, run):
    """Those of the original generator, boxes checked to be those of its masks."""
    masks, (h, w) = arrays[f"{run}.masks_packed"], arrays[f"{run}.mask_hw"]
    assert len(masks) == arrays[f"{run}.n"]
    return sorted(
        (mask[: (h * w + 7) // 8].tobytes(), round(float(np.clip(iou, 0, 1)), 5))
        for mask, iou in zip(masks, arrays[f"{run}.predicted_iou"], strict=True)
    )


def stand_in(levels, h=96, w=128, side=6, batch=10):
    """Batches of the network that the vectors of the filtering were made with; see their README."""
    y, x = np.mgrid[:h, :w]
    radii = (0.05, 0.09, 0.14, 0.2, 0.28, 0.4)
    for points in torch.split(grid_points(side, (1, 1)).float(), batch):
        logits, ious, numbers = [], [], []
        for px, py in points.double().tolist():
            d = np.hypot((x + 0.5) / w - px, (y + 0.5) / h - py)
            for level in levels:
                t = LEVEL_TOKENS[level - 1]
                logit = 400 * (radii[t] - d)
                if t % 2 == 0:
                    logit = np.where(d < 0.016, -5, logit)
                else:
                    speck = (x == w - 1 - int(px * w)) & (np.abs(y - (h - 1 - int(py * h))) <= 1)
                    logit = np.where(speck & (logit < 0), 5, logit)
                logits.append(torch.from_numpy(logit.astype(np.float32)))
                ious.append(np.float32(0.7 + 0.3 * ((7.13 * px + 3.37 * py + 0.61 * t) % 1)))
                numbers.append(level - 1)
        yield torch.stack(logits), torch.tensor(np.array(ious)), torch.tensor(numbers)


@pytest.mark.parametrize(
    ("run", "levels", "min_area"),
    [("fake_all", (1, 2, 3, 4, 5, 6), 10), ("fake_l23", (2, 3), 10), ("fake_nosmall", (1, 2, 3, 4, 5, 6), 0)],
)
def test_filtering_keeps_the_masks_of_the_original_generator(run, levels, min_area):
    arrays = vectors("semantic_sam", "automatic")
    steps = [((96, 128), (96, 128))]
    regions = regions_of_everything(
        stand_in(levels), steps, Everything(stability_score_thresh=0.92, min_mask_region_area=min_area)
    )
    assert records(regions) == expected_records(arrays, run)
    assert set(regions.levels.tolist()) <= {level - 1 for level in levels}
    boxes = regions.boxes.astype(np.float32)
    got = sorted([x0, y0, x1 - x0 - 1, y1 - y0 - 1] for x0, y0, x1, y1 in boxes.tolist())
    assert got == sorted(arrays[f"{run}.bbox_xywh"].tolist())


def save(net, path):
    """As the authors' program saves it."""
    state = {f"model.{key}": value for key, value in net.state_dict().items()}
    torch.save({"model": state, "iteration": 7}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    net = fill_by_rule(SemanticSam(TINY))
    with torch.no_grad():  # hard edges, as trained masks have
        for value in net.sem_seg_head.predictor.mask_embed.layers[-1].parameters():
            value.mul_(50)
    return save(net, tmp_path_factory.mktemp("semantic_sam") / "tiny.pth")


KEEP = {  # random masks have similar boxes
    "pred_iou_thresh": -10,
    "stability_score_thresh": 0.8,
    "box_nms_thresh": 1,
    "min_mask_region_area": 4,
}


@pytest.fixture(scope="module")
def small(checkpoint):
    return SemanticSamSegmenter(
        checkpoint, device="cpu", points_per_side=3, points_per_batch=5, short_side_px=96, **KEEP
    )


@pytest.fixture
def photo(shared_data):
    path = sorted((shared_data / "images").rglob("*.[jp][pn]g"))[0]
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    return Frame(cv2.resize(image, (150, 110), interpolation=cv2.INTER_AREA), 0, 0.0)


def assert_contract(regions, frame):
    assert regions.atoms.shape == frame.image.shape[:2]
    assert regions.areas.min(initial=1) > 0
    assert (np.diff(regions.areas) <= 0).all()
    assert ((regions.scores >= 0) & (regions.scores <= 1)).all()
    child = np.flatnonzero(regions.parents >= 0)
    parent = regions.parents[child]
    assert (regions.areas[parent] > regions.areas[child]).all()
    for c, p in zip(child, parent, strict=True):
        assert (regions.mask(p) & regions.mask(c)).sum() >= 0.9 * regions.areas[c] - 1e-6


def test_a_checkpoint_cuts_a_photo(checkpoint, small, photo):
    assert load_segmenter(f"semantic-sam:{checkpoint}", device="cpu").name == f"semantic-sam:{checkpoint}"
    regions = small.segment(photo)
    assert len(regions) >= 3
    assert_contract(regions, photo)
    again = small.segment(replace(photo, image=photo.image.copy()))
    np.testing.assert_array_equal(again.atoms, regions.atoms)
    np.testing.assert_array_equal(again.members, regions.members)
    np.testing.assert_array_equal(again.levels, regions.levels)


def test_levels_and_the_dial_say_which_masks_there_are(checkpoint, photo):
    def cut(**means):
        return SemanticSamSegmenter(
            checkpoint, device="cpu", points_per_side=2, short_side_px=96, **KEEP, **means
        )

    every = cut()
    assert every.levels == (1, 2, 3, 4, 5, 6)
    assert set(cut(levels=[2, 5]).segment(photo).levels.tolist()) <= {1, 4}
    coarsest = cut(granularity=0.0).segment(photo)
    assert set(coarsest.levels.tolist()) == {0}
    assert records(coarsest) == records(cut(levels=[1]).segment(photo))
    # The masks of a level are the same whichever others are asked for; which of them are kept is not.
    logits, _ = next(
        (logits, scores) for logits, scores, _ in cut(levels=[4])._everything(every._look(photo))
    )
    whole, _ = next((logits, scores) for logits, scores, _ in every._everything(every._look(photo)))
    torch.testing.assert_close(logits, whole[3::6], rtol=0, atol=1e-5)


def test_unsure_network_gives_no_regions(checkpoint, photo):
    segmenter = SemanticSamSegmenter(
        checkpoint, device="cpu", points_per_side=1, short_side_px=64, pred_iou_thresh=100
    )
    regions = segmenter.segment(photo)
    assert len(regions) == 0
    assert regions.atoms.shape == photo.image.shape[:2]


@pytest.mark.parametrize(
    "how", [{"precision": "bfloat16"}, pytest.param({"compile": "eager"}, marks=pytest.mark.slow)]
)
def test_other_ways_to_run_change_little(checkpoint, small, photo, how):
    other = SemanticSamSegmenter(checkpoint, device="cpu", short_side_px=96, **how)
    points = torch.tensor([[0.3, 0.4], [0.6, 0.7]])
    ours, _ = small._ask(small._look(photo), points)
    theirs, _ = other._ask(other._look(photo), points)
    assert theirs.dtype == torch.float32
    assert ((ours > 0) == (theirs > 0)).float().mean() > 0.97


@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 64), (64, 3), (33, 65)])
def test_odd_sizes(checkpoint, h, w):
    image = np.random.default_rng(0).integers(0, 256, (h, w, 3)).astype(np.uint8)
    segmenter = SemanticSamSegmenter(checkpoint, device="cpu", points_per_side=1, short_side_px=32, **KEEP)
    assert_contract(segmenter.segment(Frame(image, 0, 0.0)), Frame(image, 0, 0.0))


def test_pointing_takes_the_mask_that_has_the_points_on_the_right_side(small, photo):
    regions = small.segment(photo)
    assert load_prompted(small) is small
    one = small.prompted(photo, Prompt([(70, 50)]))
    assert one.shape == photo.image.shape[:2]
    assert one.dtype == bool
    np.testing.assert_array_equal(one, small.prompted(photo, Prompt([(70, 50)])))
    # Of one click all six masks are looked at: if any of them holds the point, so does the answer.
    looked = small._look(photo)
    logits, scores = small._ask(looked, torch.tensor([[70 / 150, 50 / 110]]))
    from som_kernels import Resize, threshold_logits

    masks = (
        threshold_logits(logits[0], resize=Resize.steps(logits.shape[-2:], *looked.steps)).unpack().numpy()
    )
    holding = masks[:, 50, 70]
    order = np.lexsort((-scores[0].numpy(), ~holding))
    np.testing.assert_array_equal(one, masks[order[0]])
    off = small.prompted(photo, Prompt([(70, 50), (10, 10), (140, 100)], [1, 0, 0]))
    wrong = int(not off[50, 70]) + int(off[10, 10]) + int(off[100, 140])
    least = min(int(not m[50, 70]) + int(m[10, 10]) + int(m[100, 140]) for m in masks)
    assert wrong == least
    x0, y0, x1, y1 = regions.boxes[len(regions) // 2].tolist()
    boxed = small.prompted(photo, Prompt(box=(x0, y0, x1, y1)))
    assert boxed.shape == photo.image.shape[:2]
    with pytest.raises(InputError, match="outside"):
        small.prompted(photo, Prompt([(150, 50)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": [0]}, "levels are some of 1 to 6"),
        ({"levels": [7]}, "levels are some of 1 to 6"),
        ({"levels": []}, "levels are some of 1 to 6"),
        ({"levels": [1], "granularity": 0.5}, "granularity takes their place"),
        ({"granularity": 1.5}, "granularity is a number from 0"),
        ({"points_per_side": 0}, "points_per_side must be a whole number from 1, got 0"),
        ({"crop_layers": 1}, "it has no crops, got crop_layers 1"),
        ({"precision": "int8"}, "precision is one of"),
        ({"short_side_px": 0}, "short_side_px must be at least 1, got 0"),
    ],
)
def test_options_out_of_their_range_are_named(checkpoint, options, message):
    with pytest.raises(InputError, match=message):
        SemanticSamSegmenter(checkpoint, device="cpu", **options)


def test_files_of_other_networks_are_one_clear_line(tmp_path, checkpoint):
    torch.save({"image_encoder.pos_embed": torch.zeros(1)}, tmp_path / "sam.pth")
    state = torch.load(checkpoint, weights_only=True)["model"]
    lacking = dict(state)
    del lacking["model.sem_seg_head.predictor.mask_embed.layers.1.bias"]
    torch.save(lacking, tmp_path / "lacking.pth")
    (tmp_path / "cut.pth").write_bytes(checkpoint.read_bytes()[:5000])
    for name, why in {
        "sam.pth": "not a Semantic-SAM checkpoint.*looks like one of Segment Anything",
        "lacking.pth": "1 are missing, first 'sem_seg_head.predictor.mask_embed.layers.1.bias'",
        "cut.pth": "truncated or no PyTorch file",
        "none.pth": "there is no file",
    }.items():
        with pytest.raises(SegmenterError, match=why) as caught:
            load_segmenter(f"semantic-sam:{tmp_path / name}", device="cpu")
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_official_network_keeps_the_masks_of_the_original_generator(tmp_path):
    arrays = vectors("semantic_sam", "automatic")
    path = save(fill_by_rule(SemanticSam(SEMANTIC_SAM_T)), tmp_path / "swint.pth")
    segmenter = SemanticSamSegmenter(
        path,
        device="cpu",
        points_per_side=4,
        points_per_batch=6,
        short_side_px=None,
        pred_iou_thresh=-10,
        stability_score_thresh=0,
        box_nms_thresh=1,
    )
    image = vectors("semantic_sam", "swint_256x256")["image_u8"]
    regions = segmenter.segment(Frame(image, 0, 0.0))
    expected = np.unpackbits(arrays["swint_grid4_nofilter.masks_packed"], axis=1).astype(bool)
    assert len(regions) == len(expected) == 96
    got = np.array([regions.mask(i).ravel() for i in range(96)])
    differing = (got[:, None] ^ expected[None]).sum(axis=-1)
    best = differing.argmin(axis=1)
    # Pixels on the threshold may fall on the other side; every record is met, and none twice.
    assert differing[np.arange(96), best].max() <= 5
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(differing)
    assert differing[rows, columns].max() <= 5
    ious = arrays["swint_grid4_nofilter.predicted_iou"][columns].clip(0, 1)
    np.testing.assert_allclose(regions.scores[rows], ious, atol=1e-4)
