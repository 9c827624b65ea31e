import shutil

import numpy as np
import pytest

QUESTION = "Which mark is red?"


@pytest.fixture
def run(cli, clip, tmp_path):
    """A run whose masks are gone: whoever wants to segment again cannot."""
    masks = shutil.copytree(clip.labels, tmp_path / "masks")
    assert cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", f"labels:{masks}").code == 0
    shutil.rmtree(masks)
    return tmp_path / "run"


def number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_json_is_the_contract(cli, clip):
    done = cli("ask", clip.path, QUESTION, "--segmenter", clip.segmenter, "--json")
    assert (done.code, done.err) == (0, "")
    told = done.json
    assert list(told) == [
        *("answer", "marks", "unsupported", "lmm", "segmenter"),
        *("claims", "none_such", "as_of", "newest", "now", "usage"),
    ]
    assert isinstance(told["answer"], str)
    assert told["lmm"] == "attributes"
    assert told["segmenter"] == clip.segmenter
    assert told["unsupported"] == []
    (mark,) = told["marks"]
    assert list(mark) == ["mark", "label", "intervals", "evidence"]
    assert isinstance(mark["mark"], int)
    assert mark["label"] == str(mark["mark"])
    assert f"[{mark['mark']}]" in told["answer"]
    assert mark["intervals"]
    for interval in mark["intervals"]:
        start, end = interval
        assert number(start)
        assert number(end)
        assert 0 <= start <= end <= 2.3
    assert mark["evidence"]
    for evidence in mark["evidence"]:
        assert list(evidence) == ["frame", "time", "box", "anchor"]
        assert isinstance(evidence["frame"], int)
        assert evidence["time"] == pytest.approx(evidence["frame"] / 10, abs=1e-3)
        y, x = np.nonzero(clip.maps[evidence["frame"]] == 1)
        assert evidence["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert all(number(v) for v in (*evidence["box"], *evidence["anchor"]))
        assert clip.maps[evidence["frame"]][int(evidence["anchor"][1]), int(evidence["anchor"][0])] == 1
    (claim,) = told["claims"]
    assert (claim["text"], claim["marks"], claim["verified"]) == (told["answer"], [mark["mark"]], None)
    assert not told["none_such"]
    assert told["as_of"] == told["newest"]
    (now,) = told["now"]
    assert (now["mark"], now["seen"]["frame"] <= told["newest"]["frame"]) == (mark["mark"], True)
    assert told["usage"] is None


def test_what_cannot_be_grounded_is_said(cli, clip):
    told = cli("ask", clip.path, "Where is the dog?", "--segmenter", clip.segmenter, "--json").json
    assert told["marks"] == []
    assert told["unsupported"]
    for part in told["unsupported"]:
        assert list(part) == ["text", "reason"]
        assert all(isinstance(value, str) for value in part.values())
    assert any("dog" in part["text"] for part in told["unsupported"])


def test_for_a_person(cli, clip):
    done = cli("ask", clip.path, QUESTION, "--segmenter", clip.segmenter)
    assert (done.code, done.err) == (0, "")
    first, *rest = done.out.splitlines()
    assert "[" in first
    assert rest
    assert " s" in rest[0]
    done = cli("ask", clip.path, "Where is the dog?", "--segmenter", clip.segmenter)
    assert "not grounded: " in done.out
    assert "dog" in done.out


def test_a_run_answers_without_segmenting_again(cli, clip, run, monkeypatch):
    def never(*_arguments, **_options):
        raise AssertionError("a stored run was segmented again")

    def same(told):
        return {**told, "segmenter": ""}

    for question in (
        QUESTION,
        "How many objects are there?",
        "Which mark moves?",
        "When does mark 3 first appear?",
    ):
        direct = cli("ask", clip.path, question, "--segmenter", clip.segmenter, "--json").json
        with monkeypatch.context() as patch:
            patch.setattr("som_agent.session.load_segmenter", never)
            patch.setattr("som_agent.segmenters.load_segmenter", never)
            stored = cli("ask", run, question, "--json")
        assert stored.err == ""
        assert same(stored.json) == same(direct)
        assert stored.json["segmenter"].startswith("labels:")


def test_a_run_without_its_source(cli, clip, tmp_path):
    source = tmp_path / "source.mp4"
    shutil.copy(clip.path, source)
    line = ["track", source, "-o", tmp_path / "run", "--segmenter", clip.segmenter]
    assert cli(*line).code == 0
    source.unlink()
    assert cli("ask", tmp_path / "run", QUESTION).code == 0


def test_a_part_of_the_time(cli, clip):
    line = ["ask", clip.path, "How many objects are there?", "--segmenter", clip.segmenter, "--json"]
    early = cli(*line, "--end", 0.8).json
    assert len(early["marks"]) == 2
    assert all(end <= 0.8 for mark in early["marks"] for _, end in mark["intervals"])
    assert len(cli(*line).json["marks"]) == 3


def test_a_picture(cli, picture):
    told = cli(
        "ask", picture, "Which mark is blue?", "--segmenter", f"labels:{picture.parent / 'labels'}", "--json"
    )
    (mark,) = told.json["marks"]
    assert mark["evidence"][0]["box"] == [120, 20, 220, 70]
    assert mark["evidence"][0]["time"] == 0


def test_letters(cli, clip):
    told = cli(
        "ask", clip.path, QUESTION, "--segmenter", clip.segmenter, "--labels", "letters", "--json"
    ).json
    (mark,) = told["marks"]
    assert mark["label"] in "ABC"
    assert isinstance(mark["mark"], int)


def test_the_real_command(command, clip, run, tmp_path):
    done = command("ask", run, QUESTION, "--json")
    assert (done.code, done.err) == (0, "")
    assert len(done.json["marks"]) == 1


def test_times_are_told_of_videos_only(cli, clip, picture):
    oracle = f"labels:{picture.parent / 'labels'}"
    assert " s" not in cli("ask", picture, "Which marks are there?", "--segmenter", oracle).out
    assert " s" in cli("ask", clip.path, QUESTION, "--segmenter", clip.segmenter).out.splitlines()[1]
