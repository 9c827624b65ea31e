import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel
from pydantic import Field

from som_agent.errors import AnswererError, InputError
from som_agent.grounding import Asking, ask, load_answerer
from som_agent.history import History
from som_agent.regions import Regions
from som_agent.session import Session
from som_agent.settings import Settings

NOTHING = History((64, 48), np.arange(3, dtype=np.int32), np.arange(3) / 10.0)


@pytest.mark.parametrize("lmm", ["attributes", FakeListChatModel(responses=["[1]"])])
@pytest.mark.parametrize("question", ["", "  \n\t"])
def test_an_empty_question_is_refused_whoever_answers(question, lmm):
    with pytest.raises(InputError, match="the question is empty"):
        ask(question, NOTHING, lambda frames, wanted: [], lmm)


def test_the_answer_says_who_gave_it():
    model = FakeListChatModel(responses=["[1]"])
    assert ask("Which?", NOTHING, lambda frames, wanted: [], model).lmm == "FakeListChatModel"
    assert ask("Which?", NOTHING, lambda frames, wanted: [], model, name="x:y").lmm == "x:y"
    assert ask("Which?", NOTHING, lambda frames, wanted: []).lmm == "attributes"


def test_answerers_by_name():
    assert load_answerer("attributes") == "attributes"
    model = FakeListChatModel(responses=[])
    assert load_answerer(model) is model
    with pytest.raises(AnswererError, match="unknown model"):
        load_answerer("magic:")


class Tiles:
    """A segmenter of 48 tiles, eight columns."""

    name = "tiles"

    def segment(self, frame):
        labels = np.arange(1, 49, dtype=np.int32).reshape(6, 8)
        return Regions.from_labels(np.kron(labels, np.ones((40, 40), np.int32)))


class Listener(FakeListChatModel):
    """Keeps what it is told."""

    told: list = Field(default_factory=list)

    def _call(self, messages, *args, **kwargs):
        self.told.append(messages)
        return super()._call(messages, *args, **kwargs)


def test_a_session_shows_more_marks_than_it_draws():
    session = Session(Tiles(), Settings(max_marks=3))
    session.step(np.full((240, 320, 3), 120, np.uint8), time=0.0)
    model = Listener(responses=["It is [47]."])
    answer = session.ask("What is [47]?", lmm=model, name="llava:x")
    assert answer.unsupported == []
    assert answer.marks[0].evidence[0].frame == 0
    ((_, user),) = model.told
    texts = [block["text"] for block in user.content if block["type"] == "text"]
    captions, prompt = texts[:-1], texts[-1]
    assert len(captions) == 3, "12 marks in a picture for LLaVA, and room for three pictures beside the list"
    shown = [set(text.split("shown: ")[1].split(".")[0].split(", ")) for text in captions]
    assert all(
        text.startswith(f"Picture {i} of 3 of the frame at 0.00 s") for i, text in enumerate(captions, 1)
    )
    assert all("47" in labels for labels in shown)
    drawn = set.union(*shown)
    assert len(drawn) == 1 + 3 * 11
    missing = prompt.split("Drawn in none of the pictures: ")[1].split(".\n")[0].split(", ")
    assert drawn.isdisjoint(missing)
    assert drawn.union(missing) == {str(mark) for mark in range(1, 49)}
    assert len(prompt.split("Marks:\n")[1].split("\nDrawn in none")[0].splitlines()) == 48


def test_marks_that_found_no_room_are_shown_before_giving_up():
    session = Session(Tiles(), Settings(max_marks=3))
    session.step(np.full((240, 320, 3), 120, np.uint8), time=0.0)
    nothing = "No marked object fits."
    model = Listener(responses=[nothing, "It is [5].", "It is [6]."])
    answer = session.ask("What is [47]?", lmm=model, name="llava:x")
    shown = [
        {
            label
            for block in messages[1].content
            if block["type"] == "text" and "shown: " in block["text"]
            for label in block["text"].split("shown: ")[1].split(".")[0].split(", ")
        }
        for messages in model.told
    ]
    assert len(shown) == 2
    assert set.union(*shown) == {str(mark) for mark in range(1, 49)}
    assert not answer.none_such
    assert [mark.label for mark in answer.marks] == ["5"]


def test_nothing_is_shown_twice_in_vain():
    session = Session(Tiles(), Settings(max_marks=3))
    session.step(np.full((240, 320, 3), 120, np.uint8), time=0.0)
    model = Listener(responses=["No marked object fits."])
    asking = Asking(search=False)
    assert session.ask("What is [47]?", lmm=model, name="llava:x", asking=asking).none_such
    assert len(model.told) == 2
