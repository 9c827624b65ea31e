"""Attempts to reach what an agent may not reach: what is each told, how soon, and at what cost in memory?

python tests/benchmarks/boundary.py [--json]

Everything is done through a `SessionStore`, as the tools of LangChain and MCP do it. A refusal is a line of a
`SomError`; anything else is an escape, and the exit status says so.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, this folder alone is on the path

from som_agent.errors import SomError
from som_agent.video import write_image, write_video
from som_tools.access import Access
from som_tools.call import Call
from som_tools.quota import Quota
from som_tools.sessions import SessionStore
from tests import bombs
from tests.cameras import served

FREE = Call()
LIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4.0,\n%s\n#EXT-X-ENDLIST\n"


@dataclass(frozen=True)
class Attempt:
    """One way out.

    Attributes:
        kind: what it plays on.
        what: the attempt in words.
        run: makes it; refused if it raises a `SomError`, or returns what a session says of its early end.
    """

    kind: str
    what: str
    run: Callable[[], str | None]


@dataclass(frozen=True)
class Told:
    """What came of an attempt.

    Attributes:
        refused: whether nothing was reached.
        line: what the caller was told.
        seconds: until then.
    """

    refused: bool
    line: str
    seconds: float


def tried(attempt: Attempt) -> Told:
    """Make an attempt."""
    start = time.perf_counter()
    try:
        line = attempt.run()
    except SomError as error:
        line = str(error)
    seconds = time.perf_counter() - start
    return Told(line is not None and "\n" not in line, line or "nothing: it was let through", seconds)


def picture(shade: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A square on grey."""
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    image[16:48, 16:48] = (210, 25, 25)
    return image


@contextmanager
def attempts() -> Iterator[list[Attempt]]:
    """All of them, with the files and servers that they need."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(TemporaryDirectory())).resolve()
        inside = base / "videos"
        _lay_out(base, inside)
        for name, kind in (("pipe.mp4", os.mkfifo), ("socket.mp4", _socket)):
            kind(inside / name)
        server = stack.enter_context(served(_answer))
        store = SessionStore(
            Access.to(
                inside, out=base / "out", addresses=(server.rsplit("/", 1)[0] + "/", "http://cam.local/video")
            ),
            quota=Quota(out_mb=1),
        )
        stack.callback(store.close_all)
        store.load()
        yield [
            *_names(store, base),
            *_addresses(store, server),
            *_bombs(store, inside),
            *_swaps(store, base, inside),
            *_outputs(store, base),
            *_others(store),
        ]


def _lay_out(base: Path, inside: Path) -> None:
    inside.mkdir()
    video = [picture(90 + k) for k in range(4)]
    write_video(inside / "good.mp4", video, 10)
    write_video(base / "secret.mp4", video, 10)
    write_image(base / "secret.png", picture(0))
    (inside / "link.mp4").symlink_to(base / "secret.mp4")
    (inside / "folder").symlink_to(base)
    (inside / "zero.mp4").symlink_to("/dev/zero")
    (inside / "loop.mp4").symlink_to("loop.mp4")
    pictures = inside / "pictures"
    pictures.mkdir()
    write_image(pictures / "0.png", picture(90))
    (pictures / "1.png").symlink_to(base / "secret.png")
    for name, text in {
        "list.m3u8": LIST % b"../secret.mp4",
        "list.mp4": LIST % b"../secret.mp4",
        "concat.mp4": b"ffconcat version 1.0\nfile ../secret.mp4\n",
        "dash.mp4": b"<?xml version='1.0'?><MPD></MPD>",
        "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "empty.mp4": b"",
        "sure.mp4": b"\0\1\2\3" * 3000,
    }.items():
        (inside / name).write_bytes(text)


def _socket(path: Path) -> None:
    # By a short relative name: addresses of sockets have 107 characters at most.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def _answer(handler: BaseHTTPRequestHandler, _: int) -> None:
    """What a camera that was taken over would serve."""
    if handler.path.startswith("/list"):
        data = LIST % b"http://169.254.169.254/latest.ts"
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.apple.mpegurl")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        return
    handler.send_response(302)
    handler.send_header("Location", "http://169.254.169.254/latest/meta-data/")
    handler.end_headers()


def _opens(store: SessionStore, name: str) -> Callable[[], str | None]:
    def run() -> str | None:
        opened = store.open(name, FREE)
        try:
            opened.play(None, FREE)
            return opened.problem
        finally:
            store.close(opened.id, FREE)

    return run


def _names(store: SessionStore, base: Path) -> list[Attempt]:
    names = {
        "path": {
            "..": "../secret.mp4",
            "a folder above": "..",
            "absolute": str(base / "secret.mp4"),
            "/etc/passwd": "/etc/passwd",
            "~": "~/secret.mp4",
            "~root": "~root/secret.mp4",
            "%2e%2e": "%2e%2e/secret.mp4",
            "percent and slash": "..%2fsecret.mp4",
            "backslashes": "..\\secret.mp4",
            "NUL byte": "good.mp4\0.png",
            "NUL after ..": "../secret.mp4\0",
            "5000 characters": "x" * 5000,
            "nothing": "",
            "a line break": "good.mp4\n../secret.mp4",
        },
        "link": {
            "symlink to a file": "link.mp4",
            "symlink to a folder": "folder",
            "through a symlinked folder": "folder/secret.mp4",
            "folder of pictures with a symlink out": "pictures",
            "symlink to a device": "zero.mp4",
            "symlink to itself": "loop.mp4",
            "/proc/self/root": "/proc/self/root/etc/passwd",
        },
        "device": {
            "/dev/zero": "/dev/zero",
            "/dev/stdin": "/dev/stdin",
            "/dev/fd/0": "/dev/fd/0",
            "/proc/self/mem": "/proc/self/mem",
            "/proc/self/environ": "/proc/self/environ",
            "FIFO": "pipe.mp4",
            "socket": "socket.mp4",
            "/dev/video0": "/dev/video0",
            "camera 0": "0",
        },
        "protocol": {
            name: name
            for name in (
                "file:///etc/passwd",
                "concat:good.mp4|../secret.mp4",
                "subfile,,start,0,end,0,,:../secret.mp4",
                "data:video/mp4;base64,AAAA",
                "pipe:0",
                "crypto:../secret.mp4",
                "ftp://169.254.169.254/x",
                "gopher://169.254.169.254/x",
            )
        },
        "content": {
            "HLS playlist": "list.m3u8",
            "HLS playlist named .mp4": "list.mp4",
            "concat list": "concat.mp4",
            "DASH list": "dash.mp4",
            "SDP": "sdp.mp4",
            "PostScript named .png": "script.png",
            "empty file": "empty.mp4",
            "noise": "sure.mp4",
        },
    }
    return [
        Attempt(kind, what, _opens(store, name))
        for kind, group in names.items()
        for what, name in group.items()
    ]


def _addresses(store: SessionStore, server: str) -> list[Attempt]:
    host = server.split("/")[2]
    names = (
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/latest/",
        "HTTP://169.254.169.254/",
        "rtsp://cam.local/video",
        "http://cam.local@169.254.169.254/video",
        "http://cam.local.evil.example/video",
        "http://cam.local:81/video",
        "http://cam.local\\@169.254.169.254/video",
        "http://cam.local#@169.254.169.254/video",
        "http://cam.local/video/../admin",
        "http://cam.local/%76ideo",
        "http://cam.local/video?to=http://169.254.169.254/",
        "http://user:word@cam.local/video",
        f"http://{host}\t.evil.example/video",
        "tcp://169.254.169.254:80",
    )
    moves = {
        "redirect of an allowed host": f"http://{host}/moved",
        "playlist of an allowed host": f"http://{host}/list.m3u8",
    }
    return [Attempt("address", repr(name)[1:-1], _opens(store, name)) for name in names] + [
        Attempt("address", what, _opens(store, name)) for what, name in moves.items()
    ]


def _bombs(store: SessionStore, inside: Path) -> list[Attempt]:
    bombs.png_header(inside / "bomb.png", 100_000, 100_000)
    bombs.png_header(inside / "large.png", 9_000, 9_000)
    bombs.tiff_header(inside / "bomb.tif", 60_000, 60_000)
    (inside / "bombs").mkdir()
    write_image(inside / "bombs" / "0.png", picture(90))
    bombs.png_header(inside / "bombs" / "1.png", 100_000, 100_000)
    bombs.gif(inside / "wide.gif", 16_000, 16_000, 2)
    bombs.gif(inside / "long.gif", 64, 64, 150_000)
    bombs.mp4(inside / "many.mp4", 100_000_000, 3_000)
    bombs.mp4(inside / "hours.mp4", 5, 36_000)
    bombs.mp4(inside / "claims.mp4", 5, 1, size=(30_000, 30_000))
    bombs.mjpeg(inside / "grows.mjpeg", [(64, 64)] * 3 + [(5_000, 4_000)] * 3)
    names = {
        "PNG header of 100,000x100,000": "bomb.png",
        "PNG header of 9,000x9,000": "large.png",
        "TIFF header of 60,000x60,000": "bomb.tif",
        "folder with such a PNG": "bombs",
        "GIF of 16,000x16,000": "wide.gif",
        "GIF of 150,000 frames": "long.gif",
        "mp4 of 1 kB and 100,000,000 frames": "many.mp4",
        "mp4 of 1 kB and 10 hours": "hours.mp4",
        "mp4 that claims 30,000x30,000": "claims.mp4",
        "video whose 4th frame has 5,000x4,000": "grows.mjpeg",
    }
    return [Attempt("bomb", what, _opens(store, name)) for what, name in names.items()]


def _swaps(store: SessionStore, base: Path, inside: Path) -> list[Attempt]:
    """Names that turn into links after they were checked."""

    def replaced(path: Path, target: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    def before_opening() -> str | None:
        video = write_video(inside / "swap.mp4", [picture(90)] * 4, 10)
        path = store.access.source

        class Late(Access):
            def source(self, name: str) -> Path:
                found = path(name)
                replaced(video, base / "secret.mp4")
                return found

        late = SessionStore(Late(**vars(store.access)))
        return _opens(late, "swap.mp4")()

    def while_playing() -> str | None:
        video = write_video(inside / "swap2.mp4", [picture(90)] * 4, 10)
        opened = store.open("swap2.mp4", FREE)
        replaced(video, base / "secret.mp4")
        opened.play(None, FREE)
        return opened.problem

    def in_a_folder() -> str | None:
        folder = inside / "swapped"
        folder.mkdir()
        for k in range(4):
            write_image(folder / f"{k}.png", picture(90 + k))
        opened = store.open("swapped", FREE)
        opened.play(0.0, FREE)
        replaced(folder / "3.png", base / "secret.png")
        opened.play(None, FREE)
        return opened.problem

    def when_recalled() -> str | None:
        from som_agent.keyframes import Wanted
        from som_agent.marks.view import View

        video = write_video(inside / "swap3.mp4", [picture(90)] * 4, 10)
        opened = store.open("swap3.mp4", FREE)
        opened.play(None, FREE)
        replaced(video, base / "secret.mp4")
        opened.pictures([1], Wanted(View("tools", 96, marks=1), (), budget=1))
        return None

    return [
        Attempt("swap", "link put there after the check", before_opening),
        Attempt("swap", "link put there after the opening", while_playing),
        Attempt("swap", "picture of a folder turned into a link", in_a_folder),
        Attempt("swap", "link put there before a frame is read again", when_recalled),
    ]


def _outputs(store: SessionStore, base: Path) -> list[Attempt]:
    out = store.outputs

    def names(name: str) -> Callable[[], str | None]:
        return lambda: str(out.write(out.folder("masks"), name, b"x")) and None

    def through_a_link() -> str | None:
        (out.root / "link").symlink_to(base)
        out.write(out.root / "link", "x.png", b"x")
        return None

    def over_a_link() -> str | None:
        folder = out.folder("masks")
        (folder / "x.png").symlink_to(base / "secret.png")
        out.write(folder, "x.png", b"x")  # the link itself is replaced
        return "the link was replaced, not followed" if (base / "secret.png").stat().st_size > 1 else None

    def elsewhere() -> str | None:
        out.write(base, "x.png", b"x")
        return None

    def too_much() -> str | None:
        folder = out.folder("masks")
        for k in range(20):
            out.write(folder, f"{k}.bin", bytes(100_000))
        return None

    return [
        *(
            Attempt("output", repr(name), names(name))
            for name in ("../x.png", "/etc/x", "a/b.png", "x\0.png", "..")
        ),
        Attempt("output", "folder outside", elsewhere),
        Attempt("output", "through a link to a folder", through_a_link),
        Attempt("output", "over a link to a file", over_a_link),
        Attempt("output", "more megabytes than allowed", too_much),
    ]


def _others(store: SessionStore) -> list[Attempt]:
    def of_another() -> str | None:
        opened = store.open("good.mp4", Call(owner="a"))
        store.get(opened.id, Call(owner="b"))
        return None

    def too_many() -> str | None:
        for k in range(store.quota.sessions + 1):
            store.open("good.mp4", FREE, end_s=0.1 + 0.01 * k)
        return None

    return [
        Attempt("session", "another owner's session", of_another),
        Attempt("session", "one session too many", too_many),
    ]


def main() -> int:
    """Make all attempts and print what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with attempts() as todo:
        done = [(attempt, tried(attempt)) for attempt in todo]
    escaped = [attempt for attempt, told in done if not told.refused]
    if args.json:
        print(json.dumps([{"kind": a.kind, "what": a.what, **vars(told)} for a, told in done]))
        return len(escaped)
    for attempt, told in done:
        verdict = "refused" if told.refused else "ESCAPED"
        print(f"{verdict} {told.seconds:5.2f} s  {attempt.kind:8}  {attempt.what[:50]:50}  {told.line[:150]}")
    slowest = max(told.seconds for _, told in done)
    print(f"{len(done) - len(escaped)} of {len(done)} refused; the slowest took {slowest:.2f} s")
    return len(escaped)


if __name__ == "__main__":
    sys.exit(main())
