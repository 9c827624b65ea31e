import numpy as np
import pytest

from som_agent.tracking.flow import backward_flow, gray, warp_labels


def textured(w, h, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (h // 4 + 1, w // 4 + 1, 3))
    return np.kron(coarse, np.ones((4, 4, 1)))[:h, :w].astype(np.uint8)


@pytest.mark.parametrize(("w", "h"), [(240, 160), (480, 270)])
def test_a_moved_picture_is_warped_back_onto_itself(w, h):
    big = textured(w + 40, h + 40)
    dx, dy = 7, -4
    before, now = big[20 : 20 + h, 20 : 20 + w], big[20 - dy : 20 - dy + h, 20 - dx : 20 - dx + w]
    flow = backward_flow(gray(now), gray(before), (w, h))
    assert flow.shape == (h, w, 2)
    assert np.median(flow[..., 0]) == pytest.approx(-dx, abs=0.5)
    assert np.median(flow[..., 1]) == pytest.approx(-dy, abs=0.5)
    labels = np.zeros((h, w), np.int32)
    labels[50:100, 60:120] = 3
    expected = np.zeros((h, w), np.int32)
    expected[50 + dy : 100 + dy, 60 + dx : 120 + dx] = 3
    assert (warp_labels(labels, flow) != expected).sum() < 0.05 * expected.astype(bool).sum()


def test_nothing_comes_from_outside():
    labels = np.ones((10, 20), np.int32)
    flow = np.zeros((10, 20, 2), np.float32)
    flow[..., 0] = 5
    warped = warp_labels(labels, flow)
    assert (warped[:, :15] == 1).all()
    assert (warped[:, 15:] == 0).all()
    assert warped.dtype == np.int32


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (500, 2), (400, 24), (97, 61)])
def test_any_size(size):
    w, h = size
    image = textured(w, h)
    flow = backward_flow(gray(image), gray(image), size)
    assert flow.shape == (h, w, 2)
    assert np.abs(flow).max() < 1
