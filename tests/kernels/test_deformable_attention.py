import dataclasses
import os

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from som_kernels import deformable_attention

BACKENDS = ["reference", "cpu"]
NAN, INF = float("nan"), float("inf")


def attention(b=1, q=3, heads=2, dim=4, points=2, levels=((3, 4), (2, 1)), *, seed=42):
    """Arguments with points on all sides of the levels' borders."""
    generator = torch.Generator().manual_seed(seed)
    cells = sum(h * w for h, w in levels)
    values = torch.randn(b, cells, heads, dim, generator=generator)
    locations = 1.4 * torch.rand(b, q, heads, len(levels), points, 2, generator=generator) - 0.2
    weights = torch.randn(b, q, heads, len(levels), points, generator=generator)
    return values, levels, locations, weights


def by_hand(values, levels, locations, weights):
    """Each point of each query in double precision: a cell counts by how near its centre is."""
    b, _, heads, dim = values.shape
    q = weights.shape[1]
    out = np.zeros((b, q, heads, dim))
    for batch, query, head, level, point in np.ndindex(*weights.shape):
        h, w = levels[level]
        start = sum(rows * columns for rows, columns in levels[:level])
        x, y = (float(part) for part in locations[batch, query, head, level, point])
        for row, column in np.ndindex(h, w):
            away_x, away_y = abs(x * w - 0.5 - column), abs(y * h - 0.5 - row)
            if away_x < 1 and away_y < 1:
                share = (1 - away_x) * (1 - away_y) * float(weights[batch, query, head, level, point])
                out[batch, query, head] += share * values[batch, start + row * w + column, head]
    return out.reshape(b, q, heads * dim)


PLACES = st.floats(-0.5, 1.5, width=32) | st.sampled_from([0.0, 1.0, 0.5, 0.25, -1e30, 1e30, NAN, INF, -INF])
SIDES = st.integers(1, 4)
CASES = st.tuples(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 2), st.integers(1, 9), st.integers(1, 3)),
    st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=3),
).flatmap(
    lambda case: st.tuples(
        st.just(case[1]),
        hnp.arrays(
            np.float32,
            (case[0][0], sum(h * w for h, w in case[1]), *case[0][2:4]),
            elements=st.floats(-2, 2, width=16),
        ),
        hnp.arrays(np.float32, (*case[0][:3], len(case[1]), case[0][4], 2), elements=PLACES),
        hnp.arrays(np.float32, (*case[0][:3], len(case[1]), case[0][4]), elements=st.floats(-1, 1, width=16)),
    )
)


@settings(max_examples=30)
@given(CASES)
def test_every_backend_equals_the_definition(case):
    levels, values, locations, weights = case
    expected = by_hand(values, levels, locations, weights)
    for backend in BACKENDS:
        there = torch.from_numpy(locations), torch.from_numpy(weights)
        seen = deformable_attention(torch.from_numpy(values), levels, *there, backend=backend)
        assert seen.dtype == torch.float32
        np.testing.assert_allclose(seen.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_original_code_sees_the_same(backend, shared_data):
    file = np.load(shared_data.parent / "parity" / "units.npz")
    unit = {name: torch.from_numpy(file[f"core.{name}"]) for name in (
        "value", "spatial_shapes", "sampling_locations", "attention_weights", "output"
    )}  # fmt: skip
    seen = deformable_attention(
        unit["value"],
        unit["spatial_shapes"].tolist(),
        unit["sampling_locations"],
        unit["attention_weights"],
        backend=backend,
    )
    torch.testing.assert_close(seen, unit["output"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_transformers_sees_the_same(backend):
    from transformers.models.deformable_detr.modeling_deformable_detr import MultiScaleDeformableAttention

    levels = ((9, 14), (5, 7), (3, 4), (1, 2))
    values, _, locations, weights = attention(2, 30, 4, 16, 4, levels)
    shapes = torch.tensor(levels)
    expected = MultiScaleDeformableAttention()(values, shapes, levels, shapes[:1], locations, weights, 64)
    seen = deformable_attention(values, levels, locations, weights, backend=backend)
    torch.testing.assert_close(seen, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("dim", [1, 7, 8, 32, 33, 64])
def test_cpu_equals_reference(dim, threads):
    arguments = attention(2, 150, 3, dim, 4, [(8, 5), (4, 3), (2, 2), (1, 1)])
    seen, expected = (deformable_attention(*arguments, backend=backend) for backend in ("cpu", "reference"))
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-5)
    assert torch.equal(seen, deformable_attention(*arguments))  # again, by any thread


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(backend, dtype):
    values, levels, locations, weights = attention(2, 9)
    halves = values.to(dtype), levels, locations.to(dtype), weights.to(dtype)
    seen = deformable_attention(*halves, backend=backend)
    single = [part.float() if isinstance(part, torch.Tensor) else part for part in halves]
    assert torch.equal(seen, deformable_attention(*single, backend=backend).to(dtype))
    mixed = deformable_attention(values.to(dtype), levels, locations, weights, backend=backend)
    assert mixed.dtype == dtype
    assert not torch.equal(mixed, seen)


@pytest.mark.parametrize("backend", BACKENDS)
def test_strided_inputs(backend):
    values, levels, locations, weights = attention(2, 5, 3, 6, 2)
    expected = deformable_attention(values, levels, locations, weights, backend=backend)

    def strided(tensor):
        wide = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), NAN)
        wide[..., ::2] = tensor
        turned = wide.transpose(0, 2).contiguous().transpose(0, 2)[..., ::2]
        assert not turned.is_contiguous()
        return turned

    there = strided(values), levels, strided(locations), strided(weights)
    assert torch.equal(deformable_attention(*there, backend=backend), expected)
    repeated = values[:1].expand(2, -1, -1, -1)
    assert torch.equal(
        deformable_attention(repeated, levels, locations, weights, backend=backend)[0], expected[0]
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_centres_and_borders_exactly(backend):
    values = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 4, 1, 1)  # one level of 2 × 2
    seen = {
        (0.25, 0.25): 1.0,
        (0.75, 0.25): 2.0,
        (0.5, 0.5): 3.75,
        (0.0, 0.25): 0.5,  # half of the first cell: beyond the border is zero
        (0.0, 0.0): 0.25,
        (1.0, 1.0): 2.0,
        (-0.25, 0.25): 0.0,  # a whole cell outside
        (1.25, 0.75): 0.0,
        (0.25, 1.25): 0.0,
    }
    locations = torch.tensor(list(seen)).view(1, -1, 1, 1, 1, 2)
    weights = torch.ones(locations.shape[:-1])
    found = deformable_attention(values, [(2, 2)], locations, weights, backend=backend)
    assert found.flatten().tolist() == list(seen.values())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", [NAN, INF, -INF, 1e38, -1e38, 3e9, -3e9, 2**31, 1.5])
@pytest.mark.parametrize("weight", [1.0, NAN, INF])
def test_a_point_that_is_nowhere_adds_nothing(backend, place, weight):
    values, levels, locations, weights = attention(1, 4, 2, 8, 3)
    weights[:, :, :, :, 1] = 0
    expected = deformable_attention(values, levels, locations, weights, backend=backend)
    weights[:, :, :, :, 1] = weight
    for axis in (0, 1):
        places = locations.clone()
        places[:, :, :, :, 1, axis] = place
        seen = deformable_attention(values, levels, places, weights, backend=backend)
        torch.testing.assert_close(seen, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_finite_spreads_to_those_who_look_there(backend):
    values = torch.ones(1, 8, 1, 3)
    values[0, 7] = NAN
    locations = torch.tensor([0.1, 0.5, 0.7, 0.85, 1.0, 1.2]).view(1, 6, 1, 1, 1, 1).repeat(1, 1, 1, 1, 1, 2)
    locations[..., 1] = 0.5
    seen = deformable_attention(values, [(1, 8)], locations, torch.ones(1, 6, 1, 1, 1), backend=backend)
    assert seen.isnan().any(2).tolist() == [[False, False, False, True, True, False]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("b", "q"), [(0, 3), (2, 0), (0, 0)])
def test_nobody_looks(backend, b, q):
    seen = deformable_attention(*attention(b, q), backend=backend)
    assert seen.shape == (b, q, 8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_that_want_gradients(backend):
    values, levels, locations, weights = attention()
    expected = deformable_attention(values, levels, locations, weights, backend=backend)
    values.requires_grad_()
    with pytest.raises(ValueError, match="`values` must not want gradients"):
        deformable_attention(values, levels, locations, weights, backend=backend)
    with torch.no_grad():
        assert torch.equal(
            deformable_attention(values, levels, locations, weights, backend=backend), expected
        )


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET", "0") != "0", reason="interprets, compiles nothing")
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_other_types_spill_no_register(dtype):
    pytest.importorskip("triton", reason="there is no Triton for this platform")
    from som_kernels import report
    from som_kernels.deformable_attention.triton import SPECIMENS

    for specimen in SPECIMENS:
        signature = specimen.signature | {"values_ptr": f"*{dtype}", "seen_ptr": f"*{dtype}"}
        for target in report.TARGETS:
            assert report.figures(dataclasses.replace(specimen, signature=signature), target).spills == 0
