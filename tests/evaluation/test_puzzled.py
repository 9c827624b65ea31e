"""Puzzles that are solved, and the answers to where the hidden thing is."""

from dataclasses import replace

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.evaluation import puzzled, puzzles
from som_agent.evaluation.puzzled import chosen_kinds, frame_count, score_puzzle, scores_json, table
from som_agent.evaluation.puzzles import FPS, Hidden, Puzzle
from som_agent.session import Session

SIZE = 160, 96
ORANGE, BLUE, YELLOW = (230, 120, 30), (40, 80, 200), (240, 210, 40)


def thing(name, w, h, color, path):
    shape = np.ones((h, w), bool)
    paint = np.broadcast_to(np.array(color, np.uint8), (h, w, 3)).copy()
    paint[::4] //= 2
    return puzzles._Thing(name, shape, paint, path)


def shell_game(seed):
    """A ball that a cup comes down on at 0.8 s, a cup beside it; then both cups move right."""

    def moved(t):
        return 40 * min(max(t - 1.0, 0), 1)

    def cup(t):
        return 40.0 + moved(t), 62.0 - 40 * (1 - min(t / 0.8, 1)), 1.0

    things = (
        thing(1, 28, 32, ORANGE, cup),
        thing(2, 28, 32, BLUE, lambda t: (100.0 + moved(t), 62.0, 1.0)),
        thing(3, 12, 12, YELLOW, lambda t: (40.0 + moved(t), 68.0, 9.0)),
    )
    ground = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    return Puzzle("shell", seed, round(1.8 * FPS), (1, 2, 3), ground, things, Hidden(3, 1, 1.6))


def plain(seed):
    """Two things that stand still, nothing hidden."""
    things = tuple(
        thing(k, 20, 20, color, lambda t, k=k: (50.0 * k, 40.0, 1.0))
        for k, color in enumerate((ORANGE, BLUE), 1)
    )
    return Puzzle("plain", seed, 5, (1, 2), np.full((SIZE[1], SIZE[0], 3), 120, np.uint8), things)


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    monkeypatch.setitem(puzzles.KINDS, "shell", shell_game)
    monkeypatch.setitem(puzzles.KINDS, "plain", plain)


class Silent(Session):
    """A session that never says who hides whom."""

    @property
    def history(self):
        seen = super().history
        traces = {mark: replace(t, hidden_by=0 * t.hidden_by) for mark, t in seen.traces.items()}
        return replace(seen, traces=traces)


class Mistaken(Session):
    """A session that names another cup."""

    def ask(self, question, **options):
        found = super().ask(question, **options)
        (wrong,) = {1, 2, 3} - {m.mark for m in found.marks}
        return super().ask(f"Where are [{found.marks[0].mark}] and [{wrong}] at 0 s?", **options)


def test_a_shell_game_is_followed_and_told():
    frames = []
    score = score_puzzle("shell", 3, on_frame=lambda: frames.append(1))
    assert (score.kind, score.seed, len(frames)) == ("shell", 3, 36)
    assert score.identity.clear.switches == 0
    assert score.identity.idf1 > 0.9
    assert score.right is True
    assert "is hidden since 0." in score.answer


def test_an_answer_that_names_no_holder_or_another_one_is_wrong():
    silent = score_puzzle("shell", 3, new_session=Silent)
    mistaken = score_puzzle("shell", 3, new_session=Mistaken)
    assert (silent.right, mistaken.right) == (False, False)
    assert "hidden" not in mistaken.answer


def test_the_segments_are_exact_and_say_nothing_by_their_order():
    segments, orders = puzzled._Segments(0), set()
    for frame, labels in shell_game(0):
        segments.labels = labels
        regions = segments.segment(frame)
        names = [set(labels[regions.mask(k)].tolist()) for k in range(len(regions))]
        assert all(len(name) == 1 for name in names)
        assert sum(int(area) for area in regions.areas) == (labels > 0).sum()
        orders.add(tuple(name for (name,) in names))
    assert len(orders) > 4
    segments.labels = np.zeros_like(labels)
    assert len(segments.segment(frame)) == 0


def test_json_and_table():
    scores = [score_puzzle("plain", 0), score_puzzle("plain", 1)]
    (kind,) = scores_json(scores).values()
    assert kind == {
        "idf1": 1.0,
        "hota": pytest.approx(1),
        "id_switches": 0,
        "answered": None,
        "puzzles": {
            str(seed): {"idf1": 1.0, "hota": pytest.approx(1), "id_switches": 0, "answered": None}
            for seed in (0, 1)
        },
    }
    (row,) = zip(*(column.cells for column in table(scores).columns), strict=True)
    assert row == ("plain", "2", "1.000", "1.000", "0", "-")


def test_kinds():
    assert chosen_kinds("cups, crowd,cups") == ["cups", "crowd"]
    assert frame_count(["plain", "shell"], range(2)) == 82
    for names in ("cups,chess", " , "):
        with pytest.raises(InputError, match="cups, leavers, crowd"):
            chosen_kinds(names)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 10, 12, 22])
def test_alike_cups_under_one_hand_keep_their_numbers(seed):
    """Two cups pass before two others, all four under a hand: each of these seeds once cost a number."""
    score = score_puzzle("cups", seed)
    assert score.right
    assert score.identity.clear.switches == 0
    assert score.identity.idf1 > 0.97
