import numpy as np
import pytest

from som_agent.grounding import Asking
from som_agent.grounding.two_frames import correspond
from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.settings import Settings
from tests.grounding.scripted import Scripted, watched

ONCE = Asking(tries=1, repairs=1)


def two():
    """The same three squares, watched by two sessions: the numbers have nothing to do with each other."""
    return watched().newest, watched(frames=9).newest


def ask(*replies, frames=None, asking=ONCE):
    model = Scripted(replies=list(replies))
    first, second = frames or two()
    return correspond(first, second, model, "scripted", asking), model


@pytest.mark.parametrize(
    "reply",
    [
        "1 -> 2\n2 -> 3\n3 -> none",
        "[1] → [2]\n[2] → [3]\n[3] → None.",
        "- mark 1: mark 2\n- mark 2: mark 3\n- mark 3: absent",
        "Mark 1 is mark 2.\nMark 2 is mark 3.\nMark 3 is gone.",
        "1 = 2\n\n2=3\n3 => nothing",
    ],
)
def test_pairs_are_read_however_they_are_written(reply):
    got, model = ask(reply)
    assert got.pairs == {1: 2, 2: 3, 3: None}
    assert got.unsupported == []
    assert len(model.pictures(0)) == 2
    assert model.texts(0)[:2] == [
        "First picture, at 0.40 s, marks shown: 1, 2, 3.",
        "Second picture, at 0.80 s, marks shown: 1, 2, 3.",
    ]
    assert got.usage.calls == 1


def test_a_mark_that_the_second_picture_lacks_is_sent_back():
    got, model = ask("1 -> 9\n2 -> 2\n3 -> 3", "1 -> 1\n2 -> 2\n3 -> 3")
    assert got.pairs == {1: 1, 2: 2, 3: 3}
    assert "has no mark 9; its marks are 1, 2, 3" in model.texts(1)[-1]


def test_what_cannot_be_used_is_said():
    got, _ = ask("1 -> 9\n2 -> 3\n7 -> 1", "1 -> 9\n2 -> 3\n7 -> 1")
    assert got.pairs == {2: 3}
    reasons = {part.text: part.reason for part in got.unsupported}
    assert reasons == {
        "1 -> 9": "the second picture has no mark 9",
        "mark 3": "the reply says nothing of it",
        "7 -> 1": "the first picture has no mark 7",
    }


def test_no_mark_is_given_twice():
    got, _ = ask("1 -> 2\n2 -> 2\n3 -> 3")
    assert got.pairs == {1: 2, 3: 3}
    assert got.unsupported[0].reason == "mark 2 was given to another mark already"


def test_noise_and_silence():
    for reply in ("I cannot say.", "?" * 500):
        got, _ = ask(reply, reply)
        assert got.pairs == {}
        assert len(got.unsupported) == 3
    got, _ = ask(ConnectionError("gone"))
    assert "gone" in got.unsupported[0].reason


def test_a_picture_without_marks():
    class Nothing:
        name = "nothing"

        def segment(self, frame):
            return Regions.from_labels(np.zeros(frame.image.shape[:2], np.int32))

    session = Session(Nothing(), Settings())
    session.step(np.zeros((120, 160, 3), np.uint8), time=0.0)
    got, model = ask(frames=(watched().newest, session.newest))
    assert got.pairs == {}
    assert model.told == []
    assert "no marks" in got.unsupported[0].reason
