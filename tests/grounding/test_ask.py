import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel

from som_agent.errors import AnswererError, InputError
from som_agent.grounding import ask, load_answerer
from som_agent.history import History

NOTHING = History((64, 48), np.arange(3, dtype=np.int32), np.arange(3) / 10.0)


@pytest.mark.parametrize("lmm", ["attributes", FakeListChatModel(responses=["[1]"])])
@pytest.mark.parametrize("question", ["", "  \n\t"])
def test_an_empty_question_is_refused_whoever_answers(question, lmm):
    with pytest.raises(InputError, match="the question is empty"):
        ask(question, NOTHING, lambda frames: [], lmm)


def test_the_answer_says_who_gave_it():
    model = FakeListChatModel(responses=["[1]"])
    assert ask("Which?", NOTHING, lambda frames: [], model).lmm == "FakeListChatModel"
    assert ask("Which?", NOTHING, lambda frames: [], model, name="x:y").lmm == "x:y"
    assert ask("Which?", NOTHING, lambda frames: []).lmm == "attributes"


def test_answerers_by_name():
    assert load_answerer("attributes") == "attributes"
    model = FakeListChatModel(responses=[])
    assert load_answerer(model) is model
    with pytest.raises(AnswererError, match="unknown model"):
        load_answerer("magic:")
