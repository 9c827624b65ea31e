from dataclasses import replace

import cv2
import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.history import MarkInfo
from som_agent.marks.labels import child_label
from som_agent.marks.zoom import open_mark, row_of
from som_agent.regions import Regions
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.segmenters.labels import LabelsSegmenter
from som_agent.session import Session
from som_agent.video import read_image

SIZE = (240, 160)
STRIPES = {1: (60, 40, 100, 120), 2: (100, 40, 120, 120), 3: (120, 40, 150, 120)}
"""A thing of three colours; around it is ground."""


class Given:
    """A segmenter that hands out what it was given."""

    name = "given"

    def __init__(self, regions):
        self.regions = regions

    def segment(self, frame):
        return self.regions


class Colors:
    """A segmenter that tells the colours of `paint` apart at any size; the ground is a region as well."""

    name = "colors"

    def __init__(self, palette):
        self.palette = palette

    def segment(self, frame):
        apart = np.linalg.norm(frame.image[:, :, None].astype(float) - self.palette, axis=-1)
        labels = cv2.medianBlur(apart.argmin(axis=-1).astype(np.uint8), 5)
        return Regions.from_labels(labels + 1)


@pytest.fixture
def colors(make):
    return Colors(np.array([make.paint(np.full((9, 9), k)).mean(axis=(0, 1)) for k in range(8)]))


def number(parts):
    return [MarkInfo(10 + k, child_label("1", k + 1), (200, 30, 30), parent=1) for k in range(len(parts))]


def marked_one(make, stripes=STRIPES, size=SIZE):
    """A frame in which the thing of many colours is one mark, and the maps of its colours."""
    labels = make.labels(stripes, size)
    session = Session(Given(Regions.from_labels((labels > 0).astype(np.int32))))
    return session.step(make.paint(labels), time=0.0), labels


def test_parts_in_source_pixels(make, colors):
    marked, labels = marked_one(make)
    zoom = open_mark(marked, 1, colors, number=number)
    assert zoom.parent.mark == 1
    assert zoom.size == SIZE
    assert zoom.box == (51, 31, 159, 129), "a margin of a tenth of the longer side"
    assert [mark.label for mark in zoom.marks] == ["1a", "1b", "1c"]
    for mark, stripe in zip(zoom.marks, (1, 3, 2), strict=True):  # the largest first
        truth = labels == stripe
        mask = zoom.mask(mark.mark)
        assert mask.shape == truth.shape
        assert (mask & truth).sum() > 0.93 * (mask | truth).sum()
        assert not mask[labels == 0].any(), "beside the opened mark there is nothing"
        y, x = np.nonzero(mask)
        assert mark.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)
        assert mark.area == mask.sum()
        assert mask[int(mark.anchor[1]), int(mark.anchor[0])]
        assert mark.reason is None
        h, w = zoom.image.shape[:2]
        assert 0 <= mark.plate[0] < mark.plate[2] <= w
        assert 0 <= mark.plate[1] < mark.plate[3] <= h
    assert repr(zoom) == "Zoom(mark 1 of frame 0, parts 1a 1b 1c)"


@pytest.mark.parametrize(
    ("size", "scale"),
    [(480, 480 / 108), (240, 240 / 108), (60, 1)],
)
def test_the_size_of_the_picture(make, colors, size, scale):
    marked, _ = marked_one(make)
    zoom = open_mark(marked, 1, colors, number=number, size=size)
    assert zoom.image.shape[1] == round(108 * min(scale, 4)), "enlarged four times at most, never shrunk"
    assert max(zoom.marked.regions.atoms.shape) <= size, "but segmented at that size"
    assert zoom.marked.regions.atoms.shape[1] == min(size, 108 * 4)


def test_a_mark_at_the_edge_of_the_frame(make, colors):
    marked, _ = marked_one(make, {1: (0, 0, 30, 40), 2: (30, 0, 60, 40)})
    zoom = open_mark(marked, 1, colors, number=number)
    assert zoom.box == (0, 0, 66, 46)
    boxes = [mark.box for mark in zoom.marks]
    np.testing.assert_allclose(boxes, [(0, 0, 30, 40), (30, 0, 60, 40)], atol=1)


def test_what_a_model_sees(make, colors):
    marked, _ = marked_one(make)
    zoom = open_mark(marked, 1, colors, number=number)
    look = zoom.look(336)
    assert max(look.image.shape) == 336
    for mark, own in zip(look.marks, zoom.marks, strict=True):
        assert (mark.box, mark.area) == (own.box, own.area), "in source pixels"
        assert max(mark.plate) <= 336
        assert zoom.mask(mark.mark)[int(mark.anchor[1]), int(mark.anchor[0])]


def test_no_parts(make, colors):
    marked, _ = marked_one(make, {1: (60, 40, 100, 120)})
    zoom = open_mark(marked, 1, colors, number=number)
    assert zoom.marks == []
    assert "parts none" in repr(zoom)
    np.testing.assert_array_equal(zoom.image, zoom.marked.frame.image)


def regions_of(marked, boxes, proposed=None):
    """A segmenter of boxes in the zoom's picture, given in shares of the opened mark's box."""
    x0, y0, x1, y1 = (int(v) for v in marked.source_regions.boxes[0])

    class Boxes:
        name = "boxes"

        def segment(self, frame):
            h, w = frame.image.shape[:2]
            scale = w / (x1 - x0 + 2 * 9)
            masks = np.zeros((len(boxes), h, w), bool)
            for mask, (a, b, c, d) in zip(masks, boxes, strict=True):
                left, right = ((9 + v * (x1 - x0)) * scale for v in (a, c))
                top, bottom = ((9 + v * (y1 - y0)) * scale for v in (b, d))
                mask[max(round(top), 0) : round(bottom), max(round(left), 0) : round(right)] = True
            more = {} if proposed is None else {"proposed": np.array(proposed)}
            return Regions.from_masks(masks, **more)

    return Boxes()


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        ([(0, 0, 1, 0.98)], 0),  # the mark over again
        ([(0, 0, 0.5, 1), (0, 0, 0.49, 1)], 1),  # the same part twice
        ([(0, 0, 0.5, 1), (0.1, 0.1, 0.3, 0.5)], 2),  # a part of a part
        ([(0, 0, 0.08, 0.1)], 0),  # a speck
        ([(-0.1, -0.1, 0.04, 1.1)], 0),  # a neighbour that reaches over the outline
        ([(-0.1, -0.1, 0.4, 1.1)], 1),  # one of which much is on the mark
    ],
)
def test_what_counts_as_a_part(make, boxes, kept):
    marked, _ = marked_one(make)
    zoom = open_mark(marked, 1, regions_of(marked, boxes), number=number)
    assert len(zoom.marks) == kept


def test_only_what_is_proposed(make):
    marked, _ = marked_one(make)
    boxes = [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]
    zoom = open_mark(marked, 1, regions_of(marked, boxes, [False, True]), number=number)
    assert [mark.label for mark in zoom.marks] == ["1a"]


def test_a_budget_tells_what_it_leaves_out(make, colors):
    marked, _ = marked_one(make)
    zoom = open_mark(marked, 1, colors, number=number, max_marks=2)
    assert [mark.label for mark in zoom.marks] == ["1a", "1b"]
    assert zoom.marked.unmarked == 1


def test_rows_come_in_the_order_of_their_numbers(make, colors):
    marked, labels = marked_one(make)

    def backwards(parts):
        return number(parts)[::-1]

    zoom = open_mark(marked, 1, colors, number=backwards)
    assert [mark.mark for mark in zoom.marks] == [10, 11, 12]
    assert zoom.mask(12)[80, 80], "the largest was given the last number"
    assert labels[80, 80] == 1


def test_marks_by_number_and_by_label(make):
    marked, _ = marked_one(make)
    infos = [MarkInfo(3, "C", (0, 0, 0)), MarkInfo(21, "3", (0, 0, 0)), MarkInfo(22, "3a", (0, 0, 0))]
    marked = replace(marked, infos=infos)
    assert [row_of(marked, mark) for mark in (3, "C", "c", 21, "3", "3A", "22", np.int64(22))] == [
        *(0, 0, 0, 1, 1, 2, 2, 2)
    ]
    with pytest.raises(InputError, match="mark 7 is not visible in frame 0; visible marks: C, 3, 3a"):
        row_of(marked, 7)


def test_segmenters_that_cannot(make, picture):
    marked, _ = marked_one(make)
    masks = LabelsSegmenter(picture.parent / "labels")
    with pytest.raises(SegmenterError, match=r'masks of whole pictures.* zoom\(1, segmenter="hierarchy"\)'):
        open_mark(marked, 1, masks, number=number)
    with pytest.raises(SegmenterError, match=r"segmenter given gave regions of 240x160 px .* of 432x392 px"):
        open_mark(marked, 1, Given(marked.regions), number=number)


def test_a_photo(shared_data):
    """Every part of every mark lies on its mark, whatever the photo."""
    found = 0
    for name in ("000000000785", "000000000072"):
        image = read_image(shared_data / "images" / "coco" / "images" / f"{name}.jpg")
        marked = Session().step(image, time=0.0)
        for mark in marked.marks[:4]:
            zoom = open_mark(marked, mark.mark, HierarchySegmenter(), number=number)
            parent = marked.mask(mark.mark)
            for part in zoom.marks:
                mask = zoom.mask(part.mark)
                assert not (mask & ~parent).any()
                assert mask.sum() < 0.95 * parent.sum()
            found += len(zoom.marks)
    assert found > 4
