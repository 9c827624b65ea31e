import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything.utils.amg import batched_mask_to_box, calculate_stability_score
from torch.nn.functional import interpolate

from som_kernels import Resize, measure_logits, stability_score

VALUES = st.floats(-3, 3, width=32, allow_subnormal=False) | st.sampled_from(
    [0.0, 1.0, -1.0, 0.5, 2.0, 1e30, -1e30, np.inf, -np.inf]
)
SIDES = st.integers(1, 9)
CASES = st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=VALUES, fill=st.nothing()),
        st.tuples(SIDES, SIDES),
        st.sampled_from([0.0, 1.0, -1.0, 0.1]),
        st.sampled_from([0.0, 1.0, 0.5, 0.1]),
    )
)


def by_hand(small, resize):
    """Every pixel of a resized map in float32, sums in the order that `Resize` sets."""
    (rows, row_weights), (columns, column_weights) = (
        (taps.start.numpy(), taps.weights.numpy()) for taps in (resize.rows, resize.columns)
    )
    line = np.empty((len(rows), small.shape[1]), np.float32)
    large = np.empty((len(rows), len(columns)), np.float32)
    with np.errstate(all="ignore"):
        for y, x in np.ndindex(*line.shape):
            terms = [small[rows[y] + k, x] * weight for k, weight in enumerate(row_weights[y])]
            line[y, x] = np.add.accumulate(terms)[-1]
        for y, x in np.ndindex(*large.shape):
            terms = [line[y, columns[x] + k] * weight for k, weight in enumerate(column_weights[x])]
            large[y, x] = np.add.accumulate(terms)[-1]
    return large


@given(CASES)
def test_every_backend_equals_the_definition(case):
    logits, size, cutoff, offset = case
    resize = Resize.steps(logits.shape[1:], (size, size))
    areas, boxes, stability = [], [], []
    for large in (by_hand(small, resize) for small in logits):
        inner, area, outer = (
            (large > np.float32(c)).sum() for c in (cutoff + offset, cutoff, cutoff - offset)
        )
        y, x = np.nonzero(large > np.float32(cutoff))
        areas.append(area)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1] if area else [0, 0, 0, 0])
        stability.append(np.float32(inner / max(outer, 1)))
    for backend in ("reference", "cpu"):
        found = measure_logits(
            torch.from_numpy(logits), cutoff=cutoff, offset=offset, resize=resize, backend=backend
        )
        assert found.areas.tolist() == areas
        assert found.boxes.tolist() == boxes
        assert found.stability.tolist() == stability


@pytest.mark.parametrize(("cutoff", "offset"), [(0, 1), (0, 0), (1.5, 0.3), (-0.1, 0.1), (50, 1), (-50, 1)])
def test_cpu_equals_reference(logit_maps, cutoff, offset):
    logits, resize = logit_maps
    options = {"cutoff": cutoff, "offset": offset, "resize": resize}
    found = measure_logits(logits, **options)
    assert [value.dtype for value in found] == [torch.float32, torch.int32, torch.int64]
    for one, other in zip(found, measure_logits(logits, **options, backend="reference"), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    assert torch.equal(stability_score(logits, **options), found.stability)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("chosen", [[], [2], [4, 0, 4], [0, 1, 2, 3, 4]])
def test_only_the_chosen_maps_are_measured(chosen, backend, threads):
    logits = torch.randn(5, 9, 12, generator=torch.Generator().manual_seed(42))
    chosen = torch.tensor(chosen, dtype=torch.int64)
    options = {"resize": Resize.steps((9, 12), ((20, 40), (20, 33))), "backend": backend}
    found, expected = (
        measure_logits(logits, chosen=chosen, **options),
        measure_logits(logits[chosen], **options),
    )
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert torch.equal(stability_score(logits, chosen=chosen, **options), found.stability)


@pytest.mark.parametrize("infinity", [-torch.inf, torch.inf])
def test_infinite_logits(infinity, threads):
    logits = 3 * torch.randn(20, 7, 9, generator=torch.Generator().manual_seed(42))
    logits[torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) < 0.15] = infinity
    for size in ((7, 9), (20, 70), (13, 18), (3, 4)):
        resize = Resize.steps((7, 9), (size, size))
        found, expected = (
            measure_logits(logits, resize=resize, backend=backend) for backend in ("cpu", "reference")
        )
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_a_logit_on_a_cutoff_is_not_above_it(backend):
    logits = torch.tensor([[[1.0, 0.0, -1.0], [2.0, 0.5, -0.5]]])
    measures = measure_logits(logits, backend=backend)
    assert measures.areas.tolist() == [3]
    assert measures.boxes.tolist() == [[0, 0, 2, 2]]
    assert measures.stability.tolist() == [np.float32(1 / 5)]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("value", [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
def test_constant_maps(value, backend):
    resize = Resize.sam((4, 4), (16, 16), (16, 12), (37, 29))
    measures = measure_logits(torch.full((1, 4, 4), value), resize=resize, backend=backend)
    all_or_nothing = 37 * 29 * (value > 0)
    assert measures.areas.tolist() == [all_or_nothing]
    assert measures.boxes.tolist() == [[0, 0, 29, 37] if all_or_nothing else [0, 0, 0, 0]]
    if abs(value) != 1:  # rounded averages of 1 may be above 1
        assert measures.stability.tolist() == [1 if value > 1 else 0]


def test_cutoffs_are_compared_in_single_precision():
    logits = torch.full((1, 2, 2), 0.1)
    assert float(logits[0, 0, 0]) > 0.1
    for backend in ("reference", "cpu"):
        assert measure_logits(logits, cutoff=0.1, backend=backend).areas.tolist() == [0]


@pytest.mark.parametrize("seed", range(4))
def test_segment_anything_measures_the_same_but_for_rounding(seed, threads):
    generator = torch.Generator().manual_seed(seed)
    coarse = 4 * torch.randn(1, 12, 6, 6, generator=generator)
    logits = interpolate(coarse, (64, 64), mode="bicubic")[0]
    inner, size = ((256, 171), (90, 60)) if seed % 2 else ((144, 256), (181, 321))
    large = interpolate(logits[None], (256, 256), mode="bilinear", align_corners=False)
    large = large[..., : inner[0], : inner[1]]
    large = interpolate(large, size, mode="bilinear", align_corners=False)[0]
    found = measure_logits(logits, resize=Resize.sam((64, 64), (256, 256), inner, size))
    boxes = batched_mask_to_box(large > 0) + torch.tensor([0, 0, 1, 1])
    scores = calculate_stability_score(large, 0.0, 1.0)
    near = [((large - cutoff).abs() < 2e-5).sum(dim=(1, 2)) for cutoff in (1, 0, -1)]
    assert ((found.areas - (large > 0).sum(dim=(1, 2))).abs() <= near[1]).all()
    clear = near[1] == 0
    assert clear.sum() > 4
    assert torch.equal(found.boxes[clear].long(), boxes[clear])
    clear = near[0] + near[2] == 0
    assert clear.sum() > 4
    torch.testing.assert_close(found.stability[clear], scores[clear])
