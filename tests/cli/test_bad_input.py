"""Bad input: one clear line that names the thing, status 2, and nothing half-written."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from langchain.chat_models import base

from som_agent.video import write_image

KNOWN_SEGMENTERS = ["hierarchy", "labels:DIR", "sam:CHECKPOINT", "hf:REPO_OR_DIR"]


@pytest.fixture
def files(tmp_path, clip):
    """Inputs of every bad kind, by name."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "empty").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "notes.txt").write_text("no picture")
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.mp4").write_text("this is a text, whatever its name says\n" * 50)
    (folder / "text.png").write_text("this is a text, whatever its name says\n" * 50)
    data = clip.path.read_bytes()
    # Without the index at its end nothing can be read.
    media, index = data.index(b"mdat"), data.index(b"moov")
    assert index < media, "the index comes first"
    (folder / "headless.mp4").write_bytes(data[: index - 4])
    write_image(folder / "photo.png", np.full((40, 60, 3), 90, np.uint8))
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:60])
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.mp4", ["no such file", "missing.mp4"]),
        ("missing", ["no such file", "missing"]),
        ("empty", ["empty has no pictures"]),
        ("texts", ["texts has no pictures"]),
        ("zero.mp4", ["zero.mp4 is empty (0 bytes)"]),
        ("zero.png", ["zero.png", "0 bytes"]),
        ("text.mp4", ["text.mp4 is not a video"]),
        ("text.png", ["text.png is not a picture"]),
        ("headless.mp4", ["headless.mp4"]),
        ("cut.png", ["cut.png is not a picture"]),
    ],
)
@pytest.mark.parametrize("task", ["track", "ask"])
def test_unreadable_sources(cli, files, unchanged, task, name, words):
    check = unchanged()
    rest = ["-o", "run"] if task == "track" else ["Which mark is red?"]
    cli(task, files / name, *rest).refused(*words)
    check()


@pytest.mark.parametrize("name", ["missing.png", "zero.png", "text.png", "cut.png", "empty", "texts"])
def test_unreadable_pictures(cli, files, unchanged, name):
    check = unchanged()
    cli("mark", files / name).refused(name)
    cli("mark", files / name, "--json").refused(name)
    check()


def test_a_video_is_not_a_picture(cli, clip, unchanged):
    check = unchanged()
    cli("mark", clip.path).refused("clip.mp4 is not a single picture", "track")
    check()


def test_an_absurdly_long_name(cli):
    name = "x" * 5000
    for line in (["mark", name], ["track", name, "-o", "run"], ["ask", name, "Which is red?"]):
        cli(*line).refused("xxx")


def test_unknown_segmenters(cli, files, clip, unchanged):
    check = unchanged()
    for line in (
        ["mark", files / "photo.png"],
        ["track", clip.path, "-o", "run"],
        ["ask", clip.path, "Which is red?"],
    ):
        cli(*line, "--segmenter", "yolo").refused("'yolo'", *KNOWN_SEGMENTERS)
    cli("mark", files / "photo.png", "--segmenter", "labels").refused("labels:DIR")
    cli("mark", files / "photo.png", "--segmenter", "labels:nowhere").refused("'nowhere'")
    cli("mark", files / "photo.png", "--segmenter", f"labels:{files / 'empty'}").refused("no masks")
    cli("mark", files / "photo.png", "--segmenter", "sam:nowhere.pth").refused("nowhere.pth")
    check()


def test_masks_that_do_not_fit(cli, files, clip, make, tmp_path, unchanged):
    masks = make.write_labels(tmp_path / "masks", clip.maps[:5])
    check = unchanged()
    cli("mark", files / "photo.png", "--segmenter", f"labels:{masks}").refused("photo.png")
    done = cli("track", clip.path, "-o", "new/run", "--segmenter", f"labels:{masks}")
    done.refused("5 masks, none for frame 5")
    check()


def test_unknown_models_are_said_before_the_video_is_read(cli, clip, unchanged):
    check = unchanged()
    for name, words in (
        ("gpt", ["'gpt'", "attributes", "llava:REPO_OR_DIR"]),
        ("nobody:big", ["nobody", "attributes"]),
        ("llava:", ["llava:REPO_OR_DIR"]),
        ("attributes:x", ["attributes"]),
    ):
        cli("ask", clip.path, "Which is red?", "--lmm", name).refused(*words)
    cli("ask", "missing.mp4", "Which is red?", "--lmm", "gpt").refused("'gpt'")
    check()


def test_a_missing_extra_has_the_pip_line(cli, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain_openai", None)
    base._get_chat_model_creator.cache_clear()  # LangChain remembers a provider that was there before
    cli("ask", clip.path, "Which is red?", "--lmm", "openai:gpt-4o").refused(
        "openai:gpt-4o", 'pip install "som-agent[openai]"'
    )


def test_a_missing_higra_says_what_else_there_is(cli, files, monkeypatch, unchanged):
    check = unchanged()
    monkeypatch.setitem(sys.modules, "higra", None)
    cli("mark", files / "photo.png").refused("Higra", "labels:DIR", "sam:CHECKPOINT")
    check()


@pytest.mark.parametrize("question", ["", "  ", "\n"])
def test_an_empty_question(cli, clip, question):
    cli("ask", clip.path, question).refused("the question is empty")


def test_options_that_make_no_sense(cli, files, clip, unchanged):
    check = unchanged()
    photo, track = files / "photo.png", ["track", clip.path, "-o", "run"]
    cli("mark", photo, "--draw", "ink").refused("'ink'", "mark, mask, box, contour")
    cli("mark", photo, "--labels", "roman").refused("roman", "numbers", "letters")
    cli("mark", photo, "--max-marks", 0).refused("--max-marks")
    cli("mark", photo, "--max-marks", "many").refused("--max-marks")
    cli("mark", photo, "--size", 3).refused("--size")
    cli("mark", photo, "--look", 3).refused("--look")
    cli("mark", photo, "--colour").refused("--colour")
    cli("mark").refused("image")
    cli("paint", photo).refused("paint")
    cli("track", clip.path).refused("-o")
    cli("ask", clip.path).refused("question")
    cli(*track, "--start", 2, "--end", 1).refused("start 2 s is not before end 1 s")
    cli(*track, "--start", 1, "--end", 1).refused("start 1 s is not before end 1 s")
    cli(*track, "--start", 99).refused("clip.mp4", "99 s")
    cli(*track, "--start=-1").refused("start -1")
    cli(*track, "--start", "nan").refused("start nan")
    cli(*track, "--every", 0).refused("--every")
    cli("ask", clip.path, "Which is red?", "--start", 2, "--end", 1).refused("start 2 s")
    check()


def test_places_that_cannot_be_written(cli, picture, clip, tmp_path, unchanged):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "taken" / "marked.mp4").mkdir(parents=True)
    labels = ["--segmenter", f"labels:{picture.parent / 'labels'}"]
    check = unchanged()
    cli("mark", picture, *labels, "-o", tmp_path / "no" / "folder" / "x.png").refused("x.png")
    cli("mark", picture, *labels, "-o", tmp_path / "file" / "x.png").refused("x.png")
    cli("mark", picture, *labels, "-o", tmp_path / "folder.png").refused("folder.png", "it is a folder")
    cli("mark", picture, *labels, "-o", tmp_path / "x.gif").refused("x.gif", ".png")
    cli("mark", picture, *labels, "-o", tmp_path / "x").refused(".png")
    labels = ["--segmenter", clip.segmenter]
    cli("track", clip.path, *labels, "-o", tmp_path / "file").refused("file")
    cli("track", clip.path, *labels, "-o", tmp_path / "file" / "run").refused("run")
    cli("track", clip.path, *labels, "-o", tmp_path / "taken").refused("marked.mp4", "it is a folder")
    check()
    assert (tmp_path / "file").read_text() == "mine"


def test_damaged_runs(cli, clip, tmp_path, unchanged):
    run = tmp_path / "run"
    assert cli("track", clip.path, "-o", run, "--segmenter", clip.segmenter, "--end", 0.5).code == 0
    whole = {path.name: path.read_bytes() for path in run.iterdir()}
    check = unchanged()
    for name, content in (
        ("tracks.parquet", b""),
        ("tracks.parquet", whole["tracks.parquet"][:300]),
        ("tracks.parquet", b"PAR1 and so on"),
        ("run.json", b""),
        ("run.json", whole["run.json"][:200]),
        ("run.json", b"[]"),
    ):
        (run / name).write_bytes(content)
        cli("ask", run, "Which is red?").refused(str(run), "not a readable run")
        (run / name).write_bytes(whole[name])
    assert cli("ask", run, "Which is red?").code == 0
    check()
    (run / "tracks.parquet").unlink()
    cli("ask", run, "Which is red?").refused(str(run), "tracks.parquet")


def test_a_folder_with_a_stray_picture(cli, tmp_path, unchanged):
    folder = tmp_path / "shots"
    folder.mkdir()
    write_image(folder / "a.png", np.zeros((40, 60, 3), np.uint8))
    write_image(folder / "b.png", np.zeros((40, 62, 3), np.uint8))
    check = unchanged()
    cli("track", folder, "-o", "run").refused("b.png is 62x40", "a.png is 60x40")
    check()


def test_the_real_command(command, files, tmp_path):
    done = command("track", files / "text.mp4", "-o", tmp_path / "run")
    done.refused("text.mp4")
    assert not (tmp_path / "run").exists()


def test_a_bug_is_no_bad_input(cli, monkeypatch, picture):
    """What is not the user's fault is not hidden behind status 2."""

    def broken(*_arguments, **_options):
        raise ZeroDivisionError

    monkeypatch.setattr("som_agent.api.mark", broken)
    with pytest.raises(ZeroDivisionError):
        cli("mark", picture)


def test_a_full_disk(cli, clip, monkeypatch, unchanged):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("som_agent.video.writer.moved_into_place", full)
    check = unchanged()
    done = cli("track", clip.path, "-o", "new/run", "--segmenter", clip.segmenter)
    done.refused("marked.mp4", "No space left on device")
    check()


def test_the_input_is_not_overwritten(cli, picture, tmp_path, unchanged, monkeypatch):
    own = shutil.copy(picture, tmp_path / "own.png")
    (tmp_path / "link.png").symlink_to(own)
    (tmp_path / "shots").mkdir()
    shutil.copy(picture, tmp_path / "shots" / "one.png")
    masks = shutil.copytree(picture.parent / "labels", tmp_path / "masks")
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("som_agent.api.mark", None)  # said before any work
    for source, out in (
        (own, own),
        ("own.png", tmp_path / "own.png"),
        ("own.png", "shots/../own.png"),
        ("own.png", "link.png"),
        ("link.png", "own.png"),
        ("shots", "shots/one.png"),
    ):
        cli("mark", source, "-o", out).refused(f"{out} would overwrite its own input")
    cli("mark", "own.png", "-o", "masks/scene.png", "--segmenter", f"labels:{masks}").refused(
        "masks/scene.png would overwrite its own input"
    )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_picture_beside_its_input_is_written(cli, picture, tmp_path):
    own = shutil.copy(picture, tmp_path / "own.png")
    for _ in range(2):
        assert cli("mark", own, "-o", tmp_path / "marked.png").code == 0


def test_a_run_does_not_overwrite_the_video_that_it_tracks(cli, clip, tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert cli("track", clip.path, "-o", run, "--segmenter", clip.segmenter, "--end", 0.5).code == 0
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("som_agent.session.Session", None)  # said before any work
    cli("track", "run/marked.mp4", "-o", "run").refused(
        "run/marked.mp4 would overwrite its own input run/marked.mp4"
    )
    cli("track", run / "marked.mp4", "-o", "../" + tmp_path.name + "/run").refused("its own input")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_empty_names_are_not_the_current_folder(cli, clip, picture, monkeypatch):
    assert cli("track", clip.path, "-o", ".", "--segmenter", clip.segmenter, "--end", 0.3).code == 0
    shutil.copy(picture, "scene.png")  # the current folder is a run and a folder of one picture
    before = sorted(path.name for path in Path().iterdir())
    cli("ask", "", "Which is red?").refused("the source is empty")
    cli("mark", "").refused("the source is empty")
    cli("track", "", "-o", "run").refused("the source is empty")
    cli("track", clip.path, "-o", "").refused("--out is empty")
    cli("mark", picture, "-o", "").refused("--out is empty")
    cli("mark", picture, "--segmenter", "labels:").refused("labels:DIR")
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no name here")
def test_pipes_and_devices(cli, tmp_path, unchanged):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    check = unchanged()
    for name in (tmp_path / "pipe", tmp_path / "pipe.png", "/dev/zero"):
        cli("track", name, "-o", "run").refused(f"{name} is not a regular file")
        cli("mark", name).refused(f"{name} is not a regular file")
        cli("ask", name, "Which is red?").refused(f"{name} is not a regular file")
    check()


def test_masks_of_another_shape(cli, files, make, tmp_path, unchanged):
    masks = make.write_labels(tmp_path / "masks", [np.ones((77, 100), int)], ["photo"])
    check = unchanged()
    done = cli("mark", files / "photo.png", "--segmenter", f"labels:{masks}")
    done.refused("photo.png is 100x77 px", "60x40 px")
    check()


def test_nothing_to_draw(cli, files, unchanged):
    check = unchanged()
    for draw in ("", ",", " "):
        cli("mark", files / "photo.png", "--draw", draw).refused("--draw", "mark, mask, box, contour")
    check()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--max-marks", "0", "--max-marks 0 makes no sense: it is a whole number, 1 or more"),
        ("--max-marks", "many", "--max-marks many makes no sense: it is a whole number, 1 or more"),
        ("--max-marks", "2.5", "--max-marks 2.5 makes no sense: it is a whole number, 1 or more"),
        ("--size", "3", "--size 3 makes no sense: it is a whole number, 16 or more"),
        ("--every", "-1", "--every -1 makes no sense: it is a whole number, 1 or more"),
        ("--start", "soon", "--start soon makes no sense: it is in seconds from the first frame, 0 or more"),
        ("--end", "nan", "--end nan makes no sense: it is in seconds from the first frame, 0 or more"),
        ("--labels", "roman", "--labels roman is not known; known: numbers, letters"),
    ],
)
def test_values_are_named_with_what_is_allowed(cli, clip, option, value, says):
    done = cli("track", clip.path, "-o", "run", option, value)
    done.refused()
    assert done.err == f"som-agent: {says}\n"


@pytest.mark.parametrize("look", ["3", "-400"])
def test_a_look_too_small(cli, files, look):
    cli("mark", files / "photo.png", "--look", look).refused(
        f"--look {look} makes no sense: it is a whole number, 16 or more"
    )


def test_a_look_of_an_unknown_model(cli, files):
    cli("mark", files / "photo.png", "--look", "x").refused(
        "--look x makes no sense: it is the pixels of the long side, 16 or more, "
        "or a model: llava-1.5, claude, gemini, qwen, gpt"
    )


@pytest.mark.parametrize("alpha", ["-0.1", "1.5", "much", "nan"])
def test_a_senseless_alpha(cli, files, alpha):
    cli("mark", files / "photo.png", "--alpha", alpha).refused(
        f"--alpha {alpha} makes no sense: it is from 0 (no tint) to 1 (opaque)"
    )


def test_a_look_too_large(cli, files):
    cli("mark", files / "photo.png", "--look", 99_999_999).refused(
        "a picture of 99999999 px is too large to draw"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--zoom", ""), "--zoom is empty"),
        (("--parts", "hierarchy"), "--parts hierarchy finds the parts of a mark"),
    ],
)
def test_a_senseless_zoom(cli, files, options, said):
    cli("mark", files / "photo.png", *options).refused(said)
