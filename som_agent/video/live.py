"""Live sources that survive: always the newest frame, and a new connection when one is lost."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from som_agent.errors import InputError, SomError
from som_agent.video.arrivals import Arrivals
from som_agent.video.frame import Frame
from som_agent.video.kinds import camera_number, is_address, printable
from som_agent.video.live_state import Backoff, LiveState
from som_agent.video.paced import paced
from som_agent.video.source import VideoSource, open_video

__all__ = ["Backoff", "LiveSource", "LiveState", "is_stored", "open_live", "paced"]

CLOSING_S = 0.8
"""Most seconds that closing waits for the threads."""


def is_stored(source: str | int) -> bool:
    """Whether a source is a file or a folder, not a camera or an address; it need not exist.

    Raises:
        InputError: an address of a kind that is not known.
    """
    return camera_number(source) is None and not is_address(str(source))


@runtime_checkable
class Interruptible(Protocol):
    """A source whose iteration can be ended from another thread, whatever it waits for."""

    def interrupt(self) -> None:
        """End it."""


def open_live(
    source: str | Path | int,
    *,
    reconnect: bool = True,
    backoff: Backoff | None = None,
    silent_s: float = 5.0,
    give_up_s: float = 60.0,
    notice: Callable[[str], None] = lambda _: None,
) -> LiveSource:
    """Open a camera or an address as a live source; a file, a folder or a picture plays once at its own pace.

    Cameras and addresses are read in a process of their own: `som_agent.video.feed`.

    Args:
        source: as `open_video` takes it.
        reconnect: open a camera or an address again when it drops, ends or goes silent.
        backoff: how long to wait before that.
        silent_s: no frame for this long is a loss.
        give_up_s: seconds without a frame after which it is not tried any more; `problem` says so then.
        notice: told in one line what happens to the source, from a thread of its own.

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """
    given = source if isinstance(source, int) else str(source)

    def opened() -> VideoSource:
        from som_agent.video.feed import Feed

        return Feed(given) if is_live else paced(open_video(given))

    is_live = not is_stored(given)
    return LiveSource(
        opened,
        printable(str(given)),
        own_times=not is_live,
        reconnect=reconnect and is_live,
        backoff=backoff,
        silent_s=silent_s if is_live else math.inf,  # frames of a file may be hours apart
        give_up_s=give_up_s,
        notice=notice,
    )


class LiveSource(VideoSource):
    """The frames of a source as they come: the newest one, and none twice.

    A thread reads; who iterates gets the newest frame there is, and those in between are counted as dropped.
    Times are seconds since the first frame and always grow; numbers count delivered and dropped frames alike,
    across connections; all frames have the size of the first one. Iterating again goes on where it stands.
    `problem` says why no more frames come; it is None where the source came to its end.

    Args:
        opener: opens the source, and opens it again after a loss. A source with a method `interrupt()` can be
            stopped while it waits; one without it ends only when its own wait does.
        name: what notices call it.
        own_times: keep the source's times, which begin at 0 and grow: a file's.
        reconnect: open it again when it drops, goes silent, or ends although it is live.
        backoff: how long to wait before that.
        silent_s: no frame for this long is a loss, and three times as long while it is being opened.
        give_up_s: seconds without a frame after which it is not tried any more.
        notice: told in one line what happens to the source, from a thread of its own.

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """

    frame_count = None
    duration = None
    is_live = True

    def __init__(
        self,
        opener: Callable[[], VideoSource],
        name: str,
        *,
        own_times: bool = False,
        reconnect: bool = True,
        backoff: Backoff | None = None,
        silent_s: float = 5.0,
        give_up_s: float = 60.0,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name, self.fps = name, None
        self._opener, self._reconnect, self._backoff = opener, reconnect, backoff or Backoff()
        self._silent_s, self._give_up_s, self._notice = silent_s, give_up_s, notice
        self._closed = threading.Event()
        self._changed = threading.Condition()  # held by who changes what is below
        self._arrivals = Arrivals(name, own_times=own_times)
        self._video: VideoSource | None = None
        self._slot: tuple[Frame, float] | None = None  # and when it came
        self._asked_for: float | None = None  # when the frame that is being processed came
        self._delivered = self._dropped = self._reconnects = 0
        self._latency_s = 0.0
        self._in_connection = 0  # frames of it
        self._waiting_since = time.monotonic()
        self._is_silenced = self._is_done = False
        self._trouble: str | None = None
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._read, name=f"reads {name}", daemon=True),
            threading.Thread(target=self._watch, name=f"watches {name}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._arrivals.count or self._is_done)
        except BaseException:  # Ctrl-C
            self.close()
            raise
        self.size = self._arrivals.size
        if not self._arrivals.count:
            self.close()
            raise self._failure or InputError(self.problem or f"{name} gives no picture")

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self.wait()) is not None:
            yield frame

    def wait(self, timeout_s: float | None = None) -> Frame | None:
        """The newest frame, waiting until there is one that was not handed out yet.

        Returns:
            None where none came in time, or none will: `ended` tells which.
        """
        with self._changed:
            if self._asked_for is not None:
                self._latency_s = time.monotonic() - self._asked_for
                self._asked_for = None
            self._changed.wait_for(lambda: self._slot or self.ended, timeout_s)
            if self._failure is not None:
                raise self._failure
            if self._slot is None or self._closed.is_set():
                return None
            (frame, self._asked_for), self._slot = self._slot, None
            self._delivered += 1
            return frame

    def begin(self) -> None:
        """Forget what came so far: the next frame that comes is number 0, at 0 s.

        Meant for once, before the first frame is taken: it makes a start of its own where getting ready took
        a while.
        """
        with self._changed:
            self._arrivals.begin()
            self._slot, self._dropped = None, 0

    @property
    def ended(self) -> bool:
        """Whether no frame will come any more; the last one may still be there to be taken."""
        return self._is_done or self._closed.is_set()

    @property
    def state(self) -> LiveState:
        """How it fares at this moment."""
        with self._changed:
            now = time.monotonic()
            silent_s = now - (self._arrivals.last_s or now)
            return LiveState(
                delivered=self._delivered,
                dropped=self._dropped,
                reconnects=self._reconnects,
                resized=self._arrivals.resized,
                clock_jumps=self._arrivals.clock_jumps,
                frozen_s=self._arrivals.frozen_s(now),
                silent_s=silent_s,
                latency_s=self._latency_s,
                connected=self._in_connection > 0 and silent_s <= self._silent_s and not self.ended,
                trouble=self._trouble,
            )

    def close(self) -> None:
        """End it, from any thread, within a second."""
        with self._changed:
            self._closed.set()
            self._interrupt()
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(CLOSING_S / len(self._threads))

    def _read(self) -> None:
        try:
            self._keep_reading()
        except BaseException as error:  # raised where the frames are taken, which is another thread
            self._failure = error
        finally:
            with self._changed:
                self._is_done = True
                self._changed.notify_all()

    def _keep_reading(self) -> None:
        tries = 0
        while not self._closed.is_set():
            began = time.monotonic()
            why = self._one_connection()
            last_s = self._arrivals.last_s
            if self._closed.is_set() or why is None:
                return
            if not self._reconnect or last_s is None:
                self.problem = why
                return
            if self._in_connection:
                self._notice(f"{why}: trying again")
                tries = 0 if last_s - began >= self._backoff.most_s else tries
            with self._changed:
                self._trouble, self._in_connection = why, 0
            silent_s = time.monotonic() - last_s
            wait_s = self._backoff.wait_s(tries, random.random())
            if silent_s + wait_s > self._give_up_s:
                self.problem = f"{self.name} gave no picture for {silent_s:.0f} s, in {tries} tries: {why}"
                return
            tries += 1
            self._closed.wait(wait_s)

    def _one_connection(self) -> str | None:
        """Read until the connection ends; why it was lost, None where the source is over for good."""
        video = None
        self._arrivals.restart()
        with self._changed:
            self._waiting_since, self._is_silenced = time.monotonic(), False
        try:
            video = self._opener()
            with self._changed:
                self._video = video
                if self._closed.is_set():
                    self._interrupt()
            for frame in video:
                if self._closed.is_set():
                    break
                self._take(frame, video)
        except SomError as error:
            return str(error)
        finally:
            with self._changed:
                self._video = None
            if video is not None:
                video.close()
        if self._is_silenced:
            return f"{self.name} gave no picture for {self._silent_s:g} s"
        if video.problem is None and not video.is_live:
            return None
        return video.problem or f"{self.name} ended"

    def _take(self, frame: Frame, video: VideoSource) -> None:
        now, last_s = time.monotonic(), self._arrivals.last_s
        with self._changed:
            taken, notices = self._arrivals.take(frame, now)
            if last_s is None:
                self.fps = video.fps
            elif not self._in_connection:
                self._reconnects += 1
                notices.append(f"{self.name} is back after {now - last_s:.1f} s")
            self._dropped += self._slot is not None
            self._slot = taken, now
            self._in_connection += 1
            self._waiting_since = now
            self._changed.notify_all()
        for text in notices:
            self._notice(text)

    def _watch(self) -> None:
        """End connections that have gone silent."""
        while not self._closed.wait(min(self._silent_s / 4, 0.25)) and not self._is_done:
            with self._changed:
                most_s = self._silent_s if self._in_connection else 3 * self._silent_s
                if time.monotonic() - self._waiting_since > most_s:
                    self._is_silenced = self._video is not None
                    self._interrupt()

    def _interrupt(self) -> None:
        video: object = self._video
        if isinstance(video, Interruptible):
            video.interrupt()
