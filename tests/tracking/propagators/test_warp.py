import numpy as np
import pytest

from som_agent.tracking.propagators.flow.propagator import FlowPropagator
from som_agent.tracking.propagators.warp import WarpPropagator
from som_agent.video import Frame


def frames(shifts: list[int]) -> list[Frame]:
    """A blotched picture that moves right."""
    rng = np.random.default_rng(2)
    ground = np.kron(rng.integers(0, 255, (16, 24, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    return [Frame(np.roll(ground, shift, axis=1), t, t / 10) for t, shift in enumerate(shifts)]


def test_masks_move_with_the_picture_and_may_nest() -> None:
    clip = frames([0, 2, 4, 6])
    whole, part = np.zeros((2, 96, 144), bool)
    whole[20:70, 30:90] = True
    part[30:50, 40:60] = True
    propagator = WarpPropagator()
    assert propagator.step(clip[0]).ids.tolist() == []
    propagator.put([3, 1], np.array([whole, part]))
    for frame in clip[1:]:
        result = propagator.step(frame)
    assert result.ids.tolist() == [3, 1]
    for row, mask in enumerate((whole, part)):
        moved = np.roll(mask, 6, axis=1)
        found = result.regions.mask(row)
        assert (found & moved).sum() / (found | moved).sum() > 0.85


def test_put_corrects_and_drop_forgets() -> None:
    clip = frames([0, 0, 0])
    a, b = np.zeros((2, 96, 144), bool)
    a[10:30, 10:30], b[50:80, 60:90] = True, True
    propagator = WarpPropagator()
    propagator.step(clip[0])
    propagator.put([1, 2], np.array([a, a | b]))
    propagator.put([2], b[None])
    result = propagator.step(clip[1])
    assert result.ids.tolist() == [1, 2]
    assert (result.regions.mask(1) == b).all()
    propagator.drop([1, 9])
    result = propagator.step(clip[2])
    assert result.ids.tolist() == [2]
    assert (result.regions.mask(0) == b).all()


@pytest.mark.parametrize("size", [(9, 5), (300, 20)])
def test_small_and_narrow_frames(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    propagator = WarpPropagator()
    propagator.step(Frame(image, 0, 0.0))
    propagator.put([1], np.ones((1, size[1], size[0]), bool))
    assert propagator.step(Frame(image, 1, 0.1)).regions.areas.tolist() == [size[0] * size[1]]


@pytest.mark.parametrize("make", [WarpPropagator, FlowPropagator])
def test_a_fresh_one_has_seen_nothing(make):
    used = make()
    image = np.zeros((20, 30, 3), np.uint8)
    used.step(Frame(image, 0, 0.0))
    used.put([1], np.ones((1, 20, 30), bool))
    fresh = used.fresh()
    assert fresh.step(Frame(image[:10], 0, 0.0)).ids.tolist() == []
    assert used.step(Frame(image, 1, 0.1)).ids.tolist() == [1]
