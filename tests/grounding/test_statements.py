import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.grounding.statements import Statement, read
from som_agent.history import MarkInfo

MARKS = {m: MarkInfo(m, str(m), (0, 0, 0)) for m in (1, 2, 3)}


def form(**fields):
    return {"answer": "", "claims": [], "no_such_object": False, "not_marked": []} | fields


def test_sentences_that_cite_are_statements():
    said = read("The red cup is [1]. It is small.\nBeside it: mark 2 and [9]!", None, MARKS)
    assert said.statements == (
        Statement("The red cup is [1].", (1,)),
        Statement("Beside it: mark 2 and [9]!", (2,), ("9",)),
    )
    assert (said.marks, said.unknown, said.none_such) == ((1, 2), ("9",), False)


@pytest.mark.parametrize("label", ["2", "[2]", "#2", "mark 2", "Mark #2", 2, "object 2"])
def test_labels_of_a_claim_are_read_however_they_are_written(label):
    data = form(answer="The blue one.", claims=[{"text": "It is blue.", "marks": [label]}])
    said = read("", data, MARKS)
    assert said.statements == (Statement("It is blue.", (2,)),)
    assert said.text == "The blue one."


def test_times_and_confidence_of_a_claim():
    claim = {"text": "moves", "marks": ["1"], "start_s": 2, "end_s": "3.5", "confidence": 0.7}
    (part,) = read("", form(answer="x", claims=[claim]), MARKS).statements
    assert (part.span, part.confidence) == ((2.0, 3.5), 0.7)
    claim |= {"start_s": None, "end_s": 4, "confidence": 85}
    (part,) = read("", form(answer="x", claims=[claim]), MARKS).statements
    assert (part.span, part.confidence) == ((4.0, 4.0), 0.85)


def test_what_the_words_cite_beyond_the_claims_is_not_lost():
    data = form(answer="[1] hides [3]. [2] too.", claims=[{"text": "hides", "marks": ["1", "3"]}])
    assert [part.marks for part in read("", data, MARKS).statements] == [(1, 3), (2,)]


def test_nothing_fits():
    said = read("No marked object fits: there is no dog.", None, MARKS)
    assert said.none_such
    assert not said.statements
    assert read("", form(answer="There is no dog.", no_such_object=True), MARKS).none_such
    # A reply that names a mark all the same has found one.
    assert not read("", form(answer="[1]", no_such_object=True), MARKS).none_such
    # What is there instead is cited, too.
    said = read("No marked object is a dog; [2] is a cat.", None, MARKS)
    assert (said.none_such, said.marks) == (True, (2,))


def test_what_has_no_mark():
    said = read("No marked object fits.\nNot marked: the handle, on [2]", None, MARKS)
    assert said.not_marked == ("the handle, on [2]",)
    assert said.marks == (), "it is only said to be on that mark"
    data = form(answer="None.", no_such_object=True, not_marked=["a dog", "a dog", 5, " "])
    assert read("", data, MARKS).not_marked == ("a dog",)


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "It is [1].", "claims": [{"text": "red", "marks": ["1"]}]}',
        '```json\n{"answer": "It is [1].", "claims": [{"text": "red", "marks": ["1"]}]}\n```',
        '{"answer": "It is [1].", "claims": [{"text": "red", "marks": ["1"',
        '{"answer": "It is [1].", "cla',
    ],
)
def test_json_in_the_text_is_the_form_even_broken_off(text):
    said = read(text, None, MARKS)
    assert (said.text, said.marks) == ("It is [1].", (1,))


@pytest.mark.parametrize("text", ["{", "{]", '{"x": 1}', "{[1]}", "[1]", "```json\n[1, 2]\n```"])
def test_what_is_no_form_is_text(text):
    assert read(text, None, MARKS).text == text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"answer": None},
        {"answer": 3, "claims": "x", "not_marked": "y", "no_such_object": "yes"},
        {"claims": [None, 1, [], {}, {"marks": None}, {"marks": [None, {}]}, {"text": 4, "marks": "ab"}]},
    ],
)
def test_forms_of_any_shape_are_survived(data):
    said = read("", data, MARKS)
    assert said.marks == ()
    assert not said.none_such


def test_more_statements_than_are_taken_up_are_counted():
    said = read("\n".join(f"{k}: [1]" for k in range(100)), None, MARKS)
    assert (len(said.statements), said.left_out) == (60, 40)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["answer", "claims", "marks", "text", "not_marked"]), inner, max_size=4
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["answer", "claims", "not_marked", "no_such_object"]), json_values))
def test_no_form_crashes_and_only_marks_of_the_table_are_named(data):
    assert set(read("", data, MARKS).marks) <= set(MARKS)


@given(st.text(max_size=80), st.integers(0, 60))
def test_a_form_broken_off_anywhere_is_read(words, cut):
    text = json.dumps({"answer": words, "claims": [{"text": words, "marks": ["1"]}]})
    assert set(read(text[:-cut] if cut else text, None, MARKS).marks) <= set(MARKS)
