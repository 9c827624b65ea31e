import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from som_agent.errors import SomError
from som_tools.access import Access
from som_tools.actions import ACTIONS, Action
from som_tools.actions.__main__ import table
from som_tools.actions.watch import When
from som_tools.call import Call
from som_tools.sessions import SessionStore

from .conftest import ByColor

ROOT = Path(__file__).parents[3]
BY_NAME = {action.name: action for action in ACTIONS}
PLAIN = {"string", "number", "integer", "boolean"}


def test_names_are_given_once() -> None:
    assert len(BY_NAME) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_schemas_are_what_strict_modes_take(action: Action[Any]) -> None:
    """No references, no unions but with null, every field typed and described, and nothing besides."""
    schema = action.form.model_json_schema()
    written = json.dumps(schema)
    assert "$ref" not in written
    assert "oneOf" not in written
    check_object(schema)


def check_object(schema: dict[str, Any]) -> None:
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    for name, field in schema.get("properties", {}).items():
        assert field["description"], name
        options = field.get("anyOf", [field])
        (kind,) = [option for option in options if option["type"] != "null"]
        assert len(options) <= 2, name
        while kind["type"] == "array":
            kind = kind["items"]
        if kind["type"] == "object":
            check_object(kind)
        else:
            assert kind["type"] in PLAIN, name


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_texts_are_short_and_whole(action: Action[Any]) -> None:
    assert action.description.endswith(".")
    assert len(action.description) < 450
    assert len(json.dumps(action.form.model_json_schema())) < (3600 if action.name == "watch" else 1300)
    assert action.keys
    assert all(action.keys.values())


def test_marks_may_be_written_as_numbers() -> None:
    form = BY_NAME["look"].form(session="v1", marks=[3, "3a"])
    assert form.marks == ["3", "3a"]


def test_a_field_that_there_is_not_is_told() -> None:
    with pytest.raises(ValidationError, match="colour"):
        BY_NAME["look"].form(session="v1", colour="red")


def test_the_page_about_the_tools_is_the_table() -> None:
    assert (ROOT / "docs" / "tools.md").read_text(encoding="utf-8") == table()


@pytest.mark.slow
def test_the_command_prints_the_page() -> None:
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "kernels", "tools"))
    done = subprocess.run(
        [sys.executable, "-m", "som_tools.actions"],
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == table()


MARKS = st.sampled_from(["1", "2", "[1]", "3", "9", "", "3a", "-1", "1.0"]) | st.text(max_size=5)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.sampled_from(["v1", "v1", "v1", "v9", ""]),
    "source": st.sampled_from(["crossing.mp4", "nothing.mp4", "..", ""]) | st.text(max_size=5),
    "mark": MARKS,
    "other": MARKS,
    "marks": st.lists(MARKS, max_size=3),
    "image": st.just(False),
    "live": st.just(False),
    "max_parts": st.integers(),
    "positions": st.integers() | st.integers(0, 20),
    "phrase": st.sampled_from(["red", "cup", "left of [2]"]) | st.text(max_size=20),
    "question": st.sampled_from(["Which marks are red?", ""]) | st.text(max_size=20),
    "points": st.lists(st.lists(st.floats(), max_size=3), max_size=3),
}
FIELDS["when"] = st.lists(
    st.builds(
        When,
        mark=MARKS,
        other=MARKS,
        zone=st.lists(st.floats() | st.floats(0, 100), max_size=8),
    ),
    max_size=3,
)
FIELDS["watch"] = st.sampled_from(["", "", "w1", "w99"])
FIELDS["wait_s"] = st.floats().filter(lambda wait_s: not 0 < wait_s <= 600) | st.just(0.0)
FIELDS |= dict.fromkeys(
    ("start_s", "end_s", "until_s", "time_s", "since_s"),
    st.none() | st.floats() | st.floats(0, 2) | st.sampled_from([0.0, 1.0, 3.0, -1.0]),
)


@pytest.fixture(scope="module")
def watched(films: Path, tmp_path_factory: pytest.TempPathFactory) -> SessionStore:
    store = SessionStore(Access.to(films, out=tmp_path_factory.mktemp("out")), segmenter=ByColor())
    store.open("crossing.mp4", Call()).play(None, Call())
    return store


def run(action: Action[Any], store: SessionStore, data: st.DataObject) -> str | None:
    """Runs an action on something that a model may write; what it reads where that is an error."""
    fields = {name: FIELDS[name] for name in action.form.model_fields if name in FIELDS}
    form = data.draw(st.builds(action.form, **fields))
    try:
        outcome = action.run(store, form, Call())
    except SomError as error:
        return str(error)
    json.dumps(outcome.data, allow_nan=False)
    assert set(outcome.data) == set(action.keys)
    return None


@pytest.mark.parametrize(
    "action",
    [action for action in ACTIONS if action.name not in ("open_video", "close_session")],
    ids=lambda action: action.name,
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_model_writes_it_reads_one_line(
    action: Action[Any], watched: SessionStore, data: st.DataObject
) -> None:
    error = run(action, watched, data)
    assert error is None or len(error.splitlines()) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_model_opens_it_reads_one_line(watched: SessionStore, data: st.DataObject) -> None:
    error = run(BY_NAME["open_video"], watched, data)
    assert error is None or len(error.splitlines()) == 1
    for opened in watched.all(Call())[1:]:
        watched.close(opened.id, Call())
