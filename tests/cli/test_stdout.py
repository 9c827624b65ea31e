"""A stdout that cannot be written: one line on stderr; one whose reader left: silence."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="Linux has a device that is always full"
)


@pytest.fixture
def onto(environment, tmp_path):
    """Run `python -m som_agent ARGUMENTS` with stdout on a file; its status and stderr."""

    def run(stdout, *arguments):
        line = [sys.executable, "-m", "som_agent", *map(str, arguments)]
        done = subprocess.run(
            line, env=environment, cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
        return done.returncode, done.stderr

    return run


FULL = (2, "som-agent: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_full_device(cli, clip, tmp_path, monkeypatch, json):
    run = tmp_path / "run"
    track = ["track", clip.path, "-o", run, "--segmenter", clip.segmenter, "--end", 0.3]
    for command in (track, ["ask", run, "Which mark is red?"]):
        with open("/dev/full", "w") as full:
            monkeypatch.setattr(sys, "stdout", full)
            done = cli(*command, *json)
        assert (done.code, done.err) == FULL
        assert sorted(path.name for path in run.iterdir()) == ["marked.mp4", "run.json", "tracks.parquet"]


def test_a_full_device_in_a_process_of_its_own(onto, picture, tmp_path):
    """Nothing is left over that Python would try to write when it exits."""
    labels = f"labels:{picture.parent / 'labels'}"
    with open("/dev/full", "w") as full:
        assert onto(full, "mark", picture, "-o", tmp_path / "out.png", "--segmenter", labels) == FULL


def test_help_on_a_full_device(onto):
    with open("/dev/full", "w") as full:
        assert onto(full, "--help") == FULL
        assert onto(full, "track", "-h") == FULL


@pytest.mark.parametrize("arguments", [("--help",), ("doctor",), ("doctor", "--json")])
def test_a_reader_that_left(onto, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        assert onto(pipe, *arguments) == (1, "")


def test_a_closed_stdout(environment):
    line = f"'{sys.executable}' -m som_agent doctor >&-"
    done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "som-agent: cannot write to stdout: it is closed\n")
