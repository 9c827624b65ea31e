"""open_video: what may be opened, cuts and steps, and one clear line for everything else."""

import os
import socket
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.video import is_picture, open_video, read_image, write_image


@pytest.fixture
def serve():
    """Start HTTP servers on loopback; gives their address."""
    servers = []

    def start(handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_attributes(tmp_path, clips):
    path = clips.make(tmp_path / "cups.mp4", 30)
    with open_video(str(path)) as source:
        assert source.name == str(path)
        assert source.size == (96, 64)
        assert source.fps == pytest.approx(30, rel=0.01)
        assert source.frame_count == 30
        assert source.duration == pytest.approx(1, abs=0.002)
        assert not source.is_live
        frames = list(source)
        assert [f.index for f in frames] == list(range(30))
        assert frames[0].name is None
        assert [f.index for f in source] == list(range(30))  # again
        assert source.problem is None


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        ({"start": 0.5}, range(15, 30)),
        ({"start": 0.333}, range(10, 30)),  # 0.33333 s, as it is printed
        ({"end": 0.5}, range(15)),
        ({"end": 0.2, "every": 4}, range(0, 6, 4)),
        ({"start": 0.1, "end": 0.9, "every": 5}, range(3, 27, 5)),
        ({"start": 0.95}, [29]),
        ({"every": 100}, [0]),
        ({"end": 99}, range(30)),
    ],
)
def test_cut_and_step(options, indices, tmp_path, clips):
    source = open_video(clips.make(tmp_path / "a.mp4"), **options)
    frames = list(source)
    assert [f.index for f in frames] == list(indices)
    assert [clips.number_of(f.image) for f in frames] == list(indices)
    np.testing.assert_allclose([f.time for f in frames], np.array(indices) / 30, atol=1e-3)
    assert source.frame_count == len(frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "start -1 makes no sense"),
        ({"end": float("nan")}, "end nan makes no sense"),
        ({"end": 0}, "start 0 s is not before end 0 s"),
        ({"start": 2, "end": 1.5}, "start 2 s is not before end 1.5 s"),
        ({"start": 7}, "no frame of .*a.mp4 lies between 7 s and the end: its frames are at 0 s to 0.967 s"),
        ({"start": 0.01, "end": 0.02}, "lies between 0.01 s and 0.02 s"),
        ({"every": 0}, "every 0 makes no sense"),
        ({"fps": 10}, "fps 10 is for folders of pictures: .*a.mp4 is none"),
    ],
)
def test_values_that_make_no_sense(options, message, tmp_path, clips):
    with pytest.raises(InputError, match=message):
        open_video(clips.make(tmp_path / "a.mp4"), **options)


def bad_inputs(folder: Path, clips):
    text = folder / "text.mp4"
    text.write_text("This is no video.\n" * 50)
    page = folder / "notes.txt"  # FFmpeg would draw it as a terminal
    page.write_text("hello\n" * 50)
    (folder / "zero.mp4").touch()
    (folder / "zero.png").touch()
    (folder / "words.png").write_text("no picture")
    (folder / "empty").mkdir()
    (folder / "only_text").mkdir()
    (folder / "only_text" / "a.txt").write_text("a")
    clips.make_sound(folder / "sound.mp4")
    write_image(folder / "real.png", np.zeros((8, 8, 3), np.uint8)).rename(folder / "picture.mp4")
    return {
        "gone.mp4": "no such file: .*gone.mp4",
        "gone.png": "no such file: .*gone.png",
        "text.mp4": "is not a video that can be read: its content is of no known video format",
        "notes.txt": "is not a video that can be read: its content is of no known video format",
        "zero.mp4": r"zero.mp4 is empty \(0 bytes\)",
        "zero.png": r"zero.png is not a picture that can be read: it is empty \(0 bytes\)",
        "words.png": "words.png is not a picture that can be read: its content is of no known picture format",
        "empty": "empty has no pictures",
        "only_text": "only_text has no pictures",
        "sound.mp4": "sound.mp4 has no video stream, only audio",
        "picture.mp4": "picture.mp4 holds a picture, not a video: name it .png",
    }


def test_bad_input_is_one_clear_line(tmp_path, clips, capfd):
    for name, message in bad_inputs(tmp_path, clips).items():
        with pytest.raises(InputError, match=message) as caught:
            open_video(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # no decoder talks beside the line


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permission(tmp_path, clips):
    path = clips.make(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(InputError, match=r"cannot be read: Permission denied"):
        open_video(path)


def test_camera_that_is_not_there(capfd):
    for source in (97, "97", "/dev/video97"):
        with pytest.raises(InputError, match=r"camera 97 cannot be opened or gives no picture"):
            open_video(source)
    assert capfd.readouterr().err == ""


def test_camera(tmp_path, clips, monkeypatch):
    """No camera here: OpenCV reads a file in its place, through the same object."""
    path, capture = clips.make(tmp_path / "a.avi", 9, codec="mpeg4"), cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: capture(str(path)))
    with open_video("/dev/video3", every=2) as source:
        assert (source.name, source.size, source.is_live) == ("/dev/video3", (96, 64), True)
        frames = list(source)
    assert [f.index for f in frames] == [clips.number_of(f.image) for f in frames] == [0, 2, 4, 6, 8]
    red = frames[0].image[50:60, 5:25].mean(axis=(0, 1))
    assert red[0] > 150 > red[2]
    assert frames[0].time == 0
    assert all(a.time < b.time for a, b in pairwise(frames))
    assert source.problem is not None
    assert source.problem.startswith("/dev/video3 gives no more pictures after frame 8 (")


def test_a_file_called_like_a_camera(tmp_path, clips, monkeypatch):
    clips.make(tmp_path / "0", form="mp4", times=3)
    monkeypatch.chdir(tmp_path)
    assert open_video("0").frame_count == 3


def test_unknown_address():
    with pytest.raises(
        InputError, match=r"unknown kind of address s3:// in s3://bucket/a.mp4: known are http,"
    ):
        open_video("s3://bucket/a.mp4")


def test_nobody_answers():
    with pytest.raises(InputError, match=r"rtsp://me:\*\*\*@127.0.0.1:9/x cannot be opened: .*refused"):
        open_video("rtsp://me:secret@127.0.0.1:9/x")


def test_video_on_a_web_server(tmp_path, clips, serve):
    clips.turn(clips.make(tmp_path / "a.mp4", faststart=True), 90)
    address = serve(partial(Quiet, directory=str(tmp_path))) + "/a.mp4"
    with open_video(address) as source:
        assert not source.is_live
        assert source.size == (64, 96)
        assert source.frame_count == 30
        frames = list(source)
        assert source.problem is None
    assert [clips.number_of(np.rot90(f.image)) for f in frames] == list(range(30))
    np.testing.assert_allclose([f.time for f in frames], np.arange(30) / 30, atol=1e-3)
    with open_video(address, start=0.5, end=0.8, every=3) as source:
        assert [f.index for f in source] == [15, 18, 21]
    with pytest.raises(InputError, match=r"nothing.mp4 cannot be opened: .*404"):
        open_video(address.replace("a.mp4", "nothing.mp4"))


def test_web_server_that_hangs_up(tmp_path, clips, serve):
    data = clips.make(tmp_path / "a.mp4", 60, faststart=True).read_bytes()

    class HangsUp(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data[: len(data) * 2 // 3])

    with open_video(serve(HangsUp) + "/a.mp4") as source:
        n = len(list(source))
        assert 10 < n < 60
        assert source.problem is not None
        assert f"after frame {n - 1} " in source.problem
        assert f"{n} frames were read, 60 were expected" in source.problem


def test_ip_camera(serve, clips):
    """Motion JPEG over HTTP, what cheap cameras send: live, and with times of arrival."""

    class Camera(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for i in range(12):
                jpeg = cv2.imencode(".jpg", clips.scene(i, 96, 64)[..., ::-1])[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")

    with open_video(serve(Camera) + "/video") as source:
        assert source.is_live
        assert source.frame_count is None
        frames = list(source)
    assert len(frames) >= 11
    assert [clips.number_of(f.image) for f in frames] == [f.index for f in frames] == list(range(len(frames)))
    assert frames[0].time < 0.5
    assert all(a.time <= b.time for a, b in pairwise(frames))


def test_known_pictures():
    assert is_picture("A.JPG")
    assert is_picture(Path("b/c.webp"))
    assert not is_picture("clip.mp4")
    assert not is_picture("png")


def test_importing_loads_no_decoder():
    code = (
        "import sys, som_agent.video; "
        "print([m for m in ('av', 'decord', 'PIL', 'torch') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no name here")
@pytest.mark.parametrize("suffix", [".mp4", ".png", ""])
def test_what_is_no_regular_file_is_refused_at_once(suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo(f"pipe{suffix}")
    os.symlink("/dev/zero", f"zero{suffix}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"socket{suffix}")
    for name, kind in (("pipe", "a pipe"), ("zero", "a device"), ("socket", "a socket")):
        with pytest.raises(InputError, match=f"{name}.* is not a regular file: it is {kind}"):
            open_video(f"{name}{suffix}")
        with pytest.raises(InputError, match=f"{name}.* is not a regular file"):
            read_image(f"{name}{suffix}")
    with pytest.raises(InputError, match="is not a regular file"):
        open_video("/dev/null")


def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    assert open_video(".").frame_count == 1
    with pytest.raises(InputError, match="the source is empty"):
        open_video("")


def hidden(folder: Path, clips) -> str:
    """A video that the playlists of these tests name; its absolute path."""
    return str(clips.make(folder / "secret.ts", form="mpegts"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "list.m3u8",
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.0,\n{}\n#EXT-X-ENDLIST\n",
        ),
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1.0,\n{}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile 'secret.ts'\n"),
    ],
)
def test_playlists_do_not_lead_to_other_files(name, content, tmp_path, clips):
    (tmp_path / name).write_text(content.format(hidden(tmp_path, clips)))
    with pytest.raises(InputError, match=f"{name} is a playlist, which names other files"):
        open_video(tmp_path / name)


def test_texts_do_not_lead_to_the_network(tmp_path):
    text = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
    (tmp_path / "camera.sdp").write_text(text)
    with pytest.raises(InputError, match=r"camera\.sdp is not a video that can be read"):
        open_video(tmp_path / "camera.sdp")


def test_a_name_is_no_list_of_files(tmp_path, clips, monkeypatch):
    """FFmpeg would open the two files that this name lists."""
    monkeypatch.chdir(tmp_path)
    hidden(tmp_path, clips)
    name = "concat:secret.ts|secret.ts"
    clips.make(tmp_path / "own.avi", 3, codec="mpeg4").rename(tmp_path / name)
    with open_video(name) as source:
        assert source.frame_count == 3


def test_a_raw_video_of_one_grey_is_no_text(tmp_path):
    grey = b"d" * (96 * 64 * 3 // 2)
    (tmp_path / "grey.y4m").write_bytes(b"YUV4MPEG2 W96 H64 F25:1 C420\n" + (b"FRAME\n" + grey) * 3)
    with open_video(tmp_path / "grey.y4m") as source:
        assert source.frame_count == 3
