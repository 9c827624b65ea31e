import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from som_agent.video import open_video, write_image, write_video


def run_of(folder):
    info = json.loads((folder / "run.json").read_text())
    rows = pq.read_table(folder / "tracks.parquet").to_pylist()
    with av.open(str(folder / "marked.mp4")) as video:
        count = sum(1 for _ in video.decode(video.streams.video[0]))
    assert sorted(path.name for path in folder.iterdir()) == ["marked.mp4", "run.json", "tracks.parquet"]
    return info, rows, count


def test_a_run(cli, clip, tmp_path):
    done = cli("track", clip.path, "-o", tmp_path / "deep" / "run", "--segmenter", clip.segmenter)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{tmp_path / 'deep' / 'run' / 'marked.mp4'}: 24 frames, 3 marks\n"
    info, rows, count = run_of(tmp_path / "deep" / "run")
    assert info["ended"] == "complete"
    assert count == 24
    assert {row["mark"] for row in rows} == {1, 2, 3}


def test_json(cli, clip, tmp_path):
    done = cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == {"run": str(tmp_path / "run"), "ended": "complete", "frames": 24, "marks": 3}


def test_a_cut(cli, clip, tmp_path):
    done = cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter,
               "--start", 0.5, "--end", 1.5, "--every", 3, "--json")  # fmt: skip
    assert done.json["frames"] == 4
    info, rows, count = run_of(tmp_path / "run")
    assert info["frames"] == [5, 8, 11, 14]
    assert info["times"] == pytest.approx([0.5, 0.8, 1.1, 1.4])
    assert info["cut"] == {"start": 0.5, "end": 1.5, "every": 3}
    assert count == 4
    assert {row["frame"] for row in rows} == {5, 8, 11, 14}


def test_options_reach_the_session(cli, clip, tmp_path):
    cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter,
        "--max-marks", 1, "--labels", "letters", "--draw", "mark,box", "--size", 48)  # fmt: skip
    info, rows, _ = run_of(tmp_path / "run")
    assert info["settings"]["max_marks"] == 1
    assert info["settings"]["size"] == 48
    assert info["settings"]["style"]["draw"] == ["mark", "box"]
    assert [mark["label"] for mark in info["marks"]] == ["A", "B"]
    assert info["size"] == [96, 64], "results are in source pixels"
    assert max(row["x1"] for row in rows) > 80


def test_again_in_the_same_folder(cli, clip, tmp_path):
    for end in (1.0, 0.4):
        line = ["track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter, "--end", end]
        assert cli(*line).code == 0
    info, _, count = run_of(tmp_path / "run")
    assert len(info["frames"]) == count == 4


def test_the_readable_part_of_a_cut_file(cli, make, clip, tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(40)]
    whole = write_video(tmp_path / "whole.mp4", noise, 10)  # the index comes first
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    done = cli("track", tmp_path / "cut.mp4", "-o", tmp_path / "run", "--json")
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "cut.mp4 is cut off after frame" in done.err
    assert "40 were expected" in done.err
    info, _, count = run_of(tmp_path / "run")
    assert 5 < count < 35
    assert len(info["frames"]) == done.json["frames"] == count
    assert info["ended"] == done.json["ended"]
    assert "is cut off" in info["ended"]
    asked = cli("ask", tmp_path / "cut.mp4", "How many objects are there?", "--json")
    assert asked.code == 0
    assert "cut.mp4 is cut off after frame" in asked.err
    assert asked.json["answer"]


@pytest.mark.parametrize("size", [(96, 64), (97, 61)])
def test_one_frame(cli, make, tmp_path, size):
    labels = make.labels({1: (10, 10, 60, 50)}, size)
    write_video(tmp_path / "one.mp4", [make.paint(labels)], 25)
    masks = make.write_labels(tmp_path / "masks", [labels])
    done = cli("track", tmp_path / "one.mp4", "-o", tmp_path / "run", "--segmenter", f"labels:{masks}")
    assert done.code == 0
    _, rows, count = run_of(tmp_path / "run")
    assert (len(rows), count) == (1, 1)


@pytest.mark.parametrize("kind", ["RGB", "L", "RGBA"])
def test_a_folder_of_odd_pictures(cli, make, tmp_path, kind):
    from PIL import Image

    shots = tmp_path / "shots"
    shots.mkdir()
    names = [f"s{i}" for i in range(5)]
    maps = [make.labels({1: (5 + i, 10, 40 + i, 50)}, (97, 61)) for i in range(5)]
    for name, labels in zip(names, maps, strict=True):
        Image.fromarray(make.paint(labels)).convert(kind).save(shots / f"{name}.png")
    masks = make.write_labels(tmp_path / "masks", maps, names)
    done = cli("track", shots, "-o", tmp_path / "run", "--segmenter", f"labels:{masks}", "--json")
    assert done.json["marks"] == 1
    info, rows, count = run_of(tmp_path / "run")
    assert info["size"] == [97, 61]
    assert count == 5
    assert [row["area"] for row in rows] == [35 * 40] * 5


def test_a_still_picture(cli, picture, tmp_path):
    labels = f"labels:{picture.parent / 'labels'}"
    done = cli("track", picture, "-o", tmp_path / "run", "--segmenter", labels, "--json")
    assert done.json == {"run": str(tmp_path / "run"), "ended": "complete", "frames": 1, "marks": 4}


def test_tiny_and_flat_videos(cli, tmp_path):
    shots = tmp_path / "pixel"
    shots.mkdir()
    for i in range(4):
        write_image(shots / f"{i}.png", np.full((1, 1, 3), 100, np.uint8))
    assert cli("track", shots, "-o", tmp_path / "run", "--json").json["frames"] == 4
    write_video(tmp_path / "flat.mp4", [np.full((48, 64, 3), 100, np.uint8)] * 4, 10)
    assert cli("track", tmp_path / "flat.mp4", "-o", tmp_path / "run2", "--json").json["marks"] == 1


def test_no_regions_at_all(cli, clip, make, tmp_path):
    masks = make.write_labels(tmp_path / "none", np.zeros_like(clip.maps))
    line = ["track", clip.path, "-o", tmp_path / "run", "--segmenter", f"labels:{masks}", "--json"]
    assert cli(*line).json["marks"] == 0
    info, rows, count = run_of(tmp_path / "run")
    assert (rows, info["marks"], count) == ([], [], 24)
    done = cli("ask", tmp_path / "run", "Which mark is red?", "--json")
    assert done.code == 0
    assert done.json["marks"] == []


def test_the_first_objects_come_later(cli, clip, make, tmp_path):
    maps = clip.maps.copy()
    maps[:4] = 0
    masks = make.write_labels(tmp_path / "masks", maps)
    line = ["track", clip.path, "-o", tmp_path / "run", "--segmenter", f"labels:{masks}", "--json"]
    assert cli(*line).json["marks"] == 3


def test_the_marked_video_has_the_times_of_its_source(cli, clip, tmp_path):
    cli("track", clip.path, "-o", tmp_path / "run", "--segmenter", clip.segmenter, "--start", 1.0)
    with open_video(tmp_path / "run" / "marked.mp4") as video:
        times = [frame.time for frame in video]
    np.testing.assert_allclose(times, np.arange(14) / 10, atol=2e-3)
