"""A camera, an address, or a file that plays at its own pace: a thread looks at the newest frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread, current_thread
from typing import ClassVar

from som_agent.errors import InputError, SomError, first_line
from som_agent.live import LiveSession
from som_agent.video import Frame, VideoSource
from som_agent.video.kinds import printable
from som_agent.video.live import Interruptible, LiveSource, LiveState
from som_tools.call import Call
from som_tools.quota import Quota
from som_tools.sessions.gate import Gate
from som_tools.sessions.opened import Opened
from som_tools.sessions.stored import PROGRESS_S
from som_tools.sessions.waiting import CHECKED_S

__all__ = ["CameraSession", "LiveInput", "Pace"]

CLOSING_S = 1.0
"""Most seconds that closing waits for the thread."""
LOOKED_S = 0.25
"""Seconds from one look at whether it is closed to the next, while no frame comes."""
SMOOTH = 0.1
"""Weight of the newest step in the moving averages."""


@dataclass(frozen=True)
class LiveInput:
    """Where the frames of a live session come from.

    Attributes:
        opener: opens it, and opens it again after a loss.
        is_file: it has times of its own and an end.
        duration_s: seconds, where that is known.
        silent_s: no frame for this long is a loss; a file's may be hours apart.
    """

    opener: Callable[[], VideoSource]
    is_file: bool = False
    duration_s: float | None = None
    silent_s: float = 5.0


@dataclass(frozen=True)
class Pace:
    """How a live session keeps up.

    Attributes:
        steps: frames looked at.
        dropped: frames that a newer one replaced before anyone looked.
        step_ms: a step's mean milliseconds, the latest ones weighing most.
        turn_ms: the same of waiting for the processor, which sessions share.
        budget_ms: what a step may take on average.
        source: how the source fares; None before its first frame.
    """

    steps: int
    dropped: int
    step_ms: float
    turn_ms: float
    budget_ms: float
    source: LiveState | None


class CameraSession(Opened):
    """A live session: its newest frame moves on by itself, `Quota.live_fps` times a second at most.

    It keeps to its share of the processor by quality: see `LiveSession` and `Gate`. It ends when its source
    does, at a limit, and when nobody asked for it for long; what was seen stays.

    Args:
        id_: the session's id.
        name: what the caller named.
        owner: whose it is.
        live: a new session.
        source: where frames come from; a thread opens it.
        quota: what it may take in.
        gate: whose turn it is to step.
        warm_up: loads and compiles what the first step needs.
        leaves: told, from a thread of its own, when and why it closes by itself.
        release: called when it is closed; None for nothing.
    """

    kind: ClassVar[str] = "live"

    def __init__(
        self,
        id_: str,
        name: str,
        owner: str,
        live: LiveSession,
        *,
        source: LiveInput,
        quota: Quota,
        gate: Gate,
        warm_up: Callable[[LiveSession], None],
        leaves: Callable[[CameraSession, str], None],
        release: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(id_, name, owner, live.session)
        self._live, self._input, self._quota, self._gate = live, source, quota, gate
        self._warm_up, self._leaves, self._release = warm_up, leaves, release
        self._came = Condition()
        self._closed, self._is_done = Event(), False
        self._failure: BaseException | None = None
        self._opening = Lock()
        self._video: VideoSource | None = None
        self._source: LiveSource | None = None
        self._steps, self._step_ms, self._turn_ms = 0, 0.0, 0.0
        self._thread = Thread(target=self._run, name=f"steps {id_}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether no more frames will come; `problem` says why, unless a file came to its end."""
        return self._is_done or self._closed.is_set()

    @property
    def duration_s(self) -> float | None:
        """Seconds of a file that plays at its own pace, None for a camera or an address."""
        return self._input.duration_s

    @property
    def pace(self) -> Pace:
        """How it keeps up."""
        state = None if self._source is None else self._source.state
        dropped = 0 if state is None else state.dropped
        budget_ms = self._live.budget_ms or self._gate.budget_ms(self._quota.live_fps)
        return Pace(self._steps, dropped, self._step_ms, self._turn_ms, budget_ms, state)

    def ready(self, call: Call) -> None:
        """Wait for the first frame.

        Raises:
            InputError: the source cannot be opened or gives none.
            StoppedError: the caller went away.
        """
        self._wait(lambda: self.session.newest is not None, call)
        if self.session.newest is None:
            raise InputError(self.problem or f"{self.name!r} gave no frame")

    def play(self, until_s: float | None, call: Call) -> None:
        """See `Opened.play`."""
        if until_s is None and not self._input.is_file:
            raise InputError(f"session {self.id} has no end to wait for: say until when, in seconds")
        self._wait(lambda: self.is_at(until_s), call)

    def close(self) -> None:
        """See `Opened.close`."""
        self._closed.set()
        with self._opening:
            self._interrupt()
        if self._source is not None:
            self._source.close()
        self._let_go()
        with self._came:
            self._came.notify_all()
        if self._thread is not current_thread():
            self._thread.join(CLOSING_S)

    def _let_go(self) -> None:
        if self._release is not None:
            self._release()

    def _interrupt(self) -> None:
        video: object = self._video
        if isinstance(video, Interruptible):
            video.interrupt()

    def _wait(self, is_there: Callable[[], bool], call: Call) -> None:
        due_s = 0.0
        while not (is_there() or self._is_done):
            call.check()
            self._check_open()
            self.asked_s = time.monotonic()
            if self.asked_s >= due_s and (newest := self.session.newest) is not None:
                due_s = self.asked_s + PROGRESS_S
                call.tell(
                    {
                        "type": "som.watching",
                        "session": self.id,
                        "video": self.name,
                        "frame": newest.index,
                        "frames": None,
                        "time": round(newest.time, 3),
                    }
                )
            with self._came:
                self._came.wait(CHECKED_S)
        self._check_open()

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed.is_set():
            raise InputError(f"session {self.id} was closed")

    def _run(self) -> None:
        try:
            if self._input.is_file:  # it is known to open, and its beginning must not be missed
                self._warm_up(self._live)
            with self._gate.lived(), self._connected() as source:
                self._source = source
                if not self._input.is_file:
                    self._warm_up(self._live)
                    source.begin()
                self.problem = self._look(source)
        except SomError as error:
            self.problem = None if self._closed.is_set() else str(error)
        except BaseException as error:  # raised where somebody waits, which is another thread
            self._failure, self.problem = error, f"session {self.id} broke off: {first_line(error)}"
        finally:
            with self._came:
                self._is_done = True
                self._came.notify_all()

    def _connected(self) -> LiveSource:
        def opener() -> VideoSource:
            video = self._input.opener()
            with self._opening:
                self._video = video
                if self._closed.is_set():
                    self._interrupt()
            return video

        return LiveSource(
            opener,
            printable(self.name),
            own_times=self._input.is_file,
            reconnect=not self._input.is_file,
            silent_s=self._input.silent_s,
        )

    def _look(self, source: LiveSource) -> str | None:
        """Step until it ends; why it did, None where the source came to its end."""
        began_s = due_s = time.monotonic()
        while not self._closed.is_set():
            frame = source.wait(LOOKED_S)
            now_s = time.monotonic()
            if now_s - began_s > self._quota.live_s:
                return f"stopped: {self._quota.live_s:g} s are the most that a live session runs"
            if now_s - self.asked_s > self._quota.idle_s:
                why = f"session {self.id} was closed after {self._quota.idle_s:g} s without a call"
                self._leaves(self, why)
                self._let_go()
                return why
            if frame is None:
                if source.ended:
                    return source.problem
                continue
            reached = self._quota.reached(self._steps, 0.0)
            if reached:
                return f"stopped at {frame.time:.2f} s: {reached}"
            self._step(frame)
            # No burst after a wait, and no drift: on average at most so many frames a second.
            due_s = max(due_s + 1 / self._quota.live_fps, now_s)
            self._closed.wait(max(0.0, due_s - time.monotonic()))
        return None

    def _step(self, frame: Frame) -> None:
        with self._gate.turn(self._check_open) as turn_s:
            start_s = time.perf_counter()
            self._live.budget_ms = self._gate.budget_ms(self._quota.live_fps)
            self._live.step(frame)
            step_s = time.perf_counter() - start_s
        self._steps += 1
        weight = max(SMOOTH, 1 / self._steps)
        self._step_ms += weight * (1000 * step_s - self._step_ms)
        self._turn_ms += weight * (1000 * turn_s - self._turn_ms)
        with self._came:
            self._came.notify_all()
