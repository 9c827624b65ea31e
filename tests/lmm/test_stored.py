import json
from dataclasses import replace

import pytest
from langchain_core.language_models import FakeListChatModel

from som_agent.errors import InputError, OutputError
from som_agent.lmm.profiles import Price, profile_named, profile_of
from som_agent.lmm.stored import (
    Calibration,
    Cell,
    StoredProfile,
    home,
    profile_path,
    read_stored,
    stored_profiles,
    write_stored,
)

NAME = "openai:gpt-4o"
GPT = profile_named(NAME)
CELL = Cell(("mark", "box"), 683, 4, 2, 8, 8, 8, 8, 0, 0.25)
CALIBRATION = Calibration(
    date="2026-01-02",
    som_agent="0.1.0",
    seed=3,
    marks_read=0.9,
    guessing=0.1,
    view=replace(GPT.view, long_px=683, short_px=512, marks=16),
    draw=("mark", "box"),
    measured=(CELL,),
)


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("SOM_AGENT_HOME", str(tmp_path / "home"))


def model():
    return FakeListChatModel(responses=["hello"])


def test_nothing_is_stored_at_first():
    assert read_stored(NAME) is None
    assert stored_profiles() == []
    assert profile_of(model(), NAME) == GPT
    assert not home().exists()  # reading makes no folders


@pytest.mark.parametrize(
    "stored",
    [
        StoredProfile(NAME),
        StoredProfile(NAME, Price(2.5, 10)),
        StoredProfile(NAME, None, CALIBRATION),
        StoredProfile(NAME, Price(0, 0), replace(CALIBRATION, view=None, draw=None)),
    ],
)
def test_there_and_back(stored):
    path = write_stored(stored)
    assert read_stored(NAME) == stored
    assert stored_profiles() == [stored]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_is_stored_goes_before_the_family():
    write_stored(StoredProfile(NAME, Price(2.5, 10), CALIBRATION))
    assert profile_of(model(), NAME) == replace(
        GPT,
        name=NAME,
        price=Price(2.5, 10),
        view=CALIBRATION.view,
        draw=("mark", "box"),
        marks_read=0.9,
    )
    assert profile_of(model(), NAME, stored=False) == GPT
    assert profile_of(model(), "openai:gpt-4o-mini") == GPT  # another model


def test_a_price_alone_changes_nothing_else():
    write_stored(StoredProfile(NAME, Price(2.5, 10)))
    assert profile_of(model(), NAME) == replace(GPT, price=Price(2.5, 10))


def test_a_model_that_reads_no_marks_is_shown_them_as_its_family():
    write_stored(StoredProfile(NAME, None, replace(CALIBRATION, view=None, draw=None, marks_read=0.05)))
    assert profile_of(model(), NAME) == replace(GPT, name=NAME, marks_read=0.05)


def test_a_later_one_replaces_an_earlier_one():
    write_stored(StoredProfile(NAME, Price(1, 1)))
    path = write_stored(StoredProfile(NAME, Price(2, 2)))
    assert read_stored(NAME).price == Price(2, 2)
    assert len(list(path.parent.iterdir())) == 1


def test_a_person_can_read_and_edit_the_file():
    path = write_stored(StoredProfile(NAME, None, CALIBRATION))
    told = json.loads(path.read_text())
    assert told["model"] == NAME
    assert told["calibration"]["draw"] == ["mark", "box"]
    assert path.read_text().count("\n") > 20
    told["price"] = {"usd_in": 3, "usd_out": 15}
    path.write_text(json.dumps(told))
    assert profile_of(model(), NAME).price == Price(3, 15)


def test_names_that_differ_have_files_that_differ():
    names = [NAME, NAME.upper(), "llava:/a/b", "llava:/a_b", "llava:../../b", "x" * 400, "ü", "..", ""]
    paths = {profile_path(name) for name in names}
    assert len({str(path).casefold() for path in paths}) == len(names)
    for path in paths:
        assert path.parent == home() / "profiles"
        assert len(path.name) < 100
    for name in names:
        write_stored(StoredProfile(name))
    assert sorted(stored.model for stored in stored_profiles()) == sorted(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ("{}", "model"),
        ('{"model": "openai:gpt-4o", "price": {"usd_in": "x", "usd_out": 1}}', "price.usd_in"),
        ('{"model": "openai:gpt-4o", "price": {"usd_in": -1, "usd_out": 1}}', "-1"),
        ('{"model": "openai:gpt-4o", "price": {"usd_in": NaN, "usd_out": 1}}', "price"),
        ('{"model": "openai:other"}', "'openai:other'"),
        (b"\xff\xfe", "JSON"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(text, words):
    path = write_stored(StoredProfile(NAME))
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        profile_of(model(), NAME)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert words in message


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [("draw", ["mark", "halo"], "halo"), ("view", {"name": "x", "long_px": 3}, "too small")],
)
def test_a_calibration_that_cannot_be_drawn(part, value, words):
    path = write_stored(StoredProfile(NAME, None, CALIBRATION))
    told = json.loads(path.read_text())
    told["calibration"][part] = value
    path.write_text(json.dumps(told))
    with pytest.raises(InputError, match=words) as caught:
        read_stored(NAME)
    assert str(path) in str(caught.value)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        write_stored(StoredProfile(NAME))


def test_without_the_variable_it_is_the_users_folder(monkeypatch):
    import platformdirs

    for value in ("", None):
        if value is None:
            monkeypatch.delenv("SOM_AGENT_HOME")
        else:
            monkeypatch.setenv("SOM_AGENT_HOME", value)
        assert str(home()) == platformdirs.user_config_dir("som-agent", appauthor=False)
    monkeypatch.setenv("SOM_AGENT_HOME", "~/there")
    assert "~" not in str(home())
