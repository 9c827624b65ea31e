import json
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from som_agent.errors import InputError
from som_agent.evaluation import readback
from som_agent.evaluation.marks import main
from som_agent.evaluation.photos import photos
from som_agent.evaluation.placement import _score, dense_scenes
from som_agent.evaluation.stability import stability_scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A photo-like picture with four regions, one of them too small for a label."""
    root = tmp_path_factory.mktemp("photos")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    rng = np.random.default_rng(4)
    image = cv2.resize(
        rng.integers(30, 220, (12, 16, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC
    )
    labels = np.zeros((240, 320), np.uint8)
    labels[10:110, 10:150], labels[20:120, 170:310], labels[130:230, 30:200] = 7, 2, 5
    labels[200:204, 250:254] = 9
    Image.fromarray(image).save(root / "images" / "a.png")
    Image.fromarray(labels).save(root / "masks" / "a.png")
    return root


def test_the_largest_region_comes_first(folder):
    (photo,) = photos(folder)
    assert photo.name == "a"
    assert [info.label for info in photo.infos] == ["1", "2", "3", "4"]
    areas = np.bincount(photo.labels.ravel())[1:]
    assert list(areas) == sorted(areas, reverse=True)
    assert len(photos(folder, most=2)[0].infos) == 2
    assert photo.at(160).image.shape == (120, 160, 3)


def test_our_marks_are_read_and_the_published_ones_shrunk_to_336_px_less_well(folder):
    pytest.importorskip("rapidocr_onnxruntime")
    ours, published = readback.readback_scores(folder, [336])
    assert (ours.drawn, published.drawn) == ("som-agent", "published rules")
    assert ours.marks == published.marks == 4
    assert ours.read >= 0.75
    assert ours.plate_alone == 1
    assert published.read <= 0.5


def test_a_wrong_label_is_not_read(folder, monkeypatch):
    pytest.importorskip("rapidocr_onnxruntime")

    truthful = readback._ours

    def lying(photo, long_px):
        picture, plates = truthful(photo, long_px)
        return picture, [plates[1], plates[0], None, None]

    monkeypatch.setattr(readback, "_ours", lying)
    monkeypatch.setattr(readback, "_published", lying)
    ours, _ = readback.readback_scores(folder, [336])
    assert ours.read == ours.plate_alone == 0
    assert "1 as 2" in ours.misread


def test_placement_on_photos_and_in_a_crowd(folder):
    score = _score("photos", 320, (photo.labels for photo in photos(folder)))
    assert (score.marks, score.fit, score.beside) == (4, 3, 1)
    crowd = _score("crowd", 480, dense_scenes(480, count=1))
    assert crowd.marks == 200
    assert crowd.fit > 20
    for each in (score, crowd):
        assert each.fit_on_own == 1
        assert each.overlaps == 0


def test_placement_sees_what_is_wrong(monkeypatch):
    """Labels all put into one corner overlap, and are not on their regions."""
    from som_agent.evaluation import placement

    real = placement.place

    def cornered(labels, sizes):
        placed = real(labels, sizes)
        placed.centers[:] = 20
        return placed

    monkeypatch.setattr(placement, "place", cornered)
    score = _score("crowd", 480, dense_scenes(480, count=1))
    assert score.overlaps == 200 * 199 // 2
    assert score.fit_on_own < 0.1


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """A block that glides over a textured ground, and one that stands still."""
    root = tmp_path_factory.mktemp("davis")
    for folder in ("JPEGImages", "Annotations"):
        (root / folder / "glide").mkdir(parents=True)
    ground = np.random.default_rng(1).integers(90, 110, (120, 200, 3), np.uint8)
    for i in range(6):
        image, labels = ground.copy(), np.zeros((120, 200), np.uint8)
        for number, x, y, color in ((1, 10 + 7 * i, 10, (200, 40, 40)), (2, 130, 60, (40, 60, 200))):
            image[y : y + 45, x : x + 60] = color
            labels[y : y + 45, x : x + 60] = number
        Image.fromarray(image).save(root / "JPEGImages" / "glide" / f"{i:05d}.jpg")
        Image.fromarray(labels).save(root / "Annotations" / "glide" / f"{i:05d}.png")
    return root


def test_marks_ride_along(davis):
    one, mean = stability_scores(davis)
    assert (one.sequence, mean.sequence) == ("glide", "mean")
    assert (one.frames, one.steps) == (6, 10)
    assert one.point_px < 0.05
    assert one.jitter_px < 0.05
    assert one.plate_px <= 0.75
    assert (one.moved, one.new_numbers, one.new_colors) == (0, 0, 0)
    assert mean.jitter_px == pytest.approx(one.jitter_px)


def test_stability_sees_what_moves(davis, monkeypatch):
    from som_agent.marks.steady import SteadyPlacer

    real, count = SteadyPlacer.place, iter(range(100))

    def restless(self, marks, regions, centers, size):
        placed = real(self, marks, regions, centers, size)
        placed.anchors[:] += 3 * (next(count) % 2)
        return placed

    monkeypatch.setattr(SteadyPlacer, "place", restless)
    one, _ = stability_scores(davis)
    assert one.jitter_px > 1
    assert one.moved >= 0.5


def test_the_command(folder, davis, capsys):
    assert main(["stability", "--root", str(davis), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["stability"]
    assert [row["sequence"] for row in rows] == ["glide", "mean"]
    assert main(["stability", "--root", str(davis)]) == 0
    assert "glide" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["placement", "--images", "/nowhere"], "has no folder images/"),
        (["stability", "--root", "/nowhere"], "not in the layout of DAVIS"),
        (["readback", "--images", "FOLDER", "--px", "336,many"], "--px 336,many makes no sense"),
    ],
)
def test_bad_input(folder, arguments, said, capsys):
    assert main([str(folder) if a == "FOLDER" else a for a in arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_photo_needs_its_mask(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "images" / "b.png")
    with pytest.raises(InputError, match="has no mask"):
        photos(tmp_path)
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.ones((20, 31), np.uint8)).save(tmp_path / "masks" / "b.png")
    with pytest.raises(InputError, match="another size"):
        photos(tmp_path)


def test_without_the_ocr_it_says_what_to_install(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    assert main(["readback", "--images", str(folder)]) == 2
    assert 'pip install "som-agent[dev]"' in capsys.readouterr().err
