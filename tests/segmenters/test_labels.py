import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from som_agent.errors import SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.labels import LabelsSegmenter, _decode, _fitted
from som_agent.video.frame import Frame

# pycocotools 2.0 with numpy 2
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [9] * (253 * 3)


def frame(h, w, index=0, name=None):
    return Frame(np.zeros((h, w, 3), np.uint8), index, index / 25, name)


def save(path, labels, mode="P"):
    if mode == "P":
        picture = Image.fromarray(labels.astype(np.uint8))
        picture.putpalette(PALETTE)
        picture.save(path)
    else:
        Image.fromarray(labels).save(path)
        with Image.open(path) as written:
            assert written.mode in mode.split("|")


def rle(mask):
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def runs(mask):
    flat = mask.T.ravel()
    change = np.flatnonzero(np.diff(np.concatenate([[0], flat.view(np.int8)])))
    edges = np.concatenate([[0], change, [flat.size]])
    return {"size": list(mask.shape), "counts": np.diff(edges).tolist()}


@pytest.fixture
def labels():
    out = np.zeros((20, 30), np.int32)
    out[2:8, 3:12] = 1
    out[10:18, 5:25] = 2
    out[0, 0] = 7
    return out


def assert_regions(regions, labels):
    ids = np.unique(labels[labels > 0])
    assert len(regions) == len(ids)
    for i, label in enumerate(ids):
        np.testing.assert_array_equal(regions.mask(i), labels == label)


def test_palette_png_by_name(tmp_path, labels):
    save(tmp_path / "kitchen.png", labels)
    save(tmp_path / "other.png", labels * 0 + 3)
    segmenter = load_segmenter(f"labels:{tmp_path}")
    assert segmenter.name == f"labels:{tmp_path}"
    assert_regions(segmenter.segment(frame(20, 30, name="kitchen")), labels)


def test_255_is_void_in_a_palette_and_an_object_in_grey(tmp_path, labels):
    labels[labels == 2] = 255
    save(tmp_path / "palette.png", labels)
    save(tmp_path / "grey.png", labels.astype(np.uint8), "L")
    segmenter = LabelsSegmenter(tmp_path)
    assert len(segmenter.segment(frame(20, 30, name="palette"))) == 2
    assert_regions(segmenter.segment(frame(20, 30, name="grey")), labels)


def test_sixteen_and_one_bit(tmp_path, labels):
    labels[labels == 2] = 40_000
    save(tmp_path / "deep.png", labels.astype(np.uint16), "I;16|I")
    save(tmp_path / "flat.png", labels > 0, "1")
    segmenter = LabelsSegmenter(tmp_path)
    assert_regions(segmenter.segment(frame(20, 30, name="deep")), labels)
    assert_regions(segmenter.segment(frame(20, 30, name="flat")), (labels > 0).astype(int))


@pytest.mark.parametrize("write", [rle, runs])
def test_json_keeps_overlaps_and_skips_absent_objects(tmp_path, write):
    a, b = np.zeros((2, 20, 30), bool)
    a[2:15, 3:20] = True
    b[5:9, 10:29] = True
    (tmp_path / "x.json").write_text(json.dumps([write(a), write(np.zeros_like(a)), write(b)]))
    regions = LabelsSegmenter(tmp_path).segment(frame(20, 30, name="x"))
    assert len(regions) == 2
    np.testing.assert_array_equal(regions.mask(0), a)
    np.testing.assert_array_equal(regions.mask(1), b)


def test_empty_masks_are_no_regions(tmp_path):
    save(tmp_path / "a.png", np.zeros((4, 4)))
    (tmp_path / "b.json").write_text("[]")
    segmenter = LabelsSegmenter(tmp_path)
    for name in "ab":
        regions = segmenter.segment(frame(4, 4, name=name))
        assert len(regions) == 0
        assert regions.atoms.shape == (4, 4)


def test_video_takes_files_in_name_order_with_numbers_by_value(tmp_path):
    for i in [0, 1, 2, 9, 10]:
        save(tmp_path / f"m_{i}.png", np.eye(12, dtype=int) * (np.arange(12) <= i))
    (tmp_path / "about.json").write_text('{"made by": "hand"}')  # among PNGs a JSON is no frame
    segmenter = LabelsSegmenter(tmp_path)
    areas = [int(segmenter.segment(frame(12, 12, index=i)).areas[0]) for i in range(5)]
    assert areas == [1, 2, 3, 10, 11]
    with pytest.raises(SegmenterError, match="5 masks, none for frame 5"):
        segmenter.segment(frame(12, 12, index=5))


def test_video_of_json(tmp_path):
    for i in range(3):
        mask = np.zeros((8, 8), bool)
        mask[: i + 1] = True
        (tmp_path / f"{i:05d}.json").write_text(json.dumps([rle(mask)]))
    segmenter = LabelsSegmenter(tmp_path)
    assert [int(segmenter.segment(frame(8, 8, index=i)).areas[0]) for i in range(3)] == [8, 16, 24]


def test_named_picture_never_takes_the_mask_of_another(tmp_path, labels):
    save(tmp_path / "a.png", labels)
    with pytest.raises(SegmenterError, match=r"no b\.png or b\.json for picture 'b'"):
        LabelsSegmenter(tmp_path).segment(frame(20, 30, index=0, name="b"))


def test_resize_is_nearest(tmp_path, labels):
    save(tmp_path / "a.png", labels)
    regions = LabelsSegmenter(tmp_path).segment(frame(60, 90, name="a"))
    assert_regions(regions, labels.repeat(3, 0).repeat(3, 1))
    half = LabelsSegmenter(tmp_path).segment(frame(10, 15, name="a"))
    expected = labels[1::2, 1::2].copy()
    expected[0, 0] = 7  # one pixel of the source, and still there
    assert_regions(half, expected)


sides = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=60, deadline=None)
@given(st.data(), sides, sides)
def test_no_object_is_lost_by_resizing(data, source, target):
    (height, width), (h, w) = source, target
    labels = np.zeros((height, width), np.int32)
    y = data.draw(st.integers(0, height - 1))
    x = data.draw(st.integers(0, width - 1))
    labels[y, x] = 5
    out = _fitted(labels, h, w)
    assert out.shape == (h, w)
    assert (out == 5).any()
    ys, xs = np.nonzero(out == 5)
    # Each of its pixels shows a place within one pixel of the object.
    assert (np.abs((ys + 0.5) * height / h - (y + 0.5)) <= max(1, height / h)).all()
    assert (np.abs((xs + 0.5) * width / w - (x + 0.5)) <= max(1, width / w)).all()


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_both_rle_forms_decode_alike(mask):
    np.testing.assert_array_equal(_decode(rle(mask)), mask)
    np.testing.assert_array_equal(_decode(runs(mask)), mask)


def test_folder_that_is_missing_a_file_or_empty(tmp_path):
    with pytest.raises(SegmenterError, match="there is no folder"):
        load_segmenter(f"labels:{tmp_path / 'none'}")
    (tmp_path / "file.png").touch()
    with pytest.raises(SegmenterError, match="there is no folder"):
        load_segmenter(f"labels:{tmp_path / 'file.png'}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(SegmenterError, match="no masks in the folder"):
        load_segmenter(f"labels:{tmp_path / 'empty'}")


def test_broken_files_are_one_clear_line(tmp_path, labels):
    save(tmp_path / "cut.png", labels)
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "zero.png").touch()
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    contents = {
        "cut2": "[{",
        "dict": '{"counts": []}',
        "short": '[{"size": [4, 4], "counts": [3, 4]}]',
        "negative": '[{"size": [4, 4], "counts": [20, -4]}]',
        "garbage": '[{"size": [4, 4], "counts": "zzzz"}]',
        "nosize": '[{"counts": [16]}]',
        "number": "[3]",
        "sizes": '[{"size": [4, 4], "counts": [8, 8]}, {"size": [2, 8], "counts": [8, 8]}]',
    }
    for name, text in contents.items():
        (tmp_path / f"{name}.json").write_text(text)
    segmenter = LabelsSegmenter(tmp_path)
    for name in ["cut", "text", "zero", "rgb", *contents]:
        with pytest.raises(SegmenterError, match=f"{name}.(png|json)") as caught:
            segmenter.segment(frame(20, 30, name=name))
        assert "\n" not in str(caught.value)


def test_davis_annotations(shared_data):
    folder = shared_data / "vos" / "Annotations" / "bmx-trees"
    segmenter = load_segmenter(f"labels:{folder}")
    by_index = segmenter.segment(frame(480, 854, index=3))
    by_name = segmenter.segment(frame(480, 854, index=0, name="00003"))
    truth = np.array(Image.open(folder / "00003.png")).astype(int)
    assert_regions(by_index, truth)
    assert_regions(by_name, truth)


@pytest.mark.parametrize("form", ["png", "json"])
def test_masks_of_another_shape_are_refused(tmp_path, form):
    labels = np.ones((77, 100), np.int32)
    if form == "png":
        save(tmp_path / "a.png", labels)
    else:
        (tmp_path / "a.json").write_text(json.dumps([rle(labels > 0)]))
    with pytest.raises(SegmenterError, match=rf"a\.{form} is 100x77 px.* 854x480 px"):
        LabelsSegmenter(tmp_path).segment(frame(480, 854, name="a"))


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        ((480, 854), (270, 480)),
        ((1080, 1920), (480, 854)),
        ((480, 854), (1080, 1920)),
        ((1, 5000), (1, 480)),  # a line that was shrunk keeps one pixel
        ((6, 10), (270, 480)),  # a mask as small as a network gives it, 5.6 rows rounded
        ((48, 100), (481, 1000)),
    ],
)
def test_rounding_is_no_other_shape(tmp_path, mask, shown):
    save(tmp_path / "a.png", np.ones(mask, np.int32))
    assert len(LabelsSegmenter(tmp_path).segment(frame(*shown, name="a"))) == 1


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("3", "it is no object with 'size' and 'counts'"),
        ("{}", "it lacks 'size' and 'counts'"),
        ('{"counts": [16]}', "it lacks 'size'"),
        ('{"size": [4], "counts": [16]}', "its 'size' is not [height, width] in pixels"),
        ('{"size": [4, -4], "counts": [16]}', "its 'size' is not [height, width] in pixels"),
        ('{"size": [4, "a"], "counts": [16]}', "its 'size' is not [height, width] in pixels"),
        ('{"size": [4, 4], "counts": "zzzz"}', "its 'counts' are no compressed runs for 4x4 px"),
        ('{"size": [4, 4], "counts": "\u00e9"}', "its 'counts' are no compressed runs for 4x4 px"),
        ('{"size": [4, 4], "counts": {}}', "its 'counts' are neither text nor a list of whole numbers"),
        ('{"size": [4, 4], "counts": ["a"]}', "its 'counts' are neither text nor a list of whole numbers"),
        ('{"size": [4, 4], "counts": [1e99]}', "its 'counts' are neither text nor a list of whole numbers"),
        ('{"size": [4, 4], "counts": [3, 4]}', "its runs do not fill 4x4 px"),
    ],
)
def test_what_is_no_rle_is_said_in_words(tmp_path, entry, says):
    (tmp_path / "a.json").write_text(f"[{entry}]", encoding="utf-8")
    with pytest.raises(SegmenterError) as caught:
        LabelsSegmenter(tmp_path).segment(frame(4, 4, name="a"))
    assert str(caught.value) == f"masks {tmp_path / 'a.json'}: entry 0 is no COCO RLE: {says}"


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"[{", "are not JSON: "), (b"\xff\xfe", "are not text in UTF-8"), (b"{}", "a list")],
)
def test_what_is_no_list_of_masks_is_said_in_words(tmp_path, content, says):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(SegmenterError, match=says) as caught:
        LabelsSegmenter(tmp_path).segment(frame(4, 4, name="a"))
    assert "Error" not in str(caught.value)


def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch, labels):
    save(tmp_path / "a.png", labels)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SegmenterError, match="folder of masks is empty"):
        LabelsSegmenter("")
