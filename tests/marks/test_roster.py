import numpy as np
import pytest

import som_agent as som
from som_agent.colors import COLOR_TERMS
from som_agent.errors import InputError
from som_agent.history import MarkInfo
from som_agent.marks.roster import color_words, kinship, roster, roster_line
from som_agent.regions import Regions


class Blocks:
    """Red left, blue right with a white half, on grey; a segmenter that knows them."""

    name = "blocks"

    def segment(self, frame):
        h, w = frame.image.shape[:2]
        labels = np.zeros((h, w), np.int32)
        labels[h // 8 : h // 2, : w // 2] = 1
        labels[h // 2 :, 3 * w // 4 :] = 2
        return Regions.from_labels(labels)


def picture(h=240, w=320):
    image = np.full((h, w, 3), 120, np.uint8)
    image[h // 8 : h // 2, : w // 2] = (200, 25, 25)
    image[h // 2 :, 3 * w // 4 :] = (30, 60, 210)
    image[h // 2 : 3 * h // 4, 3 * w // 4 :] = 255
    return image


def test_a_line_a_mark_in_source_pixels():
    marked = som.mark(picture(), segmenter=Blocks())
    one = "[1] red, x 0 to 160, y 30 to 120; visible"
    two = "[2] blue and white, x 240 to 320, y 120 to 240; visible"
    assert roster(marked).splitlines() in ([one, two], [one, two.replace("blue and white", "white and blue")])
    assert roster(marked, [1]) == one
    assert roster(marked, []) == ""


def test_what_is_not_drawn_is_listed_all_the_same():
    marked = som.mark(picture(960, 1280), segmenter=Blocks(), max_marks=1, labels="letters")
    first, second = roster(marked).splitlines()
    assert first == "[A] red, x 0 to 640, y 120 to 480; visible"
    assert second.startswith("[B] ")
    assert second.endswith("x 960 to 1280, y 480 to 960; visible, not drawn")


def test_a_mark_that_is_not_there():
    marked = som.mark(picture(), segmenter=Blocks())
    with pytest.raises(InputError, match=r"mark 7 is not visible in frame 0; visible marks: 1, 2"):
        roster(marked, [1, 7])


def test_parts_and_unions_say_so():
    table = {3: MarkInfo(3, "C", (0, 0, 0)), 4: MarkInfo(4, "Ca", (0, 0, 0), parent=3)}
    assert kinship(table[3], table) == ""
    assert kinship(table[4], table) == "; part of C"
    assert kinship(table[4], {}) == ""
    assert kinship(MarkInfo(5, "E", (0, 0, 0), made_of="C ∪ D"), table) == "; it is C ∪ D"


def test_lines_and_words():
    assert roster_line("3", "", (1.4, 2, 3, 4.6), "gone since 2.00 s", time=1.5) == (
        "[3] at 1.50 s: x 1 to 3, y 2 to 5; gone since 2.00 s"
    )
    shares = np.zeros(11)
    assert color_words(shares) == ""
    shares[COLOR_TERMS.index("green")] = 60
    assert color_words(shares) == "green"
    shares[COLOR_TERMS.index("brown")] = 30
    assert color_words(shares) == "green and brown"
