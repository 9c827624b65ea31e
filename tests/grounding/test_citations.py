import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.grounding.citations import Citations, cited_marks
from som_agent.history import MarkInfo
from som_agent.marks.labels import child_label

NUMBERS = {i: MarkInfo(i, str(i), (0, 0, 0)) for i in range(1, 13)}
LETTERS = {i: MarkInfo(i, chr(64 + i), (0, 0, 0)) for i in range(1, 6)}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("The red cup is [3].", (3,)),
        ("[1, 2]", (1, 2)),
        ("[1] and [2], then [1] again", (1, 2)),
        ("The cups [2][5][1] are red.", (2, 5, 1)),
        ("[1,2 and 4]", (1, 2, 4)),
        ("[1; 2/3 & 4]", (1, 2, 3, 4)),
        ("[1-3]", (1, 2, 3)),
        ("[1–3, 7]", (1, 2, 3, 7)),
        ("[2 to 4]", (2, 3, 4)),
        ("[4-2]", (2, 3, 4)),
        ("[03]", (3,)),
        ("[#3] or [mark 4]", (3, 4)),
        ("[3: the red cup]", (3,)),
        ("[3, left]", (3,)),
        ("**[3]** is a [link](x)", (3,)),
        ("mark 3", (3,)),
        ("Mark #3 and mark number 4", (3, 4)),
        ("marks 3 and 4", (3, 4)),
        ("marks 1, 2, and 3 are cups", (1, 2, 3)),
        ("marks 1-3 or 5", (1, 2, 3, 5)),
        ("marks 2 through 4", (2, 3, 4)),
        ("Object 7 hides objects 1 & 2.", (7, 1, 2)),
        ("赤いカップは【3】です", (3,)),
        ("［３］と［４］", (3, 4)),
        ("The ball is under mark 2.", (2,)),
        ("mark 2, which", (2,)),
    ],
)
def test_marks(text, marks):
    assert cited_marks(text, NUMBERS) == Citations(marks, ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2 cups",
        "There are 3 of them.",
        "1. a cup\n2. a ball",
        "at 3.2 s",
        "[0:03]",
        "[2.5]",
        "[2.0, 4.0]",
        "seen [2, 4] s",
        "box [10, 20, 80, 90]",
        "bbox: [1, 2, 3, 4]",
        "interval [1, 3]",
        "[sic]",
        "[3 cups]",
        "[T]he cup",
        "He marks 3 times.",
        "mark 3.5",
        "the mark 3 s in",
        "remark 3",
        "trademark 3 and hallmark 4",
        "x[a]",
        "[]",
        "Mark I think is left.",
    ],
)
def test_what_names_no_mark(text):
    assert cited_marks(text, NUMBERS) == Citations((), ())


@pytest.mark.parametrize(
    ("text", "marks", "unknown"),
    [
        ("[13]", (), ("13",)),
        ("[3] and [99], [99]", (3,), ("99",)),
        ("[11-14]", (11, 12), ("13", "14")),
        ("[1-1000]", (), ("1-1000",)),
        ("mark 40", (), ("40",)),
        ("[A]", (), ("A",)),
        ("[3a]", (), ("3a",)),
        ("[0]", (), ("0",)),
        ("objects 1 and 50", (1,), ("50",)),
    ],
)
def test_unknown_marks_are_reported(text, marks, unknown):
    assert cited_marks(text, NUMBERS) == Citations(marks, unknown)


@pytest.mark.parametrize(
    ("text", "marks", "unknown"),
    [
        ("[A] and [C, B]", (1, 3, 2), ()),
        ("[a]", (1,), ()),
        ("mark A, objects B and C", (1, 2, 3), ()),
        ("[F]", (), ("F",)),
        ("[3]", (), ("3",)),  # a number is not what was drawn
        ("mark a spot", (), ()),
        ("The object I see", (), ()),
        ("[A: a cup]", (1,), ()),
        ("[A]n apple", (), ()),
    ],
)
def test_letters(text, marks, unknown):
    assert cited_marks(text, LETTERS) == Citations(marks, unknown)


def test_empty_table():
    assert cited_marks("[1] and mark 2", {}) == Citations((), ("1", "2"))


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=8), st.sampled_from(["[{}]", "mark {}", "[mark {}]"])
)
def test_every_mark_written_out_is_found_once_in_order(numbers, form):
    text = " is near ".join(form.format(n) for n in numbers)
    found = cited_marks(text, NUMBERS)
    order = list(dict.fromkeys(numbers))
    assert list(found.marks) == [n for n in order if n in NUMBERS]
    assert list(found.unknown) == [str(n) for n in order if n not in NUMBERS]


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    found = cited_marks(text, NUMBERS)
    assert set(found.marks) <= set(NUMBERS)


def test_noise_takes_no_time():
    for noise in (
        "[" * 20_000,
        "marks 1" + ", 1" * 20_000,
        "mark " * 20_000,
        "[1," * 20_000,
        "1-" * 20_000,
        "mark " + "1a" * 20_000,
    ):
        start = time.perf_counter()
        cited_marks(noise, NUMBERS)
        assert time.perf_counter() - start < 2.0  # seconds; a pattern that backtracks takes minutes


PARTS = {
    i: MarkInfo(i, label, (0, 0, 0))
    for i, label in enumerate(("1", "2", "3", "3a", "3b", "3c", "3a1", "3a1a", "3aa"), 1)
}
LETTER_PARTS = {i: MarkInfo(i, label, (0, 0, 0)) for i, label in enumerate(("A", "C", "C1", "C2", "C1a"), 1)}


@pytest.mark.parametrize(
    ("text", "labels", "unknown"),
    [
        ("[3a]", "3a", ()),
        ("[3A]", "3a", ()),
        ("[03a]", "3a", ()),
        ("[3a, 3b]", "3a 3b", ()),
        ("[3], [3a] and [3a1]", "3 3a 3a1", ()),
        ("[3a: the handle]", "3a", ()),
        ("[mark 3a]", "3a", ()),
        ("[3a-c]", "3a 3b 3c", ()),
        ("[3a-3c]", "3a 3b 3c", ()),
        ("[3c–3b]", "3b 3c", ()),
        ("[3aa]", "3aa", ()),
        ("mark 3a.", "3a", ()),
        ("mark 3a's rim", "3a", ()),
        ("marks 3a, 3b and 2", "3a 3b 2", ()),
        ("marks 3a-c are", "3a 3b 3c", ()),
        ("marks 3a to 3c", "3a 3b 3c", ()),
        ("object 3a1a", "3a1a", ()),
        ("[3d]", "", ("3d",)),
        ("[3a-d]", "3a 3b 3c", ("3d",)),
        ("mark 3d and mark 4a2", "", ("3d", "4a2")),
        ("[2a]", "", ("2a",)),
        ("[3px]", "", ()),
        ("mark 3px", "", ()),
        ("the 3rd, [1st] and mark 2nd", "", ()),
        ("[3a cups]", "", ()),
        ("[3 cups]", "", ()),
        ("[a-c]", "", ()),
    ],
)
def test_parts_of_marks(text, labels, unknown):
    found = cited_marks(text, PARTS)
    assert [PARTS[mark].label for mark in found.marks] == labels.split()
    assert found.unknown == unknown


@pytest.mark.parametrize(
    ("text", "labels", "unknown"),
    [
        ("[C1]", "C1", ()),
        ("[c1]", "C1", ()),
        ("[C, C1, C1a]", "C C1 C1a", ()),
        ("[C1-2]", "C1 C2", ()),
        ("[C1-C2]", "C1 C2", ()),
        ("mark C1 and mark C1a", "C1 C1a", ()),
        ("marks C1-2", "C1 C2", ()),
        ("[C9]", "", ("C9",)),
        ("mark C9", "", ("C9",)),
        ("[H2O]", "", ()),
        ("[Fig1]", "", ()),
        ("mark a spot", "", ()),
    ],
)
def test_parts_of_marks_in_letters(text, labels, unknown):
    found = cited_marks(text, LETTER_PARTS)
    assert [LETTER_PARTS[mark].label for mark in found.marks] == labels.split()
    assert found.unknown == unknown


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.sampled_from(["[{}]", "mark {}", "[2, {}]"]))
def test_every_label_of_a_part_is_read_back(path, form):
    label = str(path[0])
    for k in path[1:]:
        label = child_label(label, k)
    table = {7: MarkInfo(7, label, (0, 0, 0))}
    assert cited_marks(form.format(label), table).marks == (7,)
