import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from som_kernels import Resize, measure_logits, pack_masks, threshold_logits
from som_kernels.measure_logits.reference import resized

VALUES = st.floats(-3, 3, width=32, allow_subnormal=False) | st.sampled_from(
    [0.0, 1.0, -1.0, 1e30, -1e30, np.inf, -np.inf]
)
CASES = st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=VALUES, fill=st.nothing()),
        st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 7, 31, 32, 33, 64, 65])),
        st.sampled_from([0.0, 1.0, -0.1]),
    )
)


def assert_same(packed, expected):
    assert packed.width == expected.width
    for name in ("words", "boxes", "areas"):
        one, other = getattr(packed, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@given(CASES)
def test_every_backend_equals_the_definition(case):
    logits, size, cutoff = torch.from_numpy(case[0]), case[1], case[2]
    resize = Resize.steps(logits.shape[1:], (size, size))
    masks = torch.zeros(len(logits), *size, dtype=torch.bool)
    for i, small in enumerate(logits):
        masks[i] = resized(small, resize) > cutoff
    for backend in ("reference", "cpu"):
        packed = threshold_logits(logits, cutoff=cutoff, resize=resize, backend=backend)
        assert_same(packed, pack_masks(masks, backend="reference"))


@pytest.mark.parametrize("cutoff", [0, 1.5, -0.1, 50, -50])
def test_cpu_equals_reference(logit_maps, cutoff):
    logits, resize = logit_maps
    packed = threshold_logits(logits, cutoff=cutoff, resize=resize)
    assert_same(packed, threshold_logits(logits, cutoff=cutoff, resize=resize, backend="reference"))
    measures = measure_logits(logits, cutoff=cutoff, resize=resize)
    assert torch.equal(packed.areas, measures.areas)
    assert torch.equal(packed.boxes, measures.boxes)


def test_maps_as_they_are():
    logits = torch.randn(3, 20, 65, generator=torch.Generator().manual_seed(42))
    for backend in ("reference", "cpu"):
        assert torch.equal(threshold_logits(logits, backend=backend).unpack(), logits > 0)
        assert torch.equal(threshold_logits(logits, cutoff=0.5, backend=backend).unpack(), logits > 0.5)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("chosen", [[], [2], [4, 0, 4], [0, 1, 2, 3, 4]])
def test_only_the_chosen_maps_become_masks(chosen, backend, threads):
    logits = torch.randn(5, 9, 12, generator=torch.Generator().manual_seed(42))
    chosen = torch.tensor(chosen, dtype=torch.int64)
    options = {"resize": Resize.steps((9, 12), ((20, 40), (20, 33))), "backend": backend}
    packed = threshold_logits(logits, chosen=chosen, **options)
    assert_same(packed, threshold_logits(logits[chosen], **options))


@pytest.mark.parametrize("infinity", [-torch.inf, torch.inf])
def test_infinite_logits(infinity, threads):
    logits = 3 * torch.randn(20, 7, 9, generator=torch.Generator().manual_seed(42))
    logits[torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) < 0.15] = infinity
    for size in ((7, 9), (20, 70), (13, 18), (3, 4)):
        resize = Resize.steps((7, 9), (size, size))
        packed = threshold_logits(logits, resize=resize)
        assert_same(packed, threshold_logits(logits, resize=resize, backend="reference"))


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([((256, 256), (144, 256)), ((181, 321), (181, 321))], (181, 321)),
        ([((256, 256), (256, 171)), ((90, 60), (90, 60))], (90, 60)),
        ([((33, 31), (33, 31))], (33, 31)),
        ([((300, 500), (257, 129))], (257, 129)),
    ],
    ids=["sam-wide", "sam-tall", "smaller", "cut"],
)
def test_torch_gives_the_same_but_for_rounding(steps, size, threads):
    coarse = 4 * torch.randn(1, 9, 8, 8, generator=torch.Generator().manual_seed(42))
    logits = interpolate(coarse, (64, 64), mode="bicubic")[0]
    large = logits
    for whole, (h, w) in steps:
        large = interpolate(large[None], whole, mode="bilinear", align_corners=False)[0, :, :h, :w]
    packed = threshold_logits(logits, cutoff=0.25, resize=Resize.steps((64, 64), *steps))
    assert (packed.height, packed.width) == size
    differing = packed.unpack() != (large > 0.25)
    assert not (differing & ((large - 0.25).abs() > 2e-5)).any()
