import numpy as np
import pytest
from PIL import Image

from som_agent.video import write_image

FRAMES = 8


@pytest.fixture(scope="module")
def root(clip, make, tmp_path_factory):
    """Two sequences in the layout of DAVIS: a few frames of `clip`, forwards and backwards."""
    folder = tmp_path_factory.mktemp("davis")
    for name, maps in (("there", clip.maps[10 : 10 + FRAMES]), ("back", clip.maps[::-1][:FRAMES])):
        (folder / "JPEGImages" / name).mkdir(parents=True)
        for k, labels in enumerate(maps):
            write_image(folder / "JPEGImages" / name / f"{k:05d}.jpg", make.paint(labels))
        make.write_labels(folder / "Annotations" / name, maps)
    return folder


@pytest.fixture
def broken(root, tmp_path):
    """A copy of one sequence to spoil."""
    import shutil

    for part in ("JPEGImages", "Annotations"):
        shutil.copytree(root / part / "there", tmp_path / "broken" / part / "there")
    return tmp_path / "broken"


def test_tracks(cli, root):
    done = cli("eval", "tracks", "--root", root, "--segmenter", "labels", "--json")
    assert (done.code, done.err) == (0, "")
    data = done.json
    assert list(data["sequences"]) == ["back", "there"]
    assert data["segmenter"] == "labels"
    for scores in (data, *data["sequences"].values()):
        assert {"idf1", "id_switches", "hota", "stq", "J", "any_mark", "marks", "fps"} <= scores.keys()
        assert scores["id_switches"] == 0
        for name in ("idf1", "hota", "stq", "J", "any_mark"):
            assert 0.7 < scores[name] <= 1, name
        assert scores["fps"] > 0
    assert [found["object"] for found in data["sequences"]["there"]["objects"]] == [1, 2, 3]
    assert data["sequences"]["there"]["frames"] == FRAMES


def test_tracks_is_the_same_again(cli, root):
    line = ["eval", "tracks", "--root", root, "--segmenter", "labels", "--sequences", "there", "--json"]
    first, second = cli(*line).json, cli(*line).json
    for data in (first, second):
        for scores in (data, data["sequences"]["there"]):
            del scores["fps"]
    assert first == second
    assert list(first["sequences"]) == ["there"]


def test_tracks_for_people(cli, root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = cli("eval", "tracks", "--root", root, "--sequences", "there", "--size", 64)
    assert (done.code, done.err) == (0, "")
    for word in ("segmenter hierarchy", "there", "mean", "HOTA", "IDF1", "switches", "STQ", "all"):
        assert word in done.out
    assert "…" not in done.out


def test_the_size_reaches_the_session(cli, root, monkeypatch):
    from som_agent import session

    sizes = []
    fit = session.fit
    monkeypatch.setattr(session, "fit", lambda image, size: sizes.append(size) or fit(image, size))
    cli("eval", "tracks", "--root", root, "--sequences", "there", "--segmenter", "labels", "--size", 48)
    assert set(sizes) == {48}


def test_davis(cli, root):
    done = cli("eval", "davis", "--root", root, "--propagator", "warp", "--json")
    assert (done.code, done.err) == (0, "")
    data = done.json
    assert data["propagator"] == "warp"
    assert list(data["sequences"]) == ["back", "there"]
    for scores in (data, *data["sequences"].values()):
        assert scores["J&F"] == pytest.approx((scores["J"] + scores["F"]) / 2)
        assert 0.5 < scores["J&F"] <= 1
    assert data["fps"] > 0
    one = cli("eval", "davis", "--root", root, "--propagator", "warp", "--sequences", "back", "--json").json
    assert one["J"] == pytest.approx(data["sequences"]["back"]["J"])


def test_davis_for_people_has_plain_warping_beside(cli, root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    alone = cli("eval", "davis", "--root", root, "--sequences", "there", "--propagator", "warp")
    assert (alone.code, alone.err) == (0, "")
    assert alone.out.count("warp") == 3
    both = cli("eval", "davis", "--root", root, "--sequences", "there", "--propagator", "flow")
    assert (both.code, both.err) == (0, "")
    assert (both.out.count("flow"), both.out.count("warp")) == (3, 3)


@pytest.mark.parametrize("task", ["tracks", "davis"])
def test_bad_input_is_one_line(cli, root, broken, tmp_path, task, unchanged):
    check = unchanged()
    cli("eval", task).refused("Missing option '--root'")
    cli("eval", task, "--root", tmp_path / "nowhere").refused("nowhere", "there is no such folder")
    cli("eval", task, "--root", root / "Annotations").refused("is not in the layout of DAVIS")
    cli("eval", task, "--root", root, "--sequences", "there,cats").refused("no sequence cats", "back, there")
    cli("eval", task, "--root", root, "--sequences", ",").refused("no sequence is named", "back, there")
    cli("eval", task, "--root", root, "--size", 3).refused("--size 3")
    check()
    mask = broken / "Annotations" / "there" / "00003.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(mask)
    cli("eval", task, "--root", broken).refused("00003", "annotation")
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(mask)
    cli("eval", task, "--root", broken).refused("must be a palette or grey index PNG")


def test_unknown_names_are_one_line(cli, root, broken):
    cli("eval", "tracks", "--root", root, "--segmenter", "magic").refused("unknown segmenter 'magic'")
    cli("eval", "davis", "--root", root, "--propagator", "magic").refused("'magic'")
    (broken / "Annotations" / "there" / "00003.png").unlink()
    cli("eval", "tracks", "--root", broken).refused("there is no annotation for 00003")


def test_help(cli):
    assert "tracks" in cli("eval", "-h").out
    assert "hierarchy" in cli("eval", "tracks", "--help").out
    cli("eval", "nope").refused("No such command 'nope'")


def test_puzzles(cli, monkeypatch):
    from dataclasses import replace

    from som_agent.evaluation import puzzles

    whole = puzzles.KINDS["leavers"]
    monkeypatch.setitem(puzzles.KINDS, "leavers", lambda seed: replace(whole(seed), count=6))
    done = cli("eval", "puzzles", "--kinds", "leavers", "--seeds", 2, "--first", 5, "--json")
    assert (done.code, done.err) == (0, "")
    (scores,) = done.json.values()
    assert {"idf1", "hota", "id_switches", "answered", "puzzles"} == scores.keys()
    assert list(scores["puzzles"]) == ["5", "6"]
    assert scores["idf1"] > 0.9
    assert scores["answered"] is None
    shown = cli("eval", "puzzles", "--kinds", "leavers", "--seeds", 1)
    assert shown.code == 0
    for word in ("leavers", "IDF1", "HOTA", "ID switches", "answered"):
        assert word in shown.out


def test_puzzles_that_do_not_exist(cli):
    cli("eval", "puzzles", "--kinds", "cups,chess").refused("chess", "cups, leavers, crowd")
    assert cli("eval", "puzzles", "--seeds", 0).code == 2
