import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from som_agent.errors import InputError
from som_agent.history import VISIBLE
from som_agent.keyframes import Wanted
from som_agent.marks.view import View
from som_agent.regions import Regions
from som_agent.rle import decode
from som_agent.runs import RunWriter, is_run, read_run
from som_agent.runs.record import record
from som_agent.session import Session
from som_agent.video import open_video, write_image

WANTED = Wanted(View.of_side(1024), range(1, 9))


@pytest.fixture
def copy(run_dir, tmp_path):
    return shutil.copytree(run_dir, tmp_path / "copy")


def test_a_run_is_read_as_it_was_seen(clip, run_dir):
    session = Session(clip.segmenter)
    with open_video(clip.path) as video:
        for _ in session.run(video):
            pass
    live, stored = session.history, read_run(run_dir).history
    assert stored.size == stored.mask_size == live.size
    assert stored.marks == live.marks
    assert stored.segmenter == live.segmenter
    np.testing.assert_array_equal(stored.frames, live.frames)
    np.testing.assert_allclose(stored.times, live.times, atol=1e-6)
    np.testing.assert_allclose(stored.sharpness, live.sharpness, atol=0.01)
    assert len(live.sharpness) == len(live.frames)
    for mark, trace in live.traces.items():
        other = stored.traces[mark]
        for name in ("frames", "times", "states", "boxes", "areas", "anchors", "scores", "colors"):
            a, b = getattr(trace, name), getattr(other, name)
            np.testing.assert_allclose(a, b, atol=1e-5)
            assert a.dtype == b.dtype
        assert trace.rles == other.rles


def test_pictures_are_drawn_anew_from_the_source(run_dir, clip):
    run = read_run(run_dir)
    pictures = run.pictures([15, 2, 15], WANTED)
    assert [picture.frame for picture in pictures] == [2, 15]
    assert [picture.time for picture in pictures] == pytest.approx([0.2, 1.5])
    assert [picture.marks for picture in pictures] == [(1, 2), (1, 2, 3)]
    assert all(max(picture.image.shape) == 1024 for picture in pictures)
    assert run.pictures([], WANTED) == []


def test_the_masks_of_a_run(run_dir, clip):
    history = read_run(run_dir).history
    for trace in history.traces.values():
        for k in np.flatnonzero(trace.states == VISIBLE):
            mask = decode(trace.rles[k], history.mask_size)
            assert len(np.unique(clip.maps[trace.frames[k]][mask])) == 1


def test_folders_of_pictures_keep_their_clock(clip, make, tmp_path):
    names = [f"shot{i:03d}" for i in range(6)]
    folder = tmp_path / "shots"
    folder.mkdir()
    for name, labels in zip(names, clip.maps, strict=False):
        write_image(folder / f"{name}.png", make.paint(labels))
    masks = make.write_labels(tmp_path / "masks", clip.maps[:6], names)
    with open_video(folder, fps=5) as video:
        record(video, Session(f"labels:{masks}"), tmp_path / "run")
    (shown,) = read_run(tmp_path / "run").pictures([4], WANTED)
    assert (shown.frame, shown.time) == (4, pytest.approx(0.8))


def test_a_source_that_is_gone_is_named(clip, tmp_path):
    source = tmp_path / "moved.mp4"
    shutil.copy(clip.path, source)
    with open_video(source) as video:
        record(video, Session(clip.segmenter), tmp_path / "run")
    source.unlink()
    run = read_run(tmp_path / "run")
    assert len(run.history.marks) == 3, "the tracks need no source"
    with pytest.raises(InputError, match=r"no such file: .*moved\.mp4"):
        run.pictures([0], WANTED)


def test_what_is_a_run(run_dir, clip, tmp_path):
    assert is_run(run_dir)
    assert is_run(str(run_dir))
    assert not is_run(tmp_path)
    assert not is_run(clip.path)
    assert not is_run(tmp_path / "nowhere")
    assert not is_run("x" * 5000)


def refused(folder):
    with pytest.raises(InputError) as caught:
        read_run(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder} is not a readable run")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[]", b'{"size": [96, 64]}', b'"text"', b"null", b"\xff\xfe"]
)
def test_a_damaged_run_json(copy, content):
    (copy / "run.json").write_bytes(content)
    refused(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"marks": None},
        {"marks": [{"mark": 1}]},
        {"marks": []},
        {"size": [96]},
        {"size": "large"},
        {"frames": ["a"]},
        {"settings": {}},
        {"settings": None},
        {"settings": {"style": {"draw": ["ink"]}, "max_marks": 3}},
    ],
)
def test_a_run_json_of_another_shape(copy, change):
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, **change}))
    refused(copy)


def test_a_cut_run_json(copy):
    text = (copy / "run.json").read_text()
    (copy / "run.json").write_text(text[: len(text) // 2])
    refused(copy)


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.98])
def test_a_cut_parquet(copy, keep):
    data = (copy / "tracks.parquet").read_bytes()
    (copy / "tracks.parquet").write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    refused(copy)


def test_damage_inside_the_parquet(copy):
    data = bytearray((copy / "tracks.parquet").read_bytes())
    data[200:600] = bytes(400)
    (copy / "tracks.parquet").write_bytes(data)
    refused(copy)


def test_missing_parts(copy):
    (copy / "tracks.parquet").unlink()
    assert "tracks.parquet" in refused(copy)


@pytest.mark.parametrize("column", ["mark", "rle", "colors", "state"])
def test_a_parquet_without_a_column(copy, column):
    table = pq.read_table(copy / "tracks.parquet")
    pq.write_table(table.drop_columns([column]), copy / "tracks.parquet")
    assert column in refused(copy)


def test_tracks_of_another_run(copy):
    table = pq.read_table(copy / "tracks.parquet")
    pq.write_table(table.slice(0, 4), copy / "tracks.parquet")
    assert "different marks" in refused(copy)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"marks": None}, "'marks' of run.json makes no sense: null"),
        ({"marks": [{"mark": 1}]}, "'marks' of run.json lacks 'color'"),
        ({"size": "large"}, "'size' of run.json makes no sense: \"large\""),
        ({"settings": {}}, "run.json lacks 'style'"),
        ({"segmenter": 3}, "'segmenter' of run.json makes no sense: 3"),
        ({"source": None}, "'source' of run.json makes no sense: null"),
        ({"fps": [1]}, "'fps' of run.json makes no sense: [1]"),
        ({"frames": ["a"] * 99}, "'frames' of run.json makes no sense: ["),
    ],
)
def test_a_field_is_named_in_words(copy, change, says):
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, **change}))
    message = refused(copy)
    assert message.startswith(f"{copy} is not a readable run: {says}")
    assert len(message) < len(str(copy)) + 130


@pytest.mark.parametrize(
    "name", ["size", "frames", "times", "marks", "segmenter", "settings", "source", "fps"]
)
def test_a_lacking_field_is_named(copy, name):
    info = json.loads((copy / "run.json").read_text())
    del info[name]
    (copy / "run.json").write_text(json.dumps(info))
    assert refused(copy) == f"{copy} is not a readable run: run.json lacks {name!r}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "run.json is not JSON: "),
        (b"[]", "run.json is not a JSON object"),
        (b"\xff\xfe", "run.json is not text in UTF-8"),
    ],
)
def test_what_is_no_run_json_is_said_in_words(copy, content, says):
    (copy / "run.json").write_bytes(content)
    message = refused(copy)
    assert says in message
    assert "Error" not in message


def test_rows_that_make_no_sense(copy):
    table = pq.read_table(copy / "tracks.parquet")
    states = table.schema.get_field_index("state")
    pq.write_table(table.set_column(states, "state", [["lost"] * len(table)]), copy / "tracks.parquet")
    assert refused(copy) == f"{copy} is not a readable run: the rows of tracks.parquet make no sense"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no name here")
def test_a_pipe_in_place_of_the_tracks(copy):
    (copy / "tracks.parquet").unlink()
    os.mkfifo(copy / "tracks.parquet")
    assert "tracks.parquet is not a regular file" in refused(copy)


def test_an_empty_name_is_not_the_current_folder(run_dir, monkeypatch):
    monkeypatch.chdir(run_dir)
    assert is_run(".")
    assert not is_run("")
    with pytest.raises(InputError, match="its name is empty"):
        read_run("")


def test_parts_and_marks_made_of_marks_are_read_back(clip, tmp_path):
    session = Session(clip.segmenter)

    class Halves:
        name = "halves"

        def segment(self, frame):
            h, w = frame.image.shape[:2]
            half = np.ones((h, w), np.int32)
            half[:, w // 2 :] = 2
            return Regions.from_labels(half)

    with (
        open_video(clip.path, end=0.8) as video,
        RunWriter(tmp_path / "run", str(clip.path), (96, 64), 10.0, "x", session.settings) as run,
    ):
        for frame in video:
            run.add(session.step(frame), session.observations)
            if frame.index == 2:
                part = session.zoom(2, segmenter=Halves()).marked.infos[0]
                both = session.union(1, 2)
    stored = read_run(tmp_path / "run").history
    assert stored.marks[part.mark] == part
    assert (part.label, part.parent) == ("2a", 2)
    assert stored.marks[both.mark] == both
    assert both.made_of == "1 ∪ 2"
    assert stored.traces[both.mark].frames.tolist() == [3, 4, 5, 6, 7], "a run has what was handed to it"
    rows = json.loads((tmp_path / "run" / "run.json").read_text())["marks"]
    assert [(row["mark"], row["parent"]) for row in rows if row["parent"]] == [
        (part.mark, 2),
        (part.mark + 1, 2),
    ]


def test_runs_of_before_know_no_parts(copy):
    info = json.loads((copy / "run.json").read_text())
    for row in info["marks"]:
        del row["parent"], row["made_of"]
    (copy / "run.json").write_text(json.dumps(info))
    marks = read_run(copy).history.marks.values()
    assert {(mark.parent, mark.made_of) for mark in marks} == {(None, None)}
    info["marks"][0]["made_of"] = 7
    (copy / "run.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=r"'marks' of run.json makes no sense"):
        read_run(copy)
