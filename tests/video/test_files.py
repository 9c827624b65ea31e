"""decord and its PyAV twin: the same frames, times and damage."""

import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video import files, open_video
from som_agent.video.files import FileReader
from som_agent.video.files import _decord as decord_reader
from som_agent.video.pyav import PyavReader

READERS = [pytest.param(FileReader, id="decord"), pytest.param(PyavReader, id="pyav")]

KINDS = {
    "plain": {"name": "a.mp4"},
    "index-first": {"name": "a.mp4", "faststart": True},
    "every-frame-a-key": {"name": "a.mp4", "gop": 1},
    "odd-size": {"name": "a.mp4", "size": (95, 63), "pixels": "yuv444p"},
    "tiny": {"name": "a.mp4", "size": (16, 16)},
    "late-start": {"name": "a.mp4", "times": [1.4 + i / 30 for i in range(30)]},
    "uneven": {
        "name": "a.mp4",
        "times": [0, 0.01, 0.05, 0.051, 0.2, 1.0, 1.033, *(1.1 + 0.017 * i * i for i in range(23))],
    },
    "matroska": {"name": "a.mkv"},
    "webm": {"name": "a.webm", "codec": "libvpx-vp9"},
    "transport": {"name": "a.ts"},
    "avi": {"name": "a.avi", "codec": "mpeg4"},
    "bare": {"name": "a.h264", "form": "h264"},
    "one-frame": {"name": "a.mp4", "times": 1},
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_at_its_time(reader, kind, tmp_path, clips):
    options = {"times": 30, **KINDS[kind]}
    given = options["times"]
    path = clips.make(tmp_path / options.pop("name"), options.pop("times"), **options)
    opened = reader(path)
    w, h = options.get("size", (96, 64))
    assert opened.size == (w, h)
    count = given if isinstance(given, int) else len(given)
    frames = list(opened.read(range(count)))
    assert [i for i, _ in frames] == list(range(count))
    for i, image in frames:
        assert image.dtype == np.uint8
        assert image.flags.owndata
        assert image.flags.writeable
        assert image.shape == (h, w, 3)
        assert w < 64 or clips.number_of(image) == i
    if kind != "bare":  # it has a rate at best
        expected = np.arange(count) / 30 if isinstance(given, int) else np.array(given) - given[0]
        np.testing.assert_allclose(opened.times, expected, atol=1e-3)
    assert opened.missing == ""
    assert opened.expected == count


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "wanted", [range(0, 90, 7), range(41, 90), range(5, 60, 2), range(3, 90, 40), range(89, 90)]
)
@pytest.mark.parametrize("kind", [("a.mp4", 1), ("a.mp4", 12), ("a.mp4", 90), ("a.mkv", 12), ("a.ts", 12)])
def test_a_cut_and_a_step_hit_the_right_frames(reader, wanted, kind, tmp_path, clips):
    name, gop = kind
    opened = reader(clips.make(tmp_path / name, 90, gop=gop))
    frames = list(opened.read(wanted))
    assert [i for i, _ in frames] == list(wanted)
    assert [clips.number_of(image) for _, image in frames] == list(wanted)


@pytest.mark.parametrize("name", ["sam2_bedroom.mp4", "tv_basketball.mp4", "sam2_02_cups.mp4"])
def test_twins_agree_on_real_clips(name, shared_data):
    pytest.importorskip("decord")
    path = shared_data / "clips" / name
    first, second = FileReader(path), PyavReader(path)
    reader = decord_reader(path)
    assert reader is not None
    assert first._agrees(reader)  # else PyAV would be compared with itself
    wanted = range(0, 60, 10)
    for (i, a), (k, b) in zip(first.read(wanted), second.read(wanted), strict=True):
        assert i == k
        assert np.abs(a.astype(int) - b).max() <= 3


def test_without_decord(tmp_path, clips, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    frames = list(open_video(clips.make(tmp_path / "a.mp4"), every=3))
    assert [clips.number_of(f.image) for f in frames] == list(range(0, 30, 3))


@pytest.mark.parametrize("delivered", [0, 1, 4])
def test_pyav_goes_on_where_decord_gives_up(delivered, tmp_path, clips, monkeypatch):
    decode = files._decode
    monkeypatch.setattr(files, "_decode", lambda reader, wanted: islice(decode(reader, wanted), delivered))
    source = open_video(clips.make(tmp_path / "a.mp4"), every=3)
    frames = list(source)
    assert [f.index for f in frames] == [clips.number_of(f.image) for f in frames] == list(range(0, 30, 3))
    assert source.problem is None


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(reader, degrees, tmp_path, clips):
    path = clips.turn(clips.make(tmp_path / "a.mp4", 12), degrees)
    opened = reader(path)
    assert opened.size == ((64, 96) if degrees != 180 else (96, 64))
    _, image = next(opened.read(range(5, 6)))
    back = np.rot90(image, degrees // 90)  # clockwise on display, so counter-clockwise back
    assert clips.number_of(back) == 5
    assert np.abs(back.astype(int) - clips.scene(5, 96, 64))[50:60, 5:25].mean() < 12


@pytest.mark.parametrize("reader", READERS)
def test_hidden_frames_of_a_trimmed_file_stay_hidden(reader, tmp_path, clips):
    path = clips.trim_start(clips.make(tmp_path / "a.mp4"), tmp_path / "b.mp4", 5)
    opened = reader(path)
    frames = list(opened.read(range(len(opened.times))))
    assert [clips.number_of(image) for _, image in frames] == list(range(5, 30))
    np.testing.assert_allclose(opened.times, np.arange(25) / 30, atol=1e-3)
    assert opened.missing == ""


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("share", [0.6, 0.75, 0.9, 0.999])
def test_cut_off_with_index_first(reader, share, tmp_path, clips, monkeypatch):
    path = clips.make(tmp_path / "cups.mp4", 60, faststart=True)
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[: start + int(share * (len(data) - start))])
    monkeypatch.setattr("som_agent.video.files.FileReader", reader)
    source = open_video(path)
    frames = list(source)
    n = len(frames)
    assert 0 < n < 60
    assert [clips.number_of(f.image) for f in frames] == list(range(n))
    assert [f.index for f in frames] == list(range(n))
    assert source.frame_count == n
    assert source.problem == (
        f"{path} is cut off after frame {n - 1} ({(n - 1) / 30:.1f} s): {n} frames can be read, "
        "60 were expected"
    )
    # A cut that ends before the damage has no problem.
    early = open_video(path, end=frames[n // 2].time + 0.01)
    assert len(list(early)) == n // 2 + 1
    assert early.problem is None


def test_cut_off_within_the_first_frame(tmp_path, clips):
    path = clips.make(tmp_path / "cups.mp4", faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 104])
    with pytest.raises(InputError, match=r"cups\.mp4 is cut off within its first frame: nothing can be read"):
        open_video(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_cut_off_without_index(share, tmp_path, clips):
    path = clips.make(tmp_path / "cups.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * data.index(b"moov"))])
    with pytest.raises(InputError, match=r"cups\.mp4 is cut off or damaged: its index is missing, no frame"):
        open_video(path)


def test_cut_off_matroska(tmp_path, clips):
    path = clips.make(tmp_path / "a.mkv", 90)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    source = open_video(path)
    n = len(list(source))
    assert 10 < n < 60
    assert source.problem is not None
    assert f"is cut off after frame {n - 1} " in source.problem


@pytest.mark.parametrize("reader", READERS)
def test_bit_rot_ends_with_a_problem(reader, tmp_path, clips, monkeypatch):
    # Zeroed length fields: no decoder can get past them.
    path = clips.make(tmp_path / "cups.mp4", 60, bf="0")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (data.index(b"moov") - start) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)
    monkeypatch.setattr("som_agent.video.files.FileReader", reader)
    source = open_video(path)
    frames = list(source)
    n = len(frames)
    assert 10 < n < 60
    assert [clips.number_of(f.image) for f in frames[:10]] == list(range(10))
    assert source.problem == (
        f"{path} is damaged after frame {n - 1} ({(n - 1) / 30:.1f} s): {n} frames can be read, "
        "60 were expected"
    )


def test_damage_from_the_first_frame(tmp_path, clips):
    path = clips.make(tmp_path / "cups.mp4")
    data = bytearray(path.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=r"cups\.mp4 (is damaged from its first frame on|has no frames): nothing can be read"
    ):
        open_video(path)


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_ends_in_frames_or_a_line(seed, tmp_path, clips):
    chance = random.Random(seed)
    name = ("a.mp4", "a.mkv", "a.ts", "a.avi")[seed % 4]
    path = clips.make(tmp_path / name, 20, codec="mpeg4" if name == "a.avi" else "libx264")
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 5, 30])):
        place, length = chance.randrange(len(data)), chance.choice([1, 8, 64])
        data[place : place + length] = chance.randbytes(length)
    path.write_bytes(data[: chance.choice([len(data), chance.randrange(1, len(data))])])
    line = None
    try:
        source = open_video(path, every=chance.choice([1, 3]))
        numbers = [frame.index for frame in source]
    except InputError as error:
        line = str(error)
    if line is not None:
        assert name in line
        assert "\n" not in line
    else:
        assert numbers == sorted(set(numbers))
        assert source.problem or len(numbers) == source.frame_count


def test_memory_does_not_grow_with_the_length(shared_data):
    # A slow reader: decord would decode the rest of the file into memory meanwhile.
    code = (
        "import resource, sys, time\n"
        "from som_agent.video import open_video\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for frame in open_video(sys.argv[1]):\n"
        "    if frame.index == 199: early = peak()\n"
        "    if frame.index < 400: time.sleep(0.005)\n"
        "print(peak() / early)\n"
    )
    clip = shared_data / "clips" / "intel_bottle-detection.mp4"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(clip)], cwd=root, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1.1
