import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from som_agent.errors import InputError
from som_agent.regions import Regions
from som_agent.video import Frame
from som_tools.access import Access
from som_tools.call import Call, StoppedError
from som_tools.quota import Quota
from som_tools.sessions import SessionStore
from som_tools.sessions.files import CheckedFile
from som_tools.sessions.waiting import Ahead

A, B = Call(owner="a"), Call(owner="b")


class ByColor:
    """The red and the blue thing, and a pause before it says so."""

    name = "by-color"

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s, self.frames = pause_s, 0

    def segment(self, frame: Frame) -> Regions:
        time.sleep(self.pause_s)
        self.frames += 1
        red, _, blue = (frame.image[..., k].astype(int) for k in range(3))
        return Regions.from_labels(np.where(red - blue > 80, 1, np.where(blue - red > 80, 2, 0)))


@pytest.fixture
def store(root: Path) -> SessionStore:
    return SessionStore(Access.to(root), segmenter=ByColor(), quota=Quota(sessions=3))


def test_the_same_file_is_the_same_session(store: SessionStore) -> None:
    first = store.open("blocks.mp4", A)
    assert store.open("./blocks.mp4", A) is first
    assert store.open("blocks.mp4", A, end_s=1.0) is not first
    assert store.open("blocks.mp4", B) is not first


def test_two_opens_at_once_share_the_work(store: SessionStore) -> None:
    with ThreadPoolExecutor(4) as pool:

        def work(_: int) -> str:
            opened = store.open("blocks.mp4", A)
            opened.play(None, A)
            return opened.id

        assert set(pool.map(work, range(4))) == {"v1"}
    segmenter, _ = store.load()
    assert isinstance(segmenter, ByColor)
    assert segmenter.frames == 12


def test_a_changed_file_is_another_session(store: SessionStore, root: Path) -> None:
    first = store.open("blocks.mp4", A)
    first.play(0.5, A)
    os.utime(root / "blocks.mp4", (1, 1))
    second = store.open("blocks.mp4", A)
    assert second is not first
    first.play(None, A)  # rewritten in its place or only touched: it goes on
    assert first.problem is None
    os.replace(root.parent / "secret.mp4", root / "blocks.mp4")
    with pytest.raises(InputError, match=r"'blocks\.mp4' is not the file any more that was opened"):
        second.play(None, A)
    third = store.open("blocks.mp4", A)
    third.play(None, A)
    assert third.problem is None


def test_a_closed_session_is_opened_anew(store: SessionStore) -> None:
    first = store.open("blocks.mp4", A)
    store.close(first.id, A)
    assert store.open("blocks.mp4", A).id == "v2"
    with pytest.raises(InputError, match="session v1 was closed"):
        first.play(None, A)


def test_owners_do_not_see_each_other(store: SessionStore) -> None:
    opened = store.open("blocks.mp4", A)
    for do in (store.get, store.close):
        with pytest.raises(InputError, match="there is no session 'v1'; open sessions: none"):
            do(opened.id, B)
    store.close_all("b")
    assert store.all(A) == [opened]
    store.close_all("a")
    assert store.all(A) == []


def test_a_full_store_refuses_or_lets_the_oldest_go(store: SessionStore) -> None:
    ends = (0.5, 1.0, 1.5)
    first, second, third = (store.open("blocks.mp4", A, end_s=end) for end in ends)
    with pytest.raises(InputError, match="3 sessions are open, the most allowed"):
        store.open("blocks.mp4", A)
    with pytest.raises(InputError, match="3 sessions are open"):
        store.open("blocks.mp4", B, evict=True)  # another owner's are not its to let go
    store.get(first.id, A)
    fourth = store.open("blocks.mp4", A, evict=True)
    assert store.all(A) == [first, third, fourth]
    second.play(None, A)  # who holds it is not disturbed
    assert second.ended


def test_an_abandoned_session_stays_for_who_else_opened_it(store: SessionStore) -> None:
    opened = store.open("blocks.mp4", A)
    store.open("blocks.mp4", A)
    store.abandon(opened)
    assert store.get(opened.id, A) is opened
    store.abandon(opened)
    assert store.all(A) == []


def test_closing_does_not_wait_for_who_plays(root: Path) -> None:
    store = SessionStore(Access.to(root), segmenter=ByColor(pause_s=0.2))
    opened = store.open("blocks.mp4", A)
    told: list[str] = []

    def play() -> None:
        try:
            opened.play(None, A)
        except InputError as error:
            told.append(str(error))

    thread = threading.Thread(target=play)
    thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    store.close(opened.id, A)
    assert time.monotonic() - start < 0.5
    thread.join(5)
    assert told == ["session v1 was closed"]


def test_a_caller_that_goes_away_leaves_the_session_where_it_is(store: SessionStore) -> None:
    opened = store.open("blocks.mp4", A)
    opened.play(0.0, A)
    with pytest.raises(StoppedError):
        opened.play(None, Call(owner="a", stopped=lambda: True))
    assert opened.newest.index == 0
    opened.play(None, A)
    assert opened.newest.index == 11


def test_what_was_seen_stays_when_a_limit_is_reached(root: Path) -> None:
    """A source that gives more than it announced."""
    store = SessionStore(Access.to(root), segmenter=ByColor())
    opened = store.open("blocks.mp4", A)
    opened._quota = Quota(frames=5)  # type: ignore[attr-defined]
    opened.play(None, A)
    assert opened.ended
    assert opened.problem == "stopped at 0.83 s: 5 frames are the most that a session takes in"
    assert opened.newest.index == 4
    assert len(opened.session.history.marks) == 2
    assert opened.session.ask("Which mark is red?").marks


def test_a_frame_that_never_comes() -> None:
    release = threading.Event()

    def frames():
        yield 1
        release.wait(10)

    ahead = Ahead(frames(), "'x.mp4'", 0.3)
    assert ahead.next(lambda: None) == 1
    start = time.monotonic()
    with pytest.raises(InputError, match=r"'x.mp4' gave no frame for 0.3 s"):
        ahead.next(lambda: None)
    assert time.monotonic() - start < 2
    release.set()


def test_a_checked_file_gives_no_frame_of_another(root: Path) -> None:
    path = root.resolve() / "blocks.mp4"
    file = CheckedFile.of("blocks.mp4", path, (root.resolve(),), 10**6)
    with file.open() as source:
        frames = iter(source)
        next(frames)
        path.unlink()
        path.symlink_to(root.parent / "secret.mp4")
        with pytest.raises(InputError, match=r"'blocks\.mp4' is not the file any more"):
            next(frames)
    with pytest.raises(InputError, match="is not the file any more"):
        file.open()
    with pytest.raises(InputError, match="turned into a link"):
        CheckedFile.of("blocks.mp4", path, (root.resolve(),), 10**6)
