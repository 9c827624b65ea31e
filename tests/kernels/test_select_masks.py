from types import SimpleNamespace

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide

from som_kernels import Resize, mask_iou, measure_logits, pack_masks, select_masks

MAP, SQUARE = 64, 256


class Answers:
    """The predictor of a `SamAutomaticMaskGenerator`, with maps and scores made before, three a point."""

    def __init__(self, logits, scores):
        self.logits, self.scores = logits.unflatten(0, (-1, 3)), scores.unflatten(0, (-1, 3))
        self.transform, self.device = ResizeLongestSide(SQUARE), torch.device("cpu")
        self.model = SimpleNamespace(
            mask_threshold=0.0, image_encoder=SimpleNamespace(img_size=SQUARE), device=self.device
        )

    def set_image(self, image):
        self.original, self.asked = image.shape[:2], 0
        self.inner = self.transform.get_preprocess_shape(*self.original, SQUARE)

    def reset_image(self):
        pass

    def predict_torch(self, points, labels, *, multimask_output, return_logits):
        part = slice(self.asked, self.asked + len(points))
        self.asked = part.stop
        large = Sam.postprocess_masks(self.model, self.logits[part], self.inner, self.original)
        return large, self.scores[part], None


def generated(logits, scores, size, min_area):
    per_side = round((len(logits) / 3) ** 0.5)
    answers = Answers(logits, scores)
    generator = SamAutomaticMaskGenerator(
        answers.model, points_per_side=per_side, points_per_batch=5, min_mask_region_area=min_area
    )
    generator.predictor = answers
    return generator.generate(np.zeros((*size, 3), np.uint8))


def candidates(seed, count=48):
    """Maps and scores of nine blobs, many alike; some shallow, many with small holes and islands."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:MAP, :MAP]
    blobs = rng.uniform((0, 0, 5), (60, 45, 16), (9, 3))
    maps = []
    for blob in blobs[rng.integers(0, 9, count)]:
        centre_x, centre_y, radius = blob + rng.uniform(-0.7, 0.7, 3)
        logits = (radius - np.hypot(x - centre_x, y - centre_y)) * rng.choice([0.7, 3, 6, 9])
        for _ in range(rng.integers(0, 4)):
            near = np.hypot(x - rng.normal(centre_x, radius), y - rng.normal(centre_y, radius)) < 1.5
            logits[near] *= -1
        maps.append(logits.astype(np.float32))
    return torch.from_numpy(np.stack(maps)), torch.from_numpy(rng.uniform(0.8, 1, count).astype(np.float32))


def way(size):
    inner = ResizeLongestSide.get_preprocess_shape(*size, SQUARE)
    return Resize.sam((MAP, MAP), (SQUARE, SQUARE), inner, size)


@pytest.mark.parametrize("min_area", [0, 25])
@pytest.mark.parametrize("size", [(60, 90), (91, 60)])
@pytest.mark.parametrize("seed", range(4))
def test_segment_anything_keeps_the_same_masks(seed, size, min_area):
    logits, scores = candidates(seed)
    theirs = generated(logits, scores, size, min_area)
    assert len(theirs) > 2
    masks = pack_masks(torch.from_numpy(np.stack([entry["segmentation"] for entry in theirs])))
    for backend in ("reference", "cpu"):
        ours = select_masks(logits, scores, resize=way(size), min_area=min_area, backend=backend)
        iou, twin = mask_iou(ours.masks, masks).max(dim=1)
        assert len(ours.masks) == len(theirs)
        assert (iou >= 0.98).all()
        assert sorted(twin.tolist()) == list(range(len(theirs)))
        for index, stability, entry in zip(
            ours.indices.tolist(), ours.stability.tolist(), (theirs[k] for k in twin), strict=True
        ):
            assert float(scores[index]) == entry["predicted_iou"]
            assert stability == pytest.approx(entry["stability_score"], abs=2e-3)


def test_specks_are_removed_at_all():
    logits, scores = candidates(0)
    plain, cleaned = (select_masks(logits, scores, resize=way((60, 90)), min_area=area) for area in (0, 25))
    assert set(cleaned.indices.tolist()) <= set(plain.indices.tolist())
    assert not torch.equal(cleaned.masks.areas, plain.masks.areas[: len(cleaned.masks)])


def test_what_comes_out_belongs_together(threads):
    logits, scores = candidates(3)
    masks, indices, stability = select_masks(logits, scores, resize=way((60, 90)))
    measures = measure_logits(logits[indices], resize=way((60, 90)))
    assert (indices.dtype, stability.dtype) == (torch.int64, torch.float32)
    assert torch.equal(masks.areas, measures.areas)
    assert torch.equal(masks.boxes, measures.boxes)
    assert torch.equal(stability, measures.stability)
    assert (scores[indices].diff() <= 0).all()


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_thresholds_and_cutoffs_are_those_given(backend):
    logits = torch.full((4, 8, 8), -9.0)
    logits[0, :4] = logits[1, :, :4] = logits[3, 4:, 4:] = 5
    logits[2, 5:, :2] = 1.5
    scores = torch.tensor([0.5, 0.7, 0.9, 0.5])

    def kept(**options):
        return select_masks(logits, scores, backend=backend, **options).indices.tolist()

    assert kept() == [2]
    assert kept(score_threshold=0.5) == [2, 1]
    assert kept(score_threshold=0.4) == [2, 1, 0, 3]
    assert kept(score_threshold=0.4, offset=1.5) == [1, 0, 3]
    assert kept(score_threshold=0.4, cutoff=2.0) == [1, 0, 3]
    assert kept(score_threshold=0.4, offset=1.5, stability_threshold=0) == [2, 1, 0, 3]
    # The inclusive ends are nearer than the pixels: 7 x 3 and 3 x 7 share 3 x 3.
    assert kept(score_threshold=0.4, box_iou_threshold=0.27) == [2, 1, 3]
    assert kept(score_threshold=0.4, box_iou_threshold=0.28) == [2, 1, 0, 3]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("min_area", [0, 5])
def test_no_candidates_and_none_good_enough(min_area, backend):
    logits, scores = candidates(0, 3)
    for part in (slice(0, 0), slice(0, 3)):
        masks, indices, stability = select_masks(
            logits[part],
            scores[part],
            score_threshold=1,
            min_area=min_area,
            resize=way((60, 90)),
            backend=backend,
        )
        assert (len(masks), masks.height, masks.width) == (0, 60, 90)
        assert (indices.tolist(), stability.tolist()) == ([], [])


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_masks_that_become_alike_give_way_to_the_untouched(backend):
    logits = torch.full((2, 20, 40), -9.0)
    logits[:, 2:18, 2:18] = 9
    logits[0, 3, 38] = 9  # an island that makes its box another
    scores = torch.tensor([0.99, 0.9])
    assert select_masks(logits, scores, backend=backend).indices.tolist() == [0, 1]
    cleaned = select_masks(logits, scores, min_area=4, backend=backend)
    assert cleaned.indices.tolist() == [1]
    assert cleaned.masks.areas.tolist() == [256]
