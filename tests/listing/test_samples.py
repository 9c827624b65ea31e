import json
from pathlib import Path

import numpy as np
import pytest

import som_agent as som
from som_agent.errors import InputError, OutputError
from som_agent.listing import ListingSample, listing_sample, write_samples
from som_agent.listing.samples import INSTRUCTIONS
from som_agent.marks.marked import MarkedFrame
from som_agent.regions import Regions
from som_agent.video import Frame, read_image

COLORS = {1: (200, 30, 30), 2: (30, 160, 60), 3: (40, 60, 200)}


class Squares:
    """Three squares; a segmenter that knows them."""

    name = "squares"

    def segment(self, frame: Frame) -> Regions:
        return Regions.from_labels(squares(*frame.image.shape[:2]))


def squares(h: int, w: int) -> np.ndarray:
    labels = np.zeros((h, w), np.int32)
    for label, (y, x, side) in {1: (0.1, 0.05, 0.5), 2: (0.3, 0.45, 0.4), 3: (0.1, 0.8, 0.15)}.items():
        labels[int(y * h) : int((y + side) * h), int(x * w) : int(x * w + side * h)] = label
    return labels


@pytest.fixture
def marked() -> MarkedFrame:
    labels = squares(240, 320)
    image = np.full((240, 320, 3), 225, np.uint8)
    for label, color in COLORS.items():
        image[labels == label] = color
    return som.mark(image, segmenter=Squares())


def names(marked: MarkedFrame) -> dict[int, str]:
    """The true name of each mark, told from the colour under it."""
    found = {}
    for info in marked.infos:
        color = marked.frame.image[marked.mask(info.mark)].mean(axis=0)
        nearest = min(COLORS, key=lambda k: np.abs(np.array(COLORS[k]) - color).sum())
        found[info.mark] = {1: "red square", 2: "green square", 3: "blue square"}[nearest]
    return found


def test_a_sample_has_llavas_form(marked: MarkedFrame) -> None:
    sample, picture = listing_sample(marked, names(marked), id="squares_0", seed=3, look_px=336)
    data = sample.to_json()
    assert sorted(data) == ["conversations", "id", "image"]
    assert (data["id"], data["image"]) == ("squares_0", "squares_0.png")
    human, gpt = data["conversations"]
    assert human["from"] == "human"
    assert human["value"] in {f"<image>\n{instruction}" for instruction in INSTRUCTIONS}
    assert gpt == {"from": "gpt", "value": "1. red square\n2. green square\n3. blue square"}
    assert picture.shape == (252, 336, 3)
    assert picture.dtype == np.uint8


def test_the_picture_shows_the_marks_that_are_listed(marked: MarkedFrame) -> None:
    sample, picture = listing_sample(marked, names(marked), id="a", look_px=336)
    marks = marked.look(336).marks
    assert [label for label, _ in sample.items] == [mark.label for mark in marks if mark.shown]
    for mark in marks:
        x0, y0, x1, y1 = mark.plate or (0, 0, 0, 0)
        plate = picture[y0:y1, x0:x1]
        assert plate.min() < 60
        assert plate.max() > 140  # a glyph and its ground


def test_only_marks_within_the_budget_are_listed() -> None:
    image = np.full((240, 320, 3), 225, np.uint8)
    marked = som.mark(image, segmenter=Squares(), max_marks=2)
    sample, _ = listing_sample(marked, {1: "one", 2: "two", 3: "three"}, id="a")
    assert sample.items == (("1", "one"), ("2", "two"))


def test_a_drawn_mark_needs_a_name(marked: MarkedFrame) -> None:
    with pytest.raises(InputError, match="no name for mark 2, 3"):
        listing_sample(marked, {1: "red square", 2: "  "}, id="a")


def test_names_stay_on_their_line(marked: MarkedFrame) -> None:
    sample, _ = listing_sample(marked, {1: "a\n2. b", 2: "b", 3: "c"}, id="a")
    assert sample.to_json()["conversations"][1]["value"].count("\n") == 2


def test_nothing_to_list() -> None:
    class Nothing:
        name = "nothing"

        def segment(self, frame: Frame) -> Regions:
            return Regions.from_labels(np.zeros(frame.image.shape[:2], np.int32))

    marked = som.mark(np.zeros((64, 64, 3), np.uint8), segmenter=Nothing())
    with pytest.raises(InputError, match="no mark is drawn"):
        listing_sample(marked, {}, id="a")


def test_the_seed_and_the_id_decide_the_wording(marked: MarkedFrame) -> None:
    def wording(id: str, seed: int) -> str:
        return listing_sample(marked, names(marked), id=id, seed=seed, look_px=64)[0].instruction

    assert wording("a", 1) == wording("a", 1)
    assert len({wording("a", seed) for seed in range(12)}) > 3
    assert len({wording(f"s{k}", 0) for k in range(12)}) > 3
    assert len(set(INSTRUCTIONS)) == len(INSTRUCTIONS) >= 12


@pytest.mark.parametrize("id", ["", "../a", "a/b", ".hidden", "a b", "a\n"])
def test_ids_are_file_names(marked: MarkedFrame, id: str) -> None:
    with pytest.raises(InputError, match="makes no file name"):
        listing_sample(marked, names(marked), id=id)


def sample(id: str) -> ListingSample:
    return ListingSample(id, INSTRUCTIONS[0], (("1", "Würfel"),))


def picture(value: int) -> np.ndarray:
    return np.full((8, 12, 3), value, np.uint8)


def test_written_samples_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "train.json"
    assert write_samples(path, (sample(id) for id in "ab"), (picture(v) for v in (7, 9))) == path
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data == [sample("a").to_json(), sample("b").to_json()]
    assert "Würfel" in path.read_text(encoding="utf-8")
    for row, value in zip(data, (7, 9), strict=True):
        assert (read_image(path.parent / row["image"]) == value).all()
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.png", "b.png", "train.json"]


@pytest.mark.parametrize(
    ("ids", "pictures", "message"),
    [
        ("aa", 2, "two samples are called a"),
        ("ab", 1, "1 samples have a picture"),
        ("a", 2, "1 samples have"),
    ],
)
def test_nothing_half_written(tmp_path: Path, ids: str, pictures: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_samples(tmp_path / "train.json", [sample(id) for id in ids], [picture(1)] * pictures)
    assert not list(tmp_path.iterdir())


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_samples(tmp_path / "file" / "train.json", [], [])
    with pytest.raises(OutputError, match="is a folder"):
        write_samples(tmp_path, [], [])
