import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.regions import Regions
from som_agent.video import Frame, write_video
from som_tools.access import Access
from som_tools.call import Call, StoppedError
from som_tools.quota import Quota
from som_tools.sessions import CameraSession, SessionStore
from tests.cameras import camera, served, show, silence, then

FREE = Call()
Blocks = Callable[[int], np.ndarray]


class ByColor:
    name = "by-color"
    fails = False

    def segment(self, frame: Frame) -> Regions:
        if self.fails:
            raise ZeroDivisionError("a bug")
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))


@pytest.fixture
def stores() -> Iterator[Callable[..., SessionStore]]:
    made: list[SessionStore] = []

    def make(*roots: Path, addresses: tuple[str, ...] = (), **quota: float) -> SessionStore:
        access = Access.to(roots, addresses=addresses)
        made.append(SessionStore(access, segmenter=ByColor(), quota=Quota(**{"live_fps": 20, **quota})))
        return made[-1]

    yield make
    for store in made:
        store.close_all()


def no_threads() -> bool:
    """Of live sessions; those that watch for silence look up four times a second."""
    for _ in range(40):
        if not [t for t in threading.enumerate() if t.name.startswith(("steps ", "reads ", "watches "))]:
            return True
        time.sleep(0.05)
    return False


def opened_live(store: SessionStore, name: str = "blocks.mp4") -> CameraSession:
    opened = store.open(name, FREE, live=True)
    assert isinstance(opened, CameraSession)
    return opened


def test_a_file_that_plays_as_a_camera(root: Path, stores: Callable[..., SessionStore]) -> None:
    opened = opened_live(stores(root))
    assert opened.kind == "live"
    assert opened.newest.time < 1
    assert opened.duration_s == pytest.approx(2.0)
    start, told = time.monotonic(), []
    opened.play(1.0, Call(tell=told.append))
    assert opened.newest.time >= 1.0
    assert time.monotonic() - start > 0.2, "it keeps to its own pace"
    assert told[0]["type"] == "som.watching"
    assert told[0]["session"] == opened.id
    opened.play(None, FREE)
    assert opened.ended
    assert opened.problem is None
    assert len(opened.session.history.marks) == 2
    assert opened.session.ask("Which mark is red?").marks
    assert no_threads()


def test_it_is_another_session_each_time(root: Path, stores: Callable[..., SessionStore]) -> None:
    store = stores(root)
    assert opened_live(store).id != opened_live(store).id


def test_no_more_frames_a_second_than_allowed(root: Path, stores: Callable[..., SessionStore]) -> None:
    opened = opened_live(stores(root, live_fps=3))
    opened.play(None, FREE)
    assert opened.pace.steps <= 7  # 2 s


def test_an_allowed_address(blocks: Blocks, stores: Callable[..., SessionStore]) -> None:
    with camera(show([blocks(3 * k) for k in range(10)], fps=20, laps=100)) as address:
        store = stores(addresses=(address,))
        opened = store.open(address, FREE)
        assert isinstance(opened, CameraSession)
        opened.play(opened.newest.time + 0.3, FREE)
        assert opened.pace.source.connected
        assert opened.duration_s is None
        with pytest.raises(InputError, match="has no end to wait for"):
            opened.play(None, FREE)
        with pytest.raises(InputError, match="start and end are for files"):
            store.open(address, FREE, start_s=1.0)
        start = time.monotonic()
        store.close(opened.id, FREE)
        assert time.monotonic() - start < 1.5
        assert opened.ended
        assert no_threads()


def test_pictures_that_are_too_large(blocks: Blocks, stores: Callable[..., SessionStore]) -> None:
    with camera(show([blocks(0)], laps=100)) as address:
        store = stores(addresses=(address,), pixels=1000)
        with pytest.raises(InputError, match="more than the 1000 pixels that are allowed"):
            store.open(address, FREE)
        assert store.all(FREE) == []


def test_an_allowed_address_leads_nowhere_else(stores: Callable[..., SessionStore]) -> None:
    asked: list[str] = []

    def moved(handler, _: int) -> None:
        asked.append(handler.path)
        handler.send_response(302)
        handler.send_header("Location", "/other")
        handler.end_headers()

    with served(moved) as address:
        with pytest.raises(InputError, match="cannot be opened"):
            stores(addresses=(address,)).open(address, FREE)
        assert asked
        assert set(asked) == {"/video"}


def test_a_playlist_is_not_followed(stores: Callable[..., SessionStore]) -> None:
    asked: list[str] = []

    def listed(handler, _: int) -> None:
        asked.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.apple.mpegurl")
        handler.end_headers()
        handler.wfile.write(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4.0,\nother.ts\n#EXT-X-ENDLIST\n")

    with served(listed) as address:
        with pytest.raises(InputError, match="cannot be opened"):
            stores(addresses=(address,)).open(address, FREE)
        assert set(asked) == {"/video"}


def test_closing_while_a_call_waits(root: Path, stores: Callable[..., SessionStore]) -> None:
    store = stores(root)
    opened = opened_live(store)
    told: list[str] = []

    def wait() -> None:
        try:
            opened.play(1e6, FREE)
        except InputError as error:
            told.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    start = time.monotonic()
    store.close_all()
    thread.join(5)
    assert time.monotonic() - start < 2
    assert told == [f"session {opened.id} was closed"]
    assert no_threads()


def test_a_caller_that_goes_away_while_a_camera_is_silent(stores: Callable[..., SessionStore]) -> None:
    with camera(silence(20)) as address:
        store = stores(addresses=(address,))
        gone = threading.Event()
        threading.Timer(0.5, gone.set).start()
        start = time.monotonic()
        with pytest.raises(StoppedError):
            store.open(address, Call(stopped=gone.is_set))
        assert time.monotonic() - start < 5
        assert store.all(FREE) == []
        assert no_threads()


def test_limits_end_it_and_what_was_seen_stays(root: Path, stores: Callable[..., SessionStore]) -> None:
    opened = opened_live(stores(root, live_s=0.5))
    opened.play(None, FREE)
    assert opened.problem == "stopped: 0.5 s are the most that a live session runs"
    assert opened.session.history.marks
    store = stores(root, frames=12)
    opened = opened_live(store)
    opened._quota = Quota(frames=3, live_fps=20)
    opened.play(None, FREE)
    assert "3 frames are the most that a session takes in" in str(opened.problem)
    assert opened.pace.steps == 3


def test_nobody_asked_for_it(tmp_path: Path, blocks: Blocks, stores: Callable[..., SessionStore]) -> None:
    write_video(tmp_path / "long.mp4", [blocks(k % 20) for k in range(80)], 8)
    store = stores(tmp_path, idle_s=0.6)
    opened = opened_live(store, "long.mp4")
    opened.play(0.8, FREE)  # waiting is asking
    time.sleep(1.2)
    with pytest.raises(
        InputError, match=r"session v1 was closed after 0\.6 s without a call; open sessions: none"
    ):
        store.get(opened.id, FREE)
    with pytest.raises(InputError, match="there is no session 'v1'"):
        store.get(opened.id, Call(owner="other"))
    assert opened.ended
    assert no_threads()


def test_a_bug_is_raised_where_somebody_waits(root: Path, stores: Callable[..., SessionStore]) -> None:
    store = stores(root)
    opened = opened_live(store)
    segmenter, _ = store.load()
    segmenter.fails = True  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        opened.play(None, FREE)
    assert opened.problem == "session v1 broke off: a bug"


def test_a_connection_that_is_lost(blocks: Blocks, stores: Callable[..., SessionStore]) -> None:
    pictures = [blocks(3 * k) for k in range(5)]
    with camera(then(show(pictures, fps=20)), show(pictures, fps=20, laps=100)) as address:
        opened = stores(addresses=(address,)).open(address, FREE)
        assert isinstance(opened, CameraSession)
        for _ in range(100):
            if opened.pace.source.reconnects:
                break
            time.sleep(0.1)
        assert opened.pace.source.reconnects == 1
        assert not opened.ended
