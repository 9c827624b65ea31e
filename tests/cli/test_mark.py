import cv2
import numpy as np
import pytest

from som_agent.video import read_image, write_image

MARK_KEYS = ["mark", "label", "anchor", "plate", "box", "area", "shown", "reason"]


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.fixture
def labels(picture):
    return f"labels:{picture.parent / 'labels'}"


def test_a_marked_picture(cli, picture, labels, tmp_path):
    done = cli("mark", picture, "--segmenter", labels)
    assert (done.code, done.err) == (0, "")
    assert done.out == "scene.marked.png: 4 marks\n"
    marked = read_image(tmp_path / "here" / "scene.marked.png")
    assert marked.shape == (160, 240, 3)
    assert (marked != read_image(picture)).any(axis=2).mean() > 0.3


def test_json_is_the_contract(cli, picture, labels, tmp_path):
    done = cli("mark", picture, "-o", tmp_path / "out.png", "--segmenter", labels, "--json")
    told = done.json
    assert list(told) == ["image", "size", "source_size", "marks"]
    assert told["image"] == str(tmp_path / "out.png")
    assert told["size"] == told["source_size"] == [240, 160]
    assert [mark["mark"] for mark in told["marks"]] == [1, 2, 3, 4]
    truth = {1: (10, 10, 100, 80), 2: (120, 20, 220, 70), 3: (20, 95, 90, 150), 4: (130, 90, 160, 150)}
    for mark in told["marks"]:
        assert list(mark) == MARK_KEYS
        assert isinstance(mark["mark"], int)
        assert mark["label"] == str(mark["mark"])
        x0, y0, x1, y1 = truth[mark["mark"]]
        assert mark["box"] == [x0, y0, x1, y1]
        assert all(is_number(v) for v in (*mark["box"], *mark["anchor"]))
        assert all(isinstance(v, int) for v in mark["plate"])
        assert mark["area"] == (x1 - x0) * (y1 - y0)
        assert isinstance(mark["area"], int)
        assert mark["shown"] is True
        assert mark["reason"] is None
        assert x0 <= mark["anchor"][0] < x1
        assert y0 <= mark["anchor"][1] < y1
        assert x0 <= mark["plate"][0] < mark["plate"][2] <= x1
        assert y0 <= mark["plate"][1] < mark["plate"][3] <= y1


def test_letters(cli, picture, labels):
    told = cli("mark", picture, "--segmenter", labels, "--labels", "letters", "--json").json
    assert [mark["label"] for mark in told["marks"]] == ["A", "B", "C", "D"]
    assert [mark["mark"] for mark in told["marks"]] == [1, 2, 3, 4]


def test_a_budget(cli, picture, labels):
    told = cli("mark", picture, "--segmenter", labels, "--max-marks", 3, "--json").json
    assert [mark["shown"] for mark in told["marks"]] == [True, True, True, False]
    assert told["marks"][3]["plate"] is None
    assert "budget" in told["marks"][3]["reason"]
    done = cli("mark", picture, "--segmenter", labels, "--max-marks", 3)
    assert done.out.startswith("scene.marked.png: 3 marks, 1 more")


@pytest.mark.parametrize("px", [336, 160])
def test_look_writes_what_a_model_sees(cli, picture, labels, px):
    told = cli("mark", picture, "--segmenter", labels, "--look", px, "--json").json
    assert told["size"] == [px, round(px * 160 / 240)]
    assert told["source_size"] == [240, 160]
    h, w = read_image(told["image"]).shape[:2]
    assert [w, h] == told["size"]
    for mark in told["marks"]:
        assert mark["box"] == pytest.approx([v for v in mark["box"] if 0 <= v <= 240])
        if mark["plate"]:
            x0, y0, x1, y1 = mark["plate"]
            assert 0 <= x0 < x1 <= w
            assert 0 <= y0 < y1 <= h
            if mark["reason"] is None:  # it lies on its object, brought to that size
                box = np.array(mark["box"]) * px / 240
                assert box[0] - 1 <= x0 < x1 <= box[2] + 1
                assert box[1] - 1 <= y0 < y1 <= box[3] + 1
    assert told["marks"][0]["box"] == [10, 10, 100, 80], "boxes stay in source pixels"


def test_look_takes_a_model(cli, picture, labels):
    for model, size in (("llava-1.5", [336, 224]), ("openai:gpt-4o", [480, 320])):
        assert cli("mark", picture, "--segmenter", labels, "--look", model, "--json").json["size"] == size


def test_alpha(cli, picture, labels):
    before, apart = read_image(picture).astype(int), []
    for alpha in (0.0, 0.2, 0.8):
        cli("mark", picture, "-o", "out.png", "--segmenter", labels, "--draw", "mask", "--alpha", alpha)
        apart.append(np.abs(read_image("out.png") - before).sum())
    assert apart[0] == 0 < 3 * apart[1] < apart[2]


def test_what_is_drawn(cli, picture, labels):
    changed = {}
    for draw in ("mark", "box", "mask", "contour", "mark,mask,box,contour"):
        cli("mark", picture, "-o", "out.png", "--segmenter", labels, "--draw", draw)
        changed[draw] = (read_image("out.png") != read_image(picture)).any(axis=2)
    assert changed["mask"].sum() > 2 * changed["box"].sum()
    assert all(changed["mark,mask,box,contour"].sum() >= changed[draw].sum() for draw in changed)
    inner = np.s_[30:60, 30:80]
    assert not changed["box"][inner].any()
    assert not changed["contour"][inner].any()
    assert changed["mask"][inner].all()
    told = cli("mark", picture, "--segmenter", labels, "--draw", "box", "--json").json
    assert [mark["plate"] for mark in told["marks"]] == [None] * 4


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (97, 61), (1, 50)])
def test_small_and_odd_pictures(cli, size, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    write_image(tmp_path / "odd.png", image)
    told = cli("mark", tmp_path / "odd.png", "--json").json
    assert told["size"] == told["source_size"] == list(size)
    assert read_image(told["image"]).shape == image.shape
    for mark in told["marks"]:
        assert mark["shown"] == (mark["plate"] is not None)
        assert mark["shown"] or mark["reason"]


def test_one_pixel_has_one_mark_without_room(cli, tmp_path):
    write_image(tmp_path / "pixel.png", np.full((1, 1, 3), 9, np.uint8))
    told = cli("mark", tmp_path / "pixel.png", "--json").json
    assert len(told["marks"]) == 1
    assert told["marks"][0]["area"] == 1
    assert told["marks"][0]["shown"] is False
    assert "no room" in told["marks"][0]["reason"]


@pytest.mark.parametrize("kind", ["grey", "rgba", "grey alpha", "16 bit", "palette"])
def test_pictures_of_every_kind(cli, picture, labels, tmp_path, kind):
    from PIL import Image

    with Image.open(picture) as rgb:
        if kind == "16 bit":
            deep = np.asarray(rgb.convert("L")).astype(np.uint16) * 257
            assert cv2.imwrite(str(tmp_path / "scene.png"), deep)
        else:
            mode = {"grey": "L", "rgba": "RGBA", "grey alpha": "LA", "palette": "P"}[kind]
            rgb.convert(mode).save(tmp_path / "scene.png")
    told = cli("mark", tmp_path / "scene.png", "--segmenter", labels, "--json").json
    assert [mark["shown"] for mark in told["marks"]] == [True] * 4
    assert read_image(told["image"]).shape == (160, 240, 3)


def test_one_colour_is_one_mark(cli, tmp_path):
    write_image(tmp_path / "wall.png", np.full((80, 120, 3), 200, np.uint8))
    told = cli("mark", tmp_path / "wall.png", "--json").json
    assert [mark["box"] for mark in told["marks"]] == [[0, 0, 120, 80]]


def test_a_picture_without_regions(cli, picture, make, tmp_path):
    make.write_labels(tmp_path / "none", [np.zeros((160, 240), np.int32)], ["scene"])
    done = cli("mark", picture, "--segmenter", f"labels:{tmp_path / 'none'}")
    assert (done.code, done.err) == (0, "")
    assert done.out == "scene.marked.png: no regions found, no marks\n"
    np.testing.assert_array_equal(read_image("scene.marked.png"), read_image(picture))
    assert cli("mark", picture, "--segmenter", f"labels:{tmp_path / 'none'}", "--json").json["marks"] == []


def test_the_real_command(command, picture, labels, tmp_path):
    done = command("mark", picture, "-o", tmp_path / "out.jpg", "--segmenter", labels, "--json")
    assert (done.code, done.err) == (0, "")
    assert len(done.json["marks"]) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jpg"]


@pytest.fixture
def badge(tmp_path):
    """A green thing with a red and a blue spot, on grey."""
    image = np.full((200, 300, 3), 120, np.uint8)
    image[40:160, 60:200] = (40, 150, 60)
    image[60:100, 80:120] = (220, 40, 40)
    image[60:140, 140:180] = (40, 60, 220)
    return write_image(tmp_path / "badge.png", image)


def test_zoom_opens_a_mark(cli, badge):
    marks = cli("mark", badge, "--json").json["marks"]
    green = next(mark for mark in marks if mark["box"] == [60, 40, 200, 160])
    told = cli("mark", badge, "--zoom", green["label"], "--json").json
    assert list(told) == ["image", "size", "source_size", "zoom", "marks"]
    assert told["source_size"] == [300, 200]
    assert told["zoom"] == {"mark": green["mark"], "label": green["label"], "box": [46, 26, 214, 174]}
    h, w = read_image(told["image"]).shape[:2]
    assert told["size"] == [w, h] == [480, 423]
    for mark in told["marks"]:
        assert list(mark) == MARK_KEYS
        assert mark["label"].startswith(green["label"])
        x0, y0, x1, y1 = mark["box"]
        assert 60 <= x0 < x1 <= 200
        assert 40 <= y0 < y1 <= 160
        assert 0 <= mark["plate"][0] < mark["plate"][2] <= w


def test_zoom_into_nothing(cli, tmp_path):
    write_image(tmp_path / "wall.png", np.full((80, 120, 3), 200, np.uint8))
    done = cli("mark", tmp_path / "wall.png", "--zoom", 1)
    assert (done.code, done.out) == (0, "wall.marked.png: no parts found in mark 1, no marks\n")


def test_zoom_for_a_model(cli, badge):
    told = cli("mark", badge, "--zoom", 1, "--look", 336, "--json").json
    assert max(told["size"]) == 336
    assert list(reversed(read_image(told["image"]).shape[:2])) == told["size"]


def test_zoom_into_what_is_not_there(cli, badge, picture, labels):
    cli("mark", badge, "--zoom", 77).refused("mark 77 is not visible in frame 0; visible marks: 1, 2")
    cli("mark", picture, "--segmenter", labels, "--zoom", "1a").refused("mark 1a is not visible")
    cli("mark", picture, "--segmenter", labels, "--zoom", 1).refused("masks of whole pictures")
