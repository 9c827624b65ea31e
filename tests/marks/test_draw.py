import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks import (
    MarkStyle,
    color_of,
    draw_marks,
    label_of,
    parse_draw,
    place,
    plate_box,
    plate_size,
    plate_sizes,
)
from som_agent.marks.glyphs import luminance, sprite


def infos(n, scheme="numbers"):
    return [MarkInfo(k + 1, label_of(k + 1, scheme), color_of(k + 1)) for k in range(n)]


def grid(h, w, rows, cols):
    """A label map of rows × cols blocks with ground between them."""
    y, x = np.mgrid[:h, :w]
    labels = y * rows // h * cols + x * cols // w + 1
    ground = (y * rows % h < h // 8) | (x * cols % w < w // 8)
    return np.where(ground, 0, labels).astype(np.int32)


def photo(h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)


def drawn(image, labels, marks, style):
    h, w = labels.shape
    placement = place(labels, plate_sizes([mark.label for mark in marks], style, (w, h)))
    picture, plates = draw_marks(image, labels, marks, placement, style)
    return picture, plates, placement


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 130),
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.sampled_from(["mark", "mask", "box", "contour"]), unique=True),
)
def test_any_picture(h, w, rows, cols, draw):
    labels, image, marks = grid(h, w, rows, cols), photo(h, w), infos(rows * cols)
    before = image.copy(), labels.copy()
    picture, plates, placement = drawn(image, labels, marks, MarkStyle(draw=tuple(draw)))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    assert not np.shares_memory(picture, image)
    for k, plate in enumerate(plates):
        shown = (placement.inside[k] or placement.leader[k]) and "mark" in draw
        assert (plate is not None) == shown
        if plate is not None:
            glyph = MarkStyle().glyphs((w, h))[placement.choices[k]]
            assert plate == plate_box(placement.centers[k], plate_size(marks[k].label, glyph))
            assert plate[0] >= 0
            assert plate[1] >= 0
            assert plate[2] <= w
            assert plate[3] <= h


@pytest.mark.parametrize("scheme", ["numbers", "letters"])
def test_only_labels_change_when_only_marks_are_drawn(scheme):
    labels, image, marks = grid(240, 320, 3, 4), photo(240, 320), infos(12, scheme)
    picture, plates, placement = drawn(image, labels, marks, MarkStyle(draw=("mark",)))
    assert placement.inside.all()
    changed = (picture != image).any(axis=-1)
    for x0, y0, x1, y1 in plates:
        assert changed[y0:y1, x0:x1].mean() > 0.9
        changed[y0:y1, x0:x1] = False
    assert not changed.any()


def test_labels_look_different_and_have_their_marks_colour():
    labels = np.ones((200, 300), np.int32)
    image = np.full((200, 300, 3), 128, np.uint8)
    seen = set()
    for number in (1, 7, 10, 11, 77):
        marks = [MarkInfo(number, str(number), (240, 200, 40))]
        picture, [(x0, y0, x1, y1)], _ = drawn(image, labels, marks, MarkStyle(("mark",), glyph_px=24))
        plate = picture[y0:y1, x0:x1]
        assert (plate == (240, 200, 40)).all(axis=-1).mean() > 0.35  # the ground of the label
        assert (plate == 0).all(axis=-1).mean() > 0.04  # its digits
        seen.add(plate.tobytes())
    assert len(seen) == 5


def test_mask_tints_regions_and_nothing_else():
    labels, image, marks = grid(120, 160, 2, 2), photo(120, 160), infos(4)
    picture, _, _ = drawn(image, labels, marks, MarkStyle(draw=("mask",), alpha=0.3))
    np.testing.assert_array_equal(picture[labels == 0], image[labels == 0])
    for k, mark in enumerate(marks):
        own = labels == k + 1
        expected = 0.7 * image[own] + 0.3 * np.array(mark.color)
        np.testing.assert_allclose(picture[own], expected, atol=1)


def test_contour_lines_the_edge_in_the_marks_colour():
    labels, image = np.zeros((90, 120), np.int32), photo(90, 120)
    labels[20:60, 30:80] = 1
    labels[20:60, 80:110] = 2
    marks = infos(2)
    picture, _, _ = drawn(image, labels, marks, MarkStyle(draw=("contour",)))
    assert (picture[20, 30:80] == marks[0].color).all()
    assert (picture[20:60, 79] == marks[0].color).all()  # where two regions meet each has its own line
    assert (picture[20:60, 80] == marks[1].color).all()
    np.testing.assert_array_equal(picture[25:55, 35:75], image[25:55, 35:75])  # the inside is free
    assert (picture[19, 30:110] <= image[19, 30:110] * 0.5 + 1).all()  # a dark seam outside
    np.testing.assert_array_equal(picture[:18], image[:18])


def test_boxes_frame_their_regions():
    labels, image = np.zeros((90, 120), np.int32), photo(90, 120)
    labels[20:60, 30:80] = 1
    marks = infos(1)
    picture, _, _ = drawn(image, labels, marks, MarkStyle(draw=("box",)))
    for edge in (picture[20, 30:80], picture[59, 30:80], picture[20:60, 30], picture[20:60, 79]):
        assert (edge == marks[0].color).all()
    np.testing.assert_array_equal(picture[25:55, 35:75], image[25:55, 35:75])


def test_a_line_ties_a_label_to_its_small_region():
    labels, image = np.zeros((120, 160), np.int32), np.full((120, 160, 3), 200, np.uint8)
    labels[60:64, 80:84] = 1
    picture, [(x0, y0, x1, y1)], placement = drawn(image, labels, infos(1), MarkStyle(draw=("mark",)))
    assert placement.leader[0]
    anchor, center = placement.anchors[0], placement.centers[0]
    for share in np.linspace(0, 1, 40):
        x, y = np.floor(anchor + share * (center - anchor)).astype(int)
        assert (picture[y, x] != 200).any()
    changed = (picture != image).any(axis=-1)
    changed[y0:y1, x0:x1] = False
    assert 0 < changed.sum() < 250


def test_no_marks():
    image = photo(30, 40)
    picture, plates, _ = drawn(image, np.zeros((30, 40), np.int32), [], MarkStyle())
    np.testing.assert_array_equal(picture, image)
    assert plates == []
    assert picture is not image


def test_more_marks_than_a_byte_counts():
    labels, image, marks = grid(200, 300, 17, 18), photo(200, 300), infos(306)
    picture, _, _ = drawn(image, labels, marks, MarkStyle(draw=("mask",), alpha=1.0))
    own = labels == 300
    assert own.any()
    assert (picture[own] == marks[299].color).all()
    np.testing.assert_array_equal(picture[labels == 0], image[labels == 0])


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"label map is \(4, 3\) pixels, but the picture \(8, 6\)"):
        draw_marks(photo(6, 8), np.zeros((3, 4), np.int32), [], place(np.zeros((3, 4), np.int32), []))


def test_placed_on_a_smaller_map_the_labels_still_keep_apart_and_in_the_picture():
    small = grid(90, 160, 5, 6)
    for w, h in ((427, 240), (961, 541), (1280, 720)):
        style, marks = MarkStyle(draw=("mark",)), infos(30)
        sizes = plate_sizes([mark.label for mark in marks], style, (w, h), (160, 90))
        placement = place(small, sizes).scaled(w / 160, h / 90)
        plates = [
            plate_box(
                placement.centers[k], plate_size(marks[k].label, style.glyphs((w, h))[placement.choices[k]])
            )
            for k in range(30)
            if not np.isnan(placement.centers[k, 0])
        ]
        assert len(plates) > 15
        covered = np.zeros((h, w), int)
        for x0, y0, x1, y1 in plates:
            assert x0 >= 0
            assert y0 >= 0
            assert x1 <= w
            assert y1 <= h
            covered[y0:y1, x0:x1] += 1
        assert covered.max() == 1


def test_plates_of_as_many_digits_are_of_the_same_size():
    for glyph in (11, 22, 33):
        assert len({plate_size(str(n), glyph) for n in range(1, 10)}) == 1
        assert len({plate_size(str(n), glyph) for n in range(10, 100)}) == 1
        for label in ("1", "42", "W", "AQ"):
            w, h = plate_size(label, glyph)
            assert sprite(label, (250, 50, 90), glyph).shape == (h, w, 3)


def test_text_stands_out_from_its_plate():
    for number in range(1, 201):
        light = luminance(color_of(number))
        ink = 0.0 if light > 0.18 else 1.0
        contrast = (max(light, ink) + 0.05) / (min(light, ink) + 0.05)
        assert contrast >= 4.5, number


def test_digits_are_as_high_as_asked():
    for glyph in (11, 20, 33):
        label = sprite("1", (255, 220, 80), glyph)
        side = label.shape[1] // 3
        dark = (label[:, side:-side].max(axis=-1) < 128).any(axis=1)
        assert abs(int(dark.sum()) - glyph) <= max(2, 0.12 * glyph)  # the stroke adds a little


def test_a_plate_has_no_rim():
    """A rim or round corners make ③ of a 3 for who reads text."""
    label = sprite("3", (255, 220, 80), 20)
    for edge in (label[0], label[-1], label[:, 0], label[:, -1]):
        assert (edge == (255, 220, 80)).all()


def test_glyphs_grow_with_the_picture():
    style = MarkStyle()
    assert style.glyphs((336, 336)) == (12, 9, 9)
    assert 30 <= style.glyphs((1280, 720))[0] <= 36
    for size in ((80, 60), (336, 252), (768, 768), (3840, 2160)):
        glyphs = style.glyphs(size)
        assert list(glyphs) == sorted(glyphs, reverse=True)
        assert min(glyphs) >= 9
    assert MarkStyle(glyph_px=19).glyphs((1280, 720)) == (19,)
    assert [style.line((w, 100)) for w in (100, 1280, 4000)] == [1, 2, 3]


def test_parse_draw():
    assert parse_draw("mark, mask,box,contour") == ("mark", "mask", "box", "contour")
    assert parse_draw("") == ()
    with pytest.raises(InputError, match=r"'arrow'.*mark, mask, box, contour"):
        parse_draw("mark,arrow")


@pytest.mark.parametrize("wrong", [{"alpha": 1.5}, {"alpha": -0.1}, {"glyph_px": 2}, {"draw": ("arrow",)}])
def test_wrong_styles(wrong):
    with pytest.raises(InputError):
        MarkStyle(**wrong)
