"""`som-agent repair` on a run of its own."""

import json

import numpy as np
import pytest

from som_agent.runs import read_run


@pytest.fixture
def run(cli, clip, tmp_path):
    assert cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter).code == 0
    return tmp_path / "run"


def test_a_session_of_repairs(cli, run):
    done = cli("repair", run, "split", "1", "--at", "1.0")
    assert (done.code, done.out, done.err) == (0, "split 4 off 1 from 1 s (14 rows)\n", "")
    assert cli("repair", run, "merge", "4", "1", "--no-video").out == "merged 4 into 1 (14 rows)\n"
    assert cli("repair", run, "rename", "2", "left cup").out == "renamed 2 to 'left cup'\n"
    done = cli("repair", run, "delete", "left cup", "--since", "2", "--json", "--no-video")
    assert list(done.json) == ["run", "edit", "marks", "video"]
    assert done.json["edit"]["edit"] == 4
    assert done.json["edit"]["rows"] == {"changed": 0, "removed": 4, "united": 0}
    assert done.json["marks"][1] == {"mark": 2, "label": "left cup"}
    assert done.json["video"].startswith("as it was before")
    assert "marked.mp4 is as it was before: it was not asked for" in done.err
    assert cli("repair", run, "draw").code == 0
    assert cli("repair", run, "undo").out.startswith("undid edit 4: deleted left cup from 2 s")
    log = cli("repair", run, "log")
    assert log.out.count("\n") == 5
    assert log.out.splitlines()[3].endswith("(undone)")
    told = cli("repair", run, "log", "--json").json
    assert [entry["edit"] for entry in told["edits"]] == [1, 2, 3, 4, 5]
    assert json.loads((run / "run.json").read_text())["repairs"]["video"] == "with all edits"


def test_answers_follow(cli, run, clip):
    (red,) = cli("ask", run, "Which mark is red?", "--json").json["marks"]
    assert cli("repair", run, "rename", red["mark"], "my cup", "--no-video").code == 0
    told = cli("ask", run, "When is [my cup] visible?", "--json").json
    assert [mark["label"] for mark in told["marks"]] == ["my cup"]
    assert told["unsupported"] == []
    assert "[my cup]" in told["answer"]
    assert cli("repair", run, "delete", "my cup", "--no-video").code == 0
    assert cli("ask", run, "Which mark is red?", "--json").json["marks"] == []


def test_reassign(cli, run):
    blue = cli("ask", run, "Which mark is blue?", "--json").json["marks"][0]["mark"]
    green = cli("ask", run, "Which mark is green?", "--json").json["marks"][0]["mark"]
    line = ["repair", run, "reassign", green, blue]
    cli(*line, "--since", 1.2).refused("are both visible in 12 frames", "--force")
    told = cli(*line, "--frames", "12-13,15", "--force").out
    assert told == f"gave rows of {green} to {blue} in 3 frames (6 rows)\n"
    frames = read_run(run).history.traces[green].frames
    np.testing.assert_array_equal(np.setdiff1d(np.arange(12, 24), frames), [12, 13, 15])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly", "1"], ["unknown edit 'fly'", "merge, split"]),
        (["merge", "1"], ["merge takes two marks, got 1"]),
        (["split", "1"], ["split takes a mark and --at SECONDS"]),
        (["undo", "1"], ["undo takes nothing, got 1"]),
        (["undo"], ["has no edit that could be undone"]),
        (["merge", "1", "2"], ["both visible", "--force"]),
        (["merge", "1", "8"], ["there is no mark 8"]),
        (["rename", "1", "2"], ["'2' is mark 2 already"]),
        (["rename", "1", "x", "--since", "3"], ["rename does not take --since"]),
        (["delete", "1", "--force"], ["delete does not take --force"]),
        (["delete", "1", "--since", "3", "--until", "2"], ["--since 3 s is not before --until 2 s"]),
        (["delete", "1", "--since", "-3"], ["--since -3 makes no sense"]),
        (["reassign", "1", "2", "--frames", "5-x"], ["--frames 5-x makes no sense"]),
    ],
)
def test_bad_input(cli, run, arguments, words, unchanged):
    check = unchanged()
    cli("repair", run, *arguments).refused(*words)
    check()


def test_no_run(cli, tmp_path):
    cli("repair", tmp_path, "merge", "1", "2").refused("is not a readable run")
    cli("repair", tmp_path, "log").refused("is not a readable run")
