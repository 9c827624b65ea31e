import torch

from som_kernels import pack_masks, select_masks
from som_kernels.candidates import shortlist, unlike_boxes, without_specks


def test_a_shortlist_of_batches_is_that_of_all():
    generator = torch.Generator().manual_seed(3)
    logits = 6 * torch.randn(12, 8, 8, generator=generator)
    scores = torch.rand(12, generator=generator)
    options = {"score_threshold": 0.3, "stability_threshold": 0.6}
    whole = shortlist(logits, scores, **options)
    halves = [shortlist(logits[part], scores[part], **options) for part in (slice(0, 5), slice(5, 12))]
    assert 2 < len(whole.indices) < 12
    assert torch.equal(whole.indices, torch.cat([halves[0].indices, halves[1].indices + 5]))
    for k in (1, 2):
        assert torch.equal(whole[k], torch.cat([half[k] for half in halves]))
    assert torch.equal(
        select_masks(logits, scores, box_iou_threshold=1, **options).indices.sort().values, whole.indices
    )


def test_boxes_end_on_their_last_pixel_so_that_thin_ones_never_overlap():
    boxes = torch.tensor([[0, 0, 5, 5], [0, 0, 5, 5], [9, 0, 10, 5], [9, 0, 10, 5]], dtype=torch.int32)
    scores = torch.tensor([0.5, 0.9, 0.7, 0.6])
    assert unlike_boxes(boxes, scores, 0.7).tolist() == [1, 2, 3]


def test_of_equal_scores_the_earlier_box_stays():
    boxes = torch.tensor([[0, 0, 9, 9]] * 20, dtype=torch.int32)
    assert unlike_boxes(boxes, torch.ones(20), 0.7).tolist() == [0]


def test_specks_go_and_it_is_said_of_which_masks():
    masks = torch.zeros(3, 12, 40, dtype=torch.bool)
    masks[:, 2:10, 2:10] = True
    masks[1, 5, 5] = False  # a hole
    masks[2, 0, 39] = True  # an island
    cleaned, untouched = without_specks(pack_masks(masks), 4)
    assert untouched.tolist() == [True, False, False]
    assert torch.equal(cleaned.unpack(), masks[:1].expand(3, -1, -1))
