import numpy as np
import pytest

from som_agent import ask
from som_agent.grounding import Asking
from som_agent.keyframes import Wanted
from som_agent.lmm.profiles import profile_named
from som_agent.recall import Recall
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video, write_video
from som_agent.video.again import frame_again
from tests.grounding.scripted import Scripted, Squares, picture

VIEW = profile_named("gpt-4o").view


@pytest.fixture
def video(tmp_path):
    squares = Squares(second_until=30)
    path = tmp_path / "squares.mp4"
    write_video(path, [picture(squares, index) for index in range(60)], 10)
    return path


def test_a_frame_that_was_let_go_is_shown_as_it_was(video):
    session = Session(Squares(second_until=30), Settings(keyframes=2))
    seen = {}
    with open_video(video) as frames:
        for marked in session.run(frames):
            seen[marked.index] = marked
    recall = Recall(
        lambda: session.history, lambda i, t: frame_again(video, i, t), session.settings.style, 20
    )
    for index in (7, 33):
        (shown,) = recall.pictures([index], Wanted(VIEW, [1, 2, 3]))
        look = seen[index].look(VIEW, [1, 2, 3])
        assert (shown.frame, shown.time) == (index, pytest.approx(index / 10))
        assert set(shown.marks) == {mark.mark for mark in look.marks if mark.shown}
        assert len(shown.marks) == (3 if index <= 30 else 2)
        assert np.mean(np.abs(shown.image.astype(int) - look.image) > 8) < 0.01


def test_a_question_about_a_moment_shows_that_moment(video):
    model = Scripted(replies=["It is [1]."])
    answer = ask(video, "Which is red at 3.3 s?", lmm=model, asking=Asking(tries=1), segmenter=Squares())
    assert [evidence.frame for evidence in answer.marks[0].evidence] == [33]
    assert any(text.startswith("Frame at 3.30 s") for text in model.texts(0))
