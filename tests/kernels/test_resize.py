import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from som_kernels import Resize
from som_kernels.measure_logits.reference import resized
from som_kernels.resize import Taps

SIDES = st.integers(1, 24)
SIZES = st.tuples(SIDES, SIDES)
STEPS = st.lists(
    SIZES.flatmap(
        lambda whole: st.tuples(st.just(whole), st.tuples(st.integers(1, whole[0]), st.integers(1, whole[1])))
    ),
    max_size=3,
)


def step_by_step(maps, *steps):
    """What torch makes of maps `[N, h, w]`."""
    for whole, (h, w) in steps:
        maps = interpolate(maps[None], whole, mode="bilinear", align_corners=False)[0, :, :h, :w]
    return maps


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(42))


@given(SIZES, STEPS)
def test_steps_are_those_of_torch(source, steps):
    resize = Resize.steps(source, *steps)
    small = noise(*source)
    assert (resize.source, resize.size) == (source, steps[-1][1] if steps else source)
    torch.testing.assert_close(
        resized(small, resize), step_by_step(small[None], *steps)[0], rtol=1e-5, atol=1e-5
    )


@given(SIZES, STEPS)
def test_taps_stay_inside_and_average(source, steps):
    resize = Resize.steps(source, *steps)
    for taps, before, after in zip((resize.rows, resize.columns), source, resize.size, strict=True):
        assert (taps.start.dtype, taps.weights.dtype) == (torch.int32, torch.float32)
        assert taps.start.shape == (after,)
        assert taps.weights.shape[0] == after
        assert (taps.start.diff() >= 0).all()
        assert taps.start.min() >= 0
        assert taps.start.max() + taps.weights.shape[1] <= before
        assert (taps.weights >= 0).all()
        torch.testing.assert_close(taps.weights.sum(1), torch.ones(after))


@pytest.mark.parametrize(
    ("picture", "inner"),
    [
        ((480, 854), (576, 1024)),
        ((1080, 1920), (576, 1024)),
        ((90, 60), (1024, 683)),
        ((1024, 1024), (1024, 1024)),
        ((3, 2000), (2, 1024)),
    ],
)
def test_the_way_of_segment_anything(picture, inner):
    small = noise(256, 256)
    resize = Resize.sam((256, 256), (1024, 1024), inner, picture)
    assert resize.size == picture
    assert resize.rows.weights.shape[1] <= 4
    assert resize.columns.weights.shape[1] <= 4
    expected = step_by_step(small[None], ((1024, 1024), inner), (picture, picture))[0]
    # Torch works positions out in float32: at 512 it is off by up to 3e-5 of the step between two values.
    torch.testing.assert_close(resized(small, resize), expected, rtol=0, atol=1e-4)


def test_no_steps_change_nothing():
    small = noise(5, 7)
    assert torch.equal(resized(small, Resize.steps((5, 7))), small)
    assert torch.equal(resized(small, Resize.steps((5, 7), ((5, 7), (3, 2)))), small[:3, :2])


def test_sizes_may_be_any_whole_numbers():
    resize = Resize.steps(torch.Size([4, 5]), ([np.int64(8), 10], torch.Size([8, 9])))
    assert (resize.source, resize.size) == ((4, 5), (8, 9))


def test_taps_of_a_matrix():
    taps = Taps.of_matrix(np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]))
    assert taps.start.tolist() == [0, 0, 1]
    assert taps.weights.tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
