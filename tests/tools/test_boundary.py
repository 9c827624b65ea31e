"""What an agent may not reach, it does not reach; the attempts are those of the benchmark."""

import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from som_agent.errors import InputError, OutputError
from som_tools.access import Access
from som_tools.addresses import Address
from som_tools.call import Call, StoppedError
from som_tools.outputs import Outputs, safe_name
from som_tools.probe import probe
from som_tools.quota import Quota
from som_tools.sessions import SessionStore
from tests import bombs
from tests.benchmarks.boundary import Attempt, attempts, tried

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, sockets and links of POSIX")

KINDS = ("path", "link", "device", "protocol", "content", "address", "bomb", "swap", "output", "session")
MOST_S = 10.0
"""It takes below 1 s on an idle machine; see the benchmark."""


@pytest.fixture(scope="module")
def todo() -> Iterator[list[Attempt]]:
    with attempts() as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_all_attempts_are_refused_in_one_line(todo: list[Attempt], kind: str) -> None:
    told = {attempt.what: tried(attempt) for attempt in todo if attempt.kind == kind}
    assert told
    assert not {what: one.line for what, one in told.items() if not one.refused}
    assert not {what: one.seconds for what, one in told.items() if one.seconds > MOST_S}
    assert max(len(one.line) for one in told.values()) < 600


def test_the_kinds_are_all(todo: list[Attempt]) -> None:
    assert {attempt.kind for attempt in todo} == set(KINDS)


def test_what_is_allowed_is_opened(root: Path) -> None:
    """Refusing everything would pass the tests above."""
    store = SessionStore(Access.to(root))
    opened = store.open("blocks.mp4", Call())
    opened.play(None, Call())
    assert opened.problem is None
    assert opened.session.history.marks


def test_a_refused_bomb_costs_no_memory(tmp_path: Path) -> None:
    bombs.png_header(tmp_path / "bomb.png", 100_000, 100_000)
    bombs.png_header(tmp_path / "large.png", 9_000, 9_000)
    store = SessionStore(Access.to(tmp_path))
    store.load()
    for name in ("bomb.png", "large.png"):
        tracemalloc.start()
        with pytest.raises(InputError, match="pixels"):
            store.open(name, Call())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 2 * 2**20


@pytest.mark.parametrize(
    ("quota", "says"),
    [
        (Quota(frames=11), "12 frames of .* are wanted and 11 are allowed"),
        (Quota(seconds=0.5), "2 s of it are wanted and 0.5 s are allowed"),
        (Quota(pixels=160 * 90 - 1), "more than 14399 pixels"),
        (Quota(wait_s=0.01), "did not open within 0.01 s"),
    ],
)
def test_a_video_beyond_the_quota(root: Path, quota: Quota, says: str) -> None:
    store = SessionStore(Access.to(root), quota=quota)
    with pytest.raises(InputError, match=says):
        store.open("blocks.mp4", Call())
    assert store.all(Call()) == []


def test_a_part_that_fits_the_quota(root: Path) -> None:
    store = SessionStore(Access.to(root), quota=Quota(frames=6, seconds=1.0))
    opened = store.open("blocks.mp4", Call(), start_s=0.5, end_s=1.5)
    opened.play(None, Call())
    assert opened.newest.time == pytest.approx(1.333, abs=1e-3)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited on Linux")
def test_a_file_that_needs_too_much_memory_to_open(tmp_path: Path) -> None:
    path = bombs.gif(tmp_path / "wide.gif", 4_000, 4_000, 2)
    roomy = Quota(pixels=20_000_000)
    probe(path, None, None, roomy, lambda: None)
    with pytest.raises(InputError, match=r"within 20 MB of memory|no known video format|can be read"):
        probe(path, None, None, replace(roomy, probe_mb=20), lambda: None)


def test_a_caller_that_goes_away_while_a_file_opens(root: Path) -> None:
    store = SessionStore(Access.to(root))
    with pytest.raises(StoppedError):
        store.open("blocks.mp4", Call(stopped=lambda: True))
    assert store.all(Call()) == []


ALLOWED = Access.to(addresses=("rtsp://me:word@cam.local/live/", "http://[2001:db8:0::1]:8080/video?id=1"))


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("rtsp://cam.local/live/1", "rtsp://me:word@cam.local:554/live/1"),
        ("RTSP://CAM.local:554/live/a?b=c", "rtsp://me:word@cam.local:554/live/a?b=c"),
        ("http://[2001:DB8::1]:8080/video?id=1", "http://[2001:db8::1]:8080/video?id=1"),
    ],
)
def test_addresses_are_compared_by_their_parts(name: str, opened: str) -> None:
    assert ALLOWED.device(name) == opened


@pytest.mark.parametrize(
    "name",
    [
        "rtsp://cam.local/live",
        "rtsp://cam.local/",
        "rtsp://cam.local/live/../x",
        "rtsp://cam.local//live/1",
        "rtsp://cam.local./live/1",
        "rtsp://me:word@cam.local/live/1",
        "rtsps://cam.local/live/1",
        "http://[2001:db8::1]:8080/video?id=2",
        "http://[2001:db8::1]:8080/video",
        "http://[2001:db8::1]/video?id=1",
        "http://[::1%25eth0]:8080/video?id=1",
        "http://cam.local:99999/",
        "http:///video",
        "udp://cam.local",
    ],
)
def test_addresses_that_only_look_alike(name: str) -> None:
    with pytest.raises(InputError, match="address") as error:
        ALLOWED.device(name)
    assert "word@" not in str(error.value).replace(name, "")


def test_cameras_by_number() -> None:
    access = Access.to(cameras=("/dev/video2", 3))
    assert access.device("2") == access.device("/dev/video2") == 2
    with pytest.raises(InputError, match="camera 0 may not be opened; allowed cameras: 2, 3"):
        access.device("0")
    with pytest.raises(InputError, match="'/dev/sda' is no camera"):
        Access.to(cameras=("/dev/sda",))


def test_a_file_of_a_cameras_name_is_a_file(root: Path) -> None:
    (root / "0").write_bytes((root / "blocks.mp4").read_bytes())
    assert Access.to(root).device("0") is None


def test_an_address_says_what_is_wrong_with_it() -> None:
    with pytest.raises(InputError, match="has no port"):
        Address.parse("udp://239.0.0.1")
    assert str(Address.parse("udp://239.0.0.1:1234")) == "udp://239.0.0.1:1234"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("mask 3.png", "mask_3.png"),
        ("../x", "_x"),
        (".hidden", "hidden"),
        ("", "_"),
        ("..", "_"),
        ("ü" * 9 + ".png", "_.png"),
        ("a" * 300 + ".json", "a" * 60 + "a" * 15 + ".json"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe == safe_name(safe)


def test_outputs_count_what_is_there_and_what_comes(tmp_path: Path) -> None:
    (tmp_path / "old.bin").write_bytes(bytes(600_000))
    out = Outputs(tmp_path, 1)
    folder = out.folder("masks of [3]")
    assert folder.parent == tmp_path.resolve()
    assert folder.name.startswith("masks_of_3_-")
    path = out.write(folder, "a.bin", bytes(300_000))
    assert path.stat().st_size == 300_000
    assert out.used_mb == pytest.approx(0.9)
    with pytest.raises(OutputError, match=r"0.9 MB are written and 0.2 more are wanted: at most 1 MB"):
        out.write(folder, "b.bin", bytes(200_000))
    assert sorted(file.name for file in folder.iterdir()) == ["a.bin"]
    (tmp_path / "old.bin").unlink()
    out.write(out.folder("more"), "b.bin", bytes(200_000))
    (folder / "link.bin").symlink_to(tmp_path.parent / "x.bin")
    with pytest.raises(OutputError, match="leads through a link"):
        out.check(folder / "link.bin")


def test_outputs_without_a_folder_have_one_of_their_own() -> None:
    out = Outputs(None, 1)
    assert out.folder("a").parent == out.folder("b").parent == out.root


@pytest.mark.parametrize("name", ["sessions", "seconds", "live_fps", "idle_s"])
def test_a_quota_of_nothing(name: str) -> None:
    with pytest.raises(InputError, match=f"quota {name} must be above 0"):
        Quota(**{name: 0})
