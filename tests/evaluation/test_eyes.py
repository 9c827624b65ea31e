import json

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rapidocr_onnxruntime")

from langchain_core.messages import HumanMessage

from som_agent.evaluation import eyes_model
from som_agent.evaluation.eyes import main
from som_agent.evaluation.eyes_model import Eyes
from som_agent.evaluation.eyes_pairs import PairEyes, pair_score
from som_agent.evaluation.eyes_scores import NAMES, photo_score, video_scores
from som_agent.evaluation.photos import photos
from som_agent.evaluation.plates import Plate, find_plates
from som_agent.evaluation.sight import Label, worths
from som_agent.lmm import profiles
from som_agent.lmm.pictures import image_block
from som_agent.marks import MarkStyle, View, draw_marks, place, plate_sizes


def ground(seed, size):
    """Something like a photo: soft patches of colour, `[h, w, 3] uint8`."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(30, 220, (12, 16, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures: one with objects that hold their labels, one with objects that do not."""
    root = tmp_path_factory.mktemp("photos")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    large, small = np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8)
    large[10:110, 10:150], large[20:120, 170:310], large[130:230, 30:200] = 7, 2, 5
    small[100:230, 20:300] = 1
    small[40:50, 60:70], small[150:158, 140:150], small[60:66, 200:240] = 2, 3, 4
    for name, labels in (("large", large), ("small", small)):
        Image.fromarray(ground(int(labels.max()), (320, 240))).save(root / "images" / f"{name}.png")
        Image.fromarray(labels).save(root / "masks" / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A block that glides over a textured ground, and one that stands still."""
    root = tmp_path_factory.mktemp("davis")
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / "glide").mkdir(parents=True)
    for i in range(8):
        image, labels = ground(1, (200, 120)), np.zeros((120, 200), np.uint8)
        for number, x, y, color in ((1, 5 + 9 * i, 10, (200, 40, 40)), (2, 130, 66, (40, 60, 200))):
            image[y : y + 45, x : x + 60] = color
            labels[y : y + 45, x : x + 60] = number
        Image.fromarray(image).save(root / "JPEGImages" / "glide" / f"{i:05d}.jpg")
        Image.fromarray(labels).save(root / "Annotations" / "glide" / f"{i:05d}.png")
    return root


@pytest.fixture
def eyes():
    return Eyes(model_name=NAMES[336])


def test_plates_are_found_where_they_are_drawn_and_nowhere_else(folder):
    for photo in photos(folder):
        for px in (336, 1024):
            seen = photo.at(px)
            size = seen.labels.shape[::-1]
            placement = place(seen.labels, plate_sizes([i.label for i in seen.infos], MarkStyle(), size))
            picture, plates = draw_marks(seen.image, seen.labels, seen.infos, placement)
            drawn = sorted(zip(plates, (info.color for info in seen.infos), strict=True))
            found = sorted((plate.box, plate.color) for plate in find_plates(picture))
            assert [color for _, color in found] == [color for _, color in drawn]
            # A contour in the same colour may run along an edge.
            apart = np.array([box for box, _ in found]) - np.array([box for box, _ in drawn])
            assert np.abs(apart).max() <= 3
            assert find_plates(seen.image) == []


def test_a_line_counts_for_the_object_at_which_it_ends():
    color = (230, 60, 50)
    picture = np.full((120, 200, 3), 128, np.uint8)
    cv2.line(picture, (30, 60), (150, 60), (0, 0, 0), 3)
    cv2.line(picture, (30, 60), (150, 60), color, 1)
    cv2.rectangle(picture, (20, 50), (40, 70), color, -1)
    label = Label("1", Plate((20, 50, 41, 71), color))
    for x, worth in ((140, 0.6), (84, 0.0), (166, 0.0)):  # where it ends, where it passes, beyond
        outline = np.zeros((120, 200), bool)
        outline[46:75, x : x + 16] = True
        rim = worths(picture, [label], outline)[0] - worth
        assert 0 <= rim < 0.2
    under = Label("2", Plate((130, 40, 170, 80), (50, 200, 90)))
    outline = np.zeros((120, 200), bool)
    outline[46:75, 140:156] = True
    assert worths(picture, [label, under], outline).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("px", [336, 768])
def test_every_object_that_the_eyes_mean_comes_back(folder, px):
    score = photo_score(folder, Eyes(model_name=NAMES[px]), px)
    assert (score.questions, score.right, score.share) == (7, 7, 1)
    assert score.failures == ()
    assert score.mean_iou > 0.99
    assert score.pictures == 7


def test_what_is_misread_or_not_read_is_listed_as_that(folder, eyes):
    eyes._read = lambda picture: "77"
    score = photo_score(folder, eyes, 336)
    assert score.right == 0
    assert {failure.cause for failure in score.failures} == {"misread as 77"}
    assert "large at 0.00 s, object 1 (mark 1): misread as 77; IoU 0.00" in map(str, score.failures)
    blind = Eyes(model_name=NAMES[336])
    blind._read = lambda picture: ""
    score = photo_score(folder, blind, 336)
    assert {failure.cause for failure in score.failures} == {"plate not found"}
    assert all(failure.answered.startswith("No marked object") for failure in score.failures)


def test_another_objects_label_is_a_wrong_owner(folder, eyes, monkeypatch):
    real = eyes_model.worths
    monkeypatch.setattr(eyes_model, "worths", lambda *seen: 1.6 - real(*seen))
    score = photo_score(folder, eyes, 336)
    assert score.right == 0
    assert all(failure.cause.startswith("wrong owner: mark") for failure in score.failures)
    assert score.mean_iou == 0


def test_what_no_picture_shows_is_not_drawn(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    labels = np.zeros((120, 320), np.uint8)
    for k in range(8):  # a picture holds one mark, a prompt two pictures, and the rest is shown twice
        labels[10 + k : 110, 40 * k + 3 : 40 * k + 37] = k + 1
    Image.fromarray(ground(5, (320, 120))).save(tmp_path / "images" / "row.png")
    Image.fromarray(labels).save(tmp_path / "masks" / "row.png")
    lone = profiles.Profile("lone", View("lone", 336, enlarge=64.0, marks=1), pictures=2)
    monkeypatch.setitem(profiles.PROFILES, "lone", lone)
    score = photo_score(tmp_path, Eyes(model_name="lone"), 336)
    assert [failure.cause for failure in score.failures] == [
        "not drawn: no room among the marks of 6 pictures"
    ] * 2
    assert (score.questions, score.right, score.pictures) == (8, 6, 2 * (2 + 4 + 6 + 6))


def test_objects_of_a_video_come_back_at_the_time_asked(videos, eyes):
    glide, whole = video_scores(videos, eyes, 336)
    assert (glide.source, whole.source) == ("glide", "videos")
    assert (glide.questions, glide.right) == (10, 10)
    assert glide.failures == whole.failures == ()
    assert glide.mean_iou > 0.9


def test_eyes_look_only_at_pictures_of_a_time_that_they_know(eyes):
    picture = image_block(ground(2, (96, 64)))
    blocks = [{"type": "text", "text": "Frame at 1.20 s, marks shown: 1."}, picture]
    eyes.outlines = {0.4: np.ones((64, 96), bool)}
    assert eyes.invoke([HumanMessage(blocks)]).text.startswith("No marked object")
    assert [len(sight.labels) for sight in eyes.sights] == [0]


def test_the_command(folder, videos, capsys):
    assert main(["--root", str(videos), "--px", "768", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["eyes"]
    assert [(row["source"], row["px"]) for row in rows] == [("glide", 768), ("videos", 768)]
    assert [row["share"] for row in rows] == [1, 1]
    assert main(["--images", str(folder), "--px", "336"]) == 0
    assert "photos" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "--images"), (["--images", ".", "--px", "500"], "500"), (["--images", ".", "--px", "x"], "--px x")],
)
def test_what_makes_no_sense_is_said(arguments, says, capsys):
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_objects_are_found_again_in_a_picture_with_other_numbers(folder, capsys):
    assert main(["--images", str(folder), "--px", "768", "--pairs", "--json"]) == 0
    (score,) = json.loads(capsys.readouterr().out)["pairs"]
    assert score["objects"] == score["right"] > 2
    assert (score["wrong"], score["said"]) == (0, {})
    blind = PairEyes(model_name=NAMES[768])
    blind._read = lambda picture: ""
    found = pair_score("photos", folder, blind, NAMES[768], 768)
    assert (found.objects, found.right) == (0, 0)
    assert found.said == {"the reply says nothing of it": score["objects"]}
