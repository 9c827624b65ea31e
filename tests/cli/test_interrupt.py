"""Ctrl-C while a video is tracked: what was done is kept and can be read, and the run says so."""

import json
import os
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from som_agent.video import write_video

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal")


@pytest.fixture(scope="module")
def long_clip(make, tmp_path_factory):
    """Longer than any machine tracks before the signal comes, and so noisy that it is written at once."""
    folder = tmp_path_factory.mktemp("long")
    noise = np.random.default_rng(0).integers(0, 90, (20, 96, 128, 3))
    images = []
    for i in range(60):
        labels = make.labels({1: (i, 10, 40 + i, 50), 2: (60, 50, 120, 90)}, (128, 96))
        images.append(np.clip(make.paint(labels) + noise[i % 20], 0, 255).astype(np.uint8))
    return write_video(folder / "long.mp4", (images[i % 60] for i in range(1500)), 25)


def start(environment, video, run):
    line = [sys.executable, "-m", "som_agent", "track", str(video), "-o", str(run), "--size", "64"]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_frames(process, run):
    """Wait until the video's part file has pictures in it: tracking is under way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if any(part.stat().st_size > 2000 for part in run.glob(".som-*.mp4")):
            return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"no frame was written: {process.communicate()}")


@pytest.mark.parametrize("presses", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_was_done_is_kept(environment, long_clip, tmp_path, presses):
    run = tmp_path / "run"
    process = start(environment, long_clip, run)
    try:
        wait_for_frames(process, run)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.03)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "stopped" in err
    assert sorted(path.name for path in run.iterdir()) == ["marked.mp4", "run.json", "tracks.parquet"]
    info = json.loads((run / "run.json").read_text())
    count = len(info["frames"])
    assert 0 < count < 1500
    assert info["ended"] == f"interrupted after frame {count - 1}"
    assert f"som-agent: {run}: interrupted after frame {count - 1}\n" in err
    assert info["frames"] == list(range(count))
    table = pq.read_table(run / "tracks.parquet")
    assert max(table["frame"].to_pylist()) == count - 1
    with av.open(str(run / "marked.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video.streams.video[0])]
    assert len(pictures) == count
    assert all(np.ptp(picture) > 100 for picture in pictures[:: max(1, count // 5)])


def test_before_the_first_frame_nothing_is_left(environment, long_clip, tmp_path):
    run = tmp_path / "run"
    process = start(environment, long_clip, run)
    try:
        time.sleep(0.25)  # while it imports
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    assert not run.exists() or (run / "run.json").exists()
