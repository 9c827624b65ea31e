import sys

import cv2
import numpy as np
import pytest
import scipy.ndimage

from som_agent.errors import InputError, SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.video import Frame, read_image


def segment(image, **options):
    return HierarchySegmenter(**options).segment(Frame(image, 0, 0.0))


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def best(regions, mask, *, proposed=True):
    """The best overlap that a region, proposed or not, has with a mask."""
    chosen = np.flatnonzero(regions.proposed) if proposed else range(len(regions))
    return max((iou(regions.mask(int(i)), mask) for i in chosen), default=0.0)


@pytest.fixture(scope="module")
def table(make):
    """Things on a lit table: flat colours, a shaded ground, a little noise, soft edges."""
    labels = make.labels(
        {1: (30, 40, 110, 130), 2: (150, 30, 220, 90), 3: (240, 60, 300, 190), 4: (60, 160, 180, 220)},
        (330, 250),
    )
    image = make.paint(labels).astype(np.float32)
    light = np.linspace(0.75, 1.1, 330)[None, :, None]
    return labels, cv2.GaussianBlur(np.clip(image * light, 0, 255).astype(np.uint8), (0, 0), 0.8)


def test_things_are_proposed(table):
    labels, image = table
    regions = segment(image)
    for label in range(1, 5):
        assert best(regions, labels == label) > 0.8


def test_atoms_cover_the_picture_and_the_tree_is_a_tree(table):
    _, image = table
    regions = segment(image)
    assert regions.atoms.shape == image.shape[:2]
    assert regions.atoms.min() == 1, "every pixel belongs to something"
    assert (regions.areas > 0).all()
    roots = np.flatnonzero(regions.parents < 0)
    assert len(roots) == 1
    assert regions.members[roots[0]][1:].all(), "the root is the whole picture"
    for child, parent in enumerate(regions.parents):
        if parent >= 0:
            assert (regions.members[child] <= regions.members[parent]).all()
            assert regions.areas[child] < regions.areas[parent]
            assert regions.levels[child] >= regions.levels[parent]
    # Brothers share nothing.
    for parent in range(len(regions)):
        children = np.flatnonzero(regions.parents == parent)
        assert regions.members[children].sum(axis=0).max(initial=0) <= 1


def test_regions_are_connected(table):
    _, image = table
    regions = segment(image)
    for i in np.flatnonzero(regions.proposed):
        _, pieces = scipy.ndimage.label(regions.mask(int(i)), structure=np.ones((3, 3)))
        assert pieces == 1


def test_proposed_regions_do_not_overlap(table):
    _, image = table
    regions = segment(image)
    assert regions.members[regions.proposed].sum(axis=0).max() == 1


def test_more_regions_are_finer(table):
    _, image = table
    few, many = (segment(image, regions=n) for n in (6, 60))
    assert few.proposed.sum() <= 6
    assert few.proposed.sum() < many.proposed.sum() <= 60


def test_the_same_picture_gives_the_same_regions(table):
    _, image = table
    before = image.copy()
    a, b = segment(image), segment(image)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(a.atoms, b.atoms)
    np.testing.assert_array_equal(a.members, b.members)
    np.testing.assert_array_equal(a.proposed, b.proposed)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5), (9, 9), (97, 61)])
@pytest.mark.parametrize("kind", ["flat", "noise", "halves"])
def test_any_size(size, kind):
    w, h = size
    image = np.full((h, w, 3), 130, np.uint8)
    if kind == "noise":
        image = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    elif kind == "halves":
        image[:, w // 2 :] = (250, 20, 20)
    regions = segment(image)
    assert regions.atoms.shape == (h, w)
    assert regions.atoms.min() >= 1
    assert len(regions) >= 1
    assert (regions.areas > 0).all()
    assert regions.members.any(axis=0)[1:].all()


@pytest.mark.parametrize("value", [0, 77, 255])
def test_one_colour_is_one_region(value):
    regions = segment(np.full((60, 80, 3), value, np.uint8))
    assert len(regions) == 1
    assert regions.areas.tolist() == [60 * 80]


def test_two_halves():
    image = np.full((80, 120, 3), (30, 60, 200), np.uint8)
    image[:, 60:] = (220, 200, 40)
    regions = segment(image)
    left = np.zeros((80, 120), bool)
    left[:, :60] = True
    assert best(regions, left, proposed=False) > 0.97
    assert best(regions, ~left, proposed=False) > 0.97


def test_wrong_values_and_the_missing_package(monkeypatch):
    with pytest.raises(SegmenterError, match="at least 1, got 0"):
        HierarchySegmenter(regions=0)
    monkeypatch.setitem(sys.modules, "higra", None)
    with pytest.raises(SegmenterError, match=r"Higra.*labels:DIR"):
        segment(np.zeros((8, 8, 3), np.uint8))


def test_the_dial_goes_from_few_regions_to_many(table):
    _, image = table
    found = [segment(image, granularity=dial) for dial in (0, 0.5, 1)]
    proposed = [int(regions.proposed.sum()) for regions in found]
    assert proposed[0] < proposed[1] < proposed[2]
    assert proposed[0] <= 8
    np.testing.assert_array_equal(found[1].proposed, segment(image).proposed)
    with pytest.raises(InputError, match="got 2"):
        HierarchySegmenter(granularity=2)


def test_its_name():
    assert load_segmenter("hierarchy").name == "hierarchy"


def test_a_real_photo(shared_data):
    """Large things of a photo are among the tree's regions."""
    folder = shared_data / "vos"
    image = read_image(folder / "JPEGImages" / "blackswan" / "00000.jpg")
    mask = cv2.imread(str(folder / "Annotations" / "blackswan" / "00000.png"), cv2.IMREAD_GRAYSCALE) > 0
    size = (480, round(480 * image.shape[0] / image.shape[1]))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    true = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    regions = segment(small)
    assert 5 <= regions.proposed.sum() <= 40
    assert best(regions, true, proposed=False) > 0.5
