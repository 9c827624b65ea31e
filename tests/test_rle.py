import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from som_agent.rle import decode, encode_crop


@st.composite
def masks(draw):
    """Masks `[h, w] bool` of a pixel at least: specks, whole pictures, pixels in the corners."""
    h, w = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    mask = rng.random((h, w)) < draw(st.sampled_from([0.05, 0.5, 0.95, 1.0]))
    mask[rng.integers(h), rng.integers(w)] = True
    for corner in ((0, 0), (-1, 0), (0, -1), (-1, -1)):
        mask[corner] |= rng.random() < 0.3
    return mask


def crop_of(mask):
    y, x = np.nonzero(mask)
    x0, y0, x1, y1 = int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
    return mask[y0:y1, x0:x1], (x0, y0, x1, y1)


@given(masks())
def test_the_same_bytes_as_pycocotools(mask):
    h, w = mask.shape
    crop, box = crop_of(mask)
    rle = encode_crop(crop, box, (w, h))
    assert rle == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    np.testing.assert_array_equal(decode(rle, (w, h)), mask)


@given(masks(), st.integers(0, 3), st.integers(0, 3))
def test_a_box_larger_than_the_mask_says_the_same(mask, dx, dy):
    h, w = mask.shape
    _, (x0, y0, x1, y1) = crop_of(mask)
    box = (max(0, x0 - dx), max(0, y0 - dy), min(w, x1 + dx), min(h, y1 + dy))
    crop = mask[box[1] : box[3], box[0] : box[2]]
    np.testing.assert_array_equal(decode(encode_crop(crop, box, (w, h)), (w, h)), mask)


def test_nothing_is_an_empty_mask():
    assert not decode("", (5, 3)).any()
    assert decode("", (5, 3)).shape == (3, 5)
    assert decode("", (5, 3)).dtype == bool
    empty = encode_crop(np.zeros((2, 2), bool), (1, 1, 3, 3), (5, 3))
    assert not decode(empty, (5, 3)).any()


def test_pycocotools_measures_it():
    mask = np.zeros((720, 1280), bool)
    mask[100:400, 700:1280] = True
    rle = {
        "size": [720, 1280],
        "counts": encode_crop(mask[100:400, 700:], (700, 100, 1280, 400), (1280, 720)).encode(),
    }
    assert coco.area(rle) == mask.sum()
    assert coco.toBbox(rle).tolist() == [700, 100, 580, 300]
