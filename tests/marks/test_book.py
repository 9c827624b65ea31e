import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.marks.book import MarkBook
from som_agent.marks.labels import label_of
from som_agent.marks.palette import color_of, oklab
from som_agent.regions import Regions
from som_agent.tracking import Tracked


def tracked(areas, **fields):
    """Tracks of given areas: id → pixels, side by side in one row."""
    ids = list(areas)
    labels = np.zeros((1, sum(areas.values()) + 1), np.int32)
    start = 0
    for k, track in enumerate(ids):
        labels[0, start : start + areas[track]] = k + 1
        start += areas[track]
    n = len(ids)
    return Tracked(
        Regions.from_labels(labels),
        np.array(ids, np.int32),
        np.ones(n, np.float32),
        np.zeros((n, 2), np.float32),
        **fields,
    )


def choose(book, frame):
    """What the book says of a frame on a grey picture."""
    return book.choose(frame, np.full((*frame.regions.atoms.shape, 3), 128, np.uint8))


def marks_of(choice, frame):
    """Track → mark."""
    return {int(frame.ids[row]): info.mark for row, info in zip(choice.rows, choice.marks, strict=True)}


def drawn(choice):
    return [info.mark for info, shown in zip(choice.marks, choice.drawn, strict=True) if shown]


def test_the_first_frame_is_numbered_by_size():
    book = MarkBook(10)
    frame = tracked({7: 5, 3: 20, 9: 10})
    choice = choose(book, frame)
    assert marks_of(choice, frame) == {3: 1, 9: 2, 7: 3}
    assert [info.mark for info in choice.marks] == [1, 2, 3], "in the order of their numbers"
    assert [info.label for info in choice.marks] == ["1", "2", "3"]
    assert choice.drawn == [True] * 3
    assert choice.unmarked == 0


def test_equally_large_ones_are_numbered_by_track():
    frame = tracked({5: 10, 2: 10, 8: 10})
    assert marks_of(choose(MarkBook(5), frame), frame) == {2: 1, 5: 2, 8: 3}


def test_the_budget_draws_the_largest_and_numbers_all_of_the_first_frame():
    choice = choose(MarkBook(2), tracked({1: 5, 2: 20, 3: 10, 4: 1}))
    assert len(choice.marks) == 4
    assert drawn(choice) == [1, 2]


def test_newcomers_wait_for_room():
    book = MarkBook(2)
    choose(book, tracked({1: 20, 2: 10}))
    choice = choose(book, tracked({1: 20, 2: 10, 3: 12}))
    assert drawn(choice) == [1, 2], "being somewhat larger is no reason to take a drawn mark away"
    assert choice.unmarked == 1
    assert book.marks_of([3]) == []
    choice = choose(book, tracked({1: 20, 3: 12}))
    assert drawn(choice) == [1, 3]
    assert book.marks_of([3]) == [3]


def test_a_much_larger_thing_takes_a_place_and_the_number_stays():
    book = MarkBook(2)
    choose(book, tracked({1: 20, 2: 3}))
    frame = tracked({1: 20, 2: 3, 3: 60})
    choice = choose(book, frame)
    assert drawn(choice) == [1, 3]
    assert marks_of(choice, frame) == {1: 1, 2: 2, 3: 3}
    assert choice.drawn == [True, False, True]


def test_numbers_and_colours_are_for_good():
    book = MarkBook(3)
    first = {info.mark: info for info in choose(book, tracked({1: 9, 2: 8, 3: 7})).marks}
    choose(book, tracked({}))
    again = {info.mark: info for info in choose(book, tracked({3: 70, 1: 1})).marks}
    assert again == {1: first[1], 3: first[3]}


@given(st.integers(0, 9999), st.integers(1, 6))
def test_a_number_never_names_a_second_track(seed, budget):
    rng = np.random.default_rng(seed)
    book, owner, colors = MarkBook(budget), {}, {}
    alive: list[int] = []
    next_track = 1
    for _ in range(30):
        gone = [track for track in alive if rng.random() < 0.2]
        alive = [track for track in alive if track not in gone]
        for _ in range(int(rng.integers(0, 3))):
            alive.append(next_track)
            next_track += 1
        visible = [track for track in alive if rng.random() < 0.8]
        frame = tracked({track: int(rng.integers(1, 50)) for track in visible}, gone=gone)
        choice = choose(book, frame)
        assert sum(choice.drawn) == min(budget, len(visible)), "a budget is used up"
        assert len(choice.marks) + choice.unmarked == len(visible)
        for track, mark in marks_of(choice, frame).items():
            assert owner.setdefault(mark, track) == track
            assert book.marks_of([track]) == [mark]
        for info in choice.marks:
            assert colors.setdefault(info.mark, info.color) == info.color
            assert book.table[info.mark] == info
        book.forget(gone, set())
        assert book.marks_of(gone) == []
    assert len(book.table) <= len(alive), "what is gone and forgotten takes no memory"


def test_the_table_keeps_what_is_still_remembered():
    book = MarkBook(3)
    choose(book, tracked({1: 9, 2: 8, 3: 7}))
    book.forget([1, 2], keep={2})
    assert sorted(book.table) == [2, 3]
    book.forget([], keep=set())
    assert sorted(book.table) == [2, 3]


def test_letters():
    book = MarkBook(40, "letters")
    labels = [info.label for info in choose(book, tracked({k: 100 - k for k in range(1, 31)})).marks]
    assert labels[:3] == ["A", "B", "C"]
    assert labels[25:28] == ["Z", "AA", "AB"]
    assert labels == [label_of(n, "letters") for n in range(1, 31)]


def test_no_tracks_at_all():
    choice = choose(MarkBook(3), tracked({}))
    assert (choice.marks, choice.rows, choice.drawn, choice.unmarked) == ([], [], [], 0)


def test_parts_have_numbers_and_labels_of_their_own():
    book = MarkBook(5)
    choose(book, tracked({1: 20, 2: 10}))
    rows = [book.add(parent=1) for _ in range(2)]
    assert [(row.mark, row.label, row.parent) for row in rows] == [(3, "1a", 1), (4, "1b", 1)]
    deeper = book.add(parent=4)
    assert (deeper.label, deeper.parent) == ("1b1", 4)
    assert book.line_of(deeper.mark) == [5, 4, 1]
    book.tie(3, 7)
    frame = tracked({1: 20, 2: 10, 7: 5, 8: 4})
    assert marks_of(choose(book, frame), frame) == {1: 1, 2: 2, 7: 3, 8: 6}
    assert book.table[6].label == "6"
    assert book.tied == {1: 1, 2: 2, 3: 7, 6: 8}


def test_the_label_of_a_part_is_never_given_again():
    book = MarkBook(5)
    choose(book, tracked({1: 20}))
    book.tie(book.add(parent=1).mark, 7)
    book.forget([7], keep=set())
    assert sorted(book.table) == [1]
    assert book.add(parent=1).label == "1b"
    book.forget([1], keep=set())
    assert book._parts == {}, "nothing is kept of what is forgotten"


def test_parts_outlive_their_parent():
    book = MarkBook(5)
    choose(book, tracked({1: 20}))
    part = book.add(parent=1)
    book.tie(part.mark, 7)
    book.forget([1], keep=set())
    assert choose(book, tracked({7: 5})).marks == [part]
    assert book.line_of(part.mark) == [2, 1]


def test_one_that_stands_for_others_is_drawn_in_their_place():
    book = MarkBook(3)
    areas = {1: 20, 2: 10, 3: 8, 4: 6}
    assert drawn(choose(book, tracked(areas))) == [1, 2, 3]
    union = book.add(made_of="2 ∪ 3")
    book.tie(union.mark, -5, stands_for=[2, 3])
    choice = choose(book, tracked({**areas, -5: 18}))
    assert drawn(choice) == [1, 4, 5], "which makes room for another"
    assert len(choice.marks) == 5
    all_of_it = book.add(made_of="1 ∪ 5")
    book.tie(all_of_it.mark, -6, stands_for=[1, -5])
    assert drawn(choose(book, tracked({**areas, -5: 18, -6: 38}))) == [4, 6], "and for what that stands for"
    book.forget([-5, -6], keep=set())
    assert drawn(choose(book, tracked(areas))) == [1, 2, 4]


def test_colours_stand_out_from_the_picture_and_from_neighbours():
    """The palette's own first colour is a red: on red ground the first mark gets another."""
    frame = tracked({1: 400, 2: 300, 3: 200})
    for color in ((205, 40, 40), color_of(1), color_of(2)):
        image = np.full((*frame.regions.atoms.shape, 3), color, np.uint8)
        infos = MarkBook(10).choose(frame, image).marks
        lab = oklab([color, *(info.color for info in infos)])
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
        assert apart[0, 1:].min() > 0.15, "from the picture"
        assert min(apart[1, 2], apart[2, 3]) > 0.15, "from each other"
        assert [info.color for info in MarkBook(10).choose(frame, image).marks] == [i.color for i in infos]
