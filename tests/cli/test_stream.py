"""`som-agent stream`: lines for programs and people, a run that is whole, and a source that fails."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from som_agent.keyframes import Wanted
from som_agent.marks.view import View
from som_agent.runs import read_run
from tests.cameras import camera, show, silence, then


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def scenes(make, n=30):
    """A red and a blue box that stay, and a dot that moves between them."""
    boxes = {1: (4, 6, 34, 30), 2: (60, 36, 88, 60)}
    return [make.paint(make.labels({**boxes, 6: (40, 2 * i, 44, 2 * i + 4)}, (96, 64))) for i in range(n)]


@pytest.fixture(scope="module")
def boxes(make, tmp_path_factory):
    """The segmenter that knows the two boxes, for as many frames as come."""
    labels = make.labels({1: (4, 6, 34, 30), 2: (60, 36, 88, 60)}, (96, 64))
    return f"labels:{make.write_labels(tmp_path_factory.mktemp('boxes'), [labels] * 1500)}"


def check_run(folder, ended):
    assert sorted(path.name for path in folder.iterdir()) == ["marked.mp4", "run.json", "tracks.parquet"]
    info = json.loads((folder / "run.json").read_text())
    assert re.search(ended, info["ended"])
    with av.open(str(folder / "marked.mp4")) as video:
        assert sum(1 for _ in video.decode(video.streams.video[0])) == len(info["frames"])
    assert info["frames"] == sorted(set(info["frames"]))
    return info


def test_a_file_as_json_lines(cli, clip):
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "--json")
    assert done.code == 0
    told = lines(done.out)
    assert [line["frame"] for line in told] == sorted({line["frame"] for line in told})
    assert 1 < len(told) <= 24
    objects = {}
    for line in told:
        assert list(line) == ["frame", "time", "marks"]
        assert line["time"] == pytest.approx(line["frame"] / 10, abs=0.3)
        for mark in line["marks"]:
            assert list(mark) == ["mark", "label", "state", "box", "anchor"]
            assert mark["state"] == "visible"
            assert mark["label"] == str(mark["mark"])
            labels = clip.maps[line["frame"]]
            anchor_x, anchor_y = (int(v) for v in mark["anchor"])
            label = objects.setdefault(mark["mark"], labels[anchor_y, anchor_x])
            y, x = np.nonzero(labels == label)
            assert mark["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert labels[anchor_y, anchor_x] == label
    assert {1, 2} <= set(objects.values()) <= {1, 2, 3}
    assert len(set(objects.values())) == len(objects)


def test_watches_tell_in_json_lines(cli, clip):
    """Green comes after a second, below red; there is no mark 9."""
    waits = [
        {"kind": "near", "mark": 3, "other": 2, "distance_px": 50},
        {"kind": "appears"},
        {"kind": "leaves", "mark": 9},
    ]
    asked = [part for wait in waits for part in ("--watch", json.dumps(wait))]
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "--json", *asked)
    assert done.code == 0
    told = lines(done.out)
    frames = [line for line in told if "watch" not in line]
    events = [line for line in told if "watch" in line]
    assert all(list(line) == ["frame", "time", "marks"] for line in frames)
    assert {(event["watch"], event["kind"]) for event in events} == {("w1", "near"), ("w2", "appears")}
    for event in events:
        before = told[told.index(event) - 1]
        assert event["frame"] == before["frame"], "an event comes after the line of its frame"
        assert 3 in {mark["mark"] for mark in event["marks"]}
        assert clip.maps[event["frame"]].max() == 3
    assert "w3 never began: marks 9 were never there at once" in done.err


def test_watches_tell_in_sentences(cli, clip):
    """Blue is larger and is mark 1."""
    zone = {"box": [40, 0, 96, 32], "name": "the shelf"}
    waits = json.dumps({"kind": "enters", "mark": 2, "zone": zone})
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "--watch", waits)
    assert done.code == 0
    first, *_ = done.out.splitlines()
    assert re.fullmatch(r"mark \[2\] entered the shelf at \d\.\d\d s", first)


def test_a_status_line_and_a_run(cli, clip, tmp_path):
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "-o", tmp_path / "run", "--size", 64)
    assert done.code == 0
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}/run: \d+ frames, [23] marks, \d+ dropped, 0 reconnects\n", done.out
    )
    status = (
        r"som-agent: [\d.]+ frames/s, latency \d+ ms, marks \d visible \d hidden, \d+ dropped, 0 reconnects"
    )
    assert re.search(status, done.err)
    info = check_run(tmp_path / "run", "^complete$")
    assert info["source"] == str(clip.path)
    assert info["settings"]["size"] == 64
    run = read_run(tmp_path / "run")
    assert set(run.history.marks) == {1, 2, 3}
    asked = cli("ask", tmp_path / "run", "Which mark is red?", "--json")
    shown = run.pictures([info["frames"][-1]], Wanted(View.of_side(256), run.history.marks))
    assert shown[0].frame == info["frames"][-1], "its times are those of the file"
    (red,) = (mark["mark"] for mark in asked.json["marks"])
    trace = run.history.traces[red]
    assert clip.maps[trace.frames[-1]][int(trace.anchors[-1][1]), int(trace.anchors[-1][0])] == 1


def test_it_stops_in_time(cli, clip):
    start = time.monotonic()
    done = cli("stream", clip.path, "--segmenter", clip.segmenter, "--seconds", 0.5, "--json")
    assert done.code == 0
    assert time.monotonic() - start < 2.4
    assert lines(done.out)[-1]["frame"] < 15


def test_a_camera_that_drops_is_taken_up_again(cli, make, boxes, tmp_path):
    images = scenes(make)
    run = tmp_path / "run"
    with camera(show(images), then(show(images), silence(0.2)), show(images, laps=100)) as address:
        done = cli("stream", address, "--segmenter", boxes, "--seconds", 3, "-o", run, "--json")
    assert done.code == 0
    assert done.err.count("trying again") >= 1
    assert done.err.count("is back after") >= 1
    told = lines(done.out)
    assert all(a["frame"] < b["frame"] and a["time"] < b["time"] for a, b in pairwise(told))
    assert {mark["mark"] for line in told for mark in line["marks"]} == {1, 2}
    info = check_run(run, "^complete$")
    assert info["frames"] == [line["frame"] for line in told]
    assert info["source"] == address


def test_a_camera_that_stays_away(cli, make, boxes, tmp_path):
    with camera(show(scenes(make)), lambda _: None) as address:
        done = cli("stream", address, "--segmenter", boxes, "--give-up", 1, "-o", tmp_path / "run")
    assert done.code == 0
    assert re.search(r"gave no picture for \d s, in \d+ tries: ", done.err)
    check_run(tmp_path / "run", "gave no picture for")


def test_no_second_try(cli, make, boxes):
    with camera(show(scenes(make))) as address:
        done = cli("stream", address, "--segmenter", boxes, "--no-reconnect")
    assert done.code == 0
    assert "trying again" not in done.err
    assert "broke off" in done.err or "ended" in done.err


def test_a_budget_that_cannot_be_kept(cli, make, boxes):
    with camera(show(scenes(make), laps=100)) as address:
        done = cli("stream", address, "--segmenter", boxes, "--budget-ms", 0.01, "--seconds", 1)
    assert done.code == 0
    assert "steps are over the budget of 0.01 ms: segmenting at 75% of the size" in done.err


def test_what_was_live_is_kept_when_something_fails(cli, make, tmp_path):
    """There are masks for so many frames only."""
    labels = make.labels({1: (4, 6, 34, 30)}, (96, 64))
    masks = make.write_labels(tmp_path / "few", [labels] * 40)
    with camera(show(scenes(make), laps=100)) as address:
        done = cli("stream", address, "--segmenter", f"labels:{masks}", "-o", tmp_path / "run")
    assert done.code == 2
    assert "40 masks, none for frame" in done.err.splitlines()[-1]
    info = check_run(tmp_path / "run", r"^stopped after frame \d+: .*40 masks, none for frame")
    assert 0 < len(info["frames"]) <= 40


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_left_does_not_cost_the_run(environment, clip, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "som_agent", "stream", str(clip.path), "--segmenter", clip.segmenter]
    with open(writer, "w") as pipe:
        done = subprocess.run(
            [*command, "--json", "-o", str(tmp_path / "run")],
            env=environment,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    check_run(tmp_path / "run", "nobody reads stdout any more$")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere/a.mp4"], ["no such file", "/nowhere/a.mp4"]),
        (["97"], ["camera 97 cannot be opened"]),
        (["http://127.0.0.1:9/x"], ["http://127.0.0.1:9/x cannot be opened"]),
        (["0", "--seconds", "0"], ["--seconds 0 makes no sense"]),
        (["0", "--budget-ms", "-1"], ["--budget-ms -1 makes no sense"]),
        (["0", "--give-up", "x"], ["--give-up x makes no sense"]),
        (["0", "--http", "-1"], ["--http -1 makes no sense"]),
        (["0", "--watch", '{"kind": "near"'], ["--watch", "is no JSON"]),
        (["0", "--watch", '{"kind": "flies"}'], ["--watch", "no kind of condition 'flies'", "near"]),
        (["0", "--watch", '{"kind": "near", "mark": 1}'], ["near needs distance_px"]),
    ],
)
def test_bad_input(cli, arguments, words):
    cli("stream", *arguments).refused(*words)


def test_no_window_without_a_display(cli, clip, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform.startswith("linux"):
        cli("stream", clip.path, "--show").refused("a window needs a display")


def test_a_port_in_use(cli, clip):
    from som_agent.video.mjpeg import MjpegServer

    server = MjpegServer(0)
    try:
        cli("stream", clip.path, "--http", server._server.server_port).refused("cannot serve on port")
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_keeps_the_run(environment, make, boxes, tmp_path):
    """In a browser's eyes, too, while it lasts."""
    images = scenes(make)
    with camera(then(show(images, laps=20), silence(30))) as address:
        command = [
            sys.executable,
            "-m",
            "som_agent",
            "stream",
            address,
            "--size",
            "64",
            "--http",
            "0",
            "--json",
        ]
        command += ["-o", str(tmp_path / "run")]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            page = process.stderr.readline().split()[-1]
            for _ in range(5):
                line = json.loads(process.stdout.readline())
            with urllib.request.urlopen(page + "frame.jpg") as reply:
                shown = cv2.imdecode(np.frombuffer(reply.read(), np.uint8), cv2.IMREAD_COLOR)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 130, err
    assert shown.shape == (64, 96, 3)
    assert "Traceback" not in err
    told = lines(out)
    last = told[-1] if told else line
    info = check_run(tmp_path / "run", f"^interrupted after frame {last['frame']}$")
    assert info["frames"][-1] == last["frame"]
    assert f"interrupted after frame {last['frame']}" in err
