import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from som_agent.marks.book import MarkBook
from som_agent.marks.labels import label_of
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


def marks_of(choice, frame):
    """Track → mark."""
    return {int(frame.ids[row]): info.mark for row, info in zip(choice.rows, choice.marks, strict=True)}


def drawn(choice):
    return [info.mark for info, shown in zip(choice.marks, choice.drawn, strict=True) if shown]


def test_the_first_frame_is_numbered_by_size():
    book = MarkBook(10)
    frame = tracked({7: 5, 3: 20, 9: 10})
    choice = book.choose(frame)
    assert marks_of(choice, frame) == {3: 1, 9: 2, 7: 3}
    assert [info.mark for info in choice.marks] == [1, 2, 3], "in the order of their numbers"
    assert [info.label for info in choice.marks] == ["1", "2", "3"]
    assert choice.drawn == [True] * 3
    assert choice.unmarked == 0


def test_equally_large_ones_are_numbered_by_track():
    frame = tracked({5: 10, 2: 10, 8: 10})
    assert marks_of(MarkBook(5).choose(frame), frame) == {2: 1, 5: 2, 8: 3}


def test_the_budget_draws_the_largest_and_numbers_all_of_the_first_frame():
    choice = MarkBook(2).choose(tracked({1: 5, 2: 20, 3: 10, 4: 1}))
    assert len(choice.marks) == 4
    assert drawn(choice) == [1, 2]


def test_newcomers_wait_for_room():
    book = MarkBook(2)
    book.choose(tracked({1: 20, 2: 10}))
    choice = book.choose(tracked({1: 20, 2: 10, 3: 12}))
    assert drawn(choice) == [1, 2], "being somewhat larger is no reason to take a drawn mark away"
    assert choice.unmarked == 1
    assert book.marks_of([3]) == []
    choice = book.choose(tracked({1: 20, 3: 12}))
    assert drawn(choice) == [1, 3]
    assert book.marks_of([3]) == [3]


def test_a_much_larger_thing_takes_a_place_and_the_number_stays():
    book = MarkBook(2)
    book.choose(tracked({1: 20, 2: 3}))
    frame = tracked({1: 20, 2: 3, 3: 60})
    choice = book.choose(frame)
    assert drawn(choice) == [1, 3]
    assert marks_of(choice, frame) == {1: 1, 2: 2, 3: 3}
    assert choice.drawn == [True, False, True]


def test_numbers_and_colours_are_for_good():
    book = MarkBook(3)
    first = {info.mark: info for info in book.choose(tracked({1: 9, 2: 8, 3: 7})).marks}
    book.choose(tracked({}))
    again = {info.mark: info for info in book.choose(tracked({3: 70, 1: 1})).marks}
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
        choice = book.choose(frame)
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
    book.choose(tracked({1: 9, 2: 8, 3: 7}))
    book.forget([1, 2], keep={2})
    assert sorted(book.table) == [2, 3]
    book.forget([], keep=set())
    assert sorted(book.table) == [2, 3]


def test_letters():
    book = MarkBook(40, "letters")
    labels = [info.label for info in book.choose(tracked({k: 100 - k for k in range(1, 31)})).marks]
    assert labels[:3] == ["A", "B", "C"]
    assert labels[25:28] == ["Z", "AA", "AB"]
    assert labels == [label_of(n, "letters") for n in range(1, 31)]


def test_no_tracks_at_all():
    choice = MarkBook(3).choose(tracked({}))
    assert (choice.marks, choice.rows, choice.drawn, choice.unmarked) == ([], [], [], 0)
