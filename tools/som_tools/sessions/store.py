"""The sessions that are open: one store for all tools of an agent, or of all clients of a server."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from som_agent.errors import InputError
from som_agent.grounding import load_answerer
from som_agent.live import LiveSession
from som_agent.segmenters import Segmenter, load_finder, load_segmenter
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.session import Session
from som_agent.settings import Settings
from som_tools.access import Access
from som_tools.call import Call
from som_tools.outputs import Outputs
from som_tools.quota import Quota
from som_tools.sessions.fed import FedSession
from som_tools.sessions.files import CheckedFile
from som_tools.sessions.gate import Gate
from som_tools.sessions.live import CameraSession, LiveInput
from som_tools.sessions.opened import Opened
from som_tools.sessions.sources import opened_within, played, watched
from som_tools.sessions.stored import StoredSession
from som_tools.sessions.waiting import CHECKED_S, begun
from som_tools.workers import Pool, WorkerTracker

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.bearings import Camera
    from som_agent.grounding import Asking
    from som_agent.segmenters.text import Finder

__all__ = ["SessionStore"]

AnyOpened = TypeVar("AnyOpened", bound=Opened)

REMEMBERED = 256
"""Sessions that closed by themselves, of which it is still known why."""


class SessionStore:
    """Opens sessions, finds them by their ids, and closes them. Threads may share it.

    Ids are never given twice. A session of one owner does not exist for another.

    Args:
        access: what may be opened; files in the current folder by default.
        quota: how much may be used.
        segmenter: a name or a segmenter, shared by all sessions.
        settings: of the sessions.
        lmm: who answers: `attributes`, `provider:model`, `llava:DIR` or a LangChain chat model.
        asking: how a model is asked.
        finder: a text-prompted segmenter, for what has no mark; None for none.
        at_once: sessions that step at a time; as many as there are processors by default.
        workers: processes at most in which live sessions are tracked where there are several of them; as many
            as there are processors by default, 0 for none.

    Attributes:
        outputs: the folder under which all files are written, within the quota.
        gate: whose turn it is to step.
    """

    def __init__(
        self,
        access: Access | None = None,
        *,
        quota: Quota | None = None,
        segmenter: str | Segmenter = "hierarchy",
        settings: Settings | None = None,
        lmm: str | BaseChatModel = "attributes",
        asking: Asking | None = None,
        finder: str | Finder | None = None,
        at_once: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.access, self.quota = access or Access.to(), quota or Quota()
        self.settings, self.asking, self.finder = settings or Settings(), asking, finder
        self.outputs, self.gate = Outputs(self.access.out, self.quota.out_mb), Gate(at_once)
        self._workers = Pool(self.gate.at_once if workers is None else workers)
        self._given = (segmenter, lmm)
        self._loaded: tuple[Segmenter, str | BaseChatModel] | None = None
        self._is_warm = False
        self._ids = count(1)
        self._open: dict[str, Opened] = {}
        self._by_file: dict[Hashable, _Place] = {}
        self._left: OrderedDict[str, tuple[str, str]] = OrderedDict()  # owner, and why it closed by itself
        self._lock, self._loading, self._warming = Lock(), Lock(), Lock()

    @property
    def lmm_name(self) -> str | None:
        """What answers call the model, where it was given by name."""
        return self._given[1] if isinstance(self._given[1], str) else None

    def load(self) -> tuple[Segmenter, str | BaseChatModel]:
        """The segmenter and who answers, loaded once for all sessions, and the finder with them.

        Raises:
            SomError: one of them cannot be loaded.
        """
        with self._loading:
            if self._loaded is None:
                segmenter, lmm = self._given
                self._loaded = load_segmenter(segmenter), load_answerer(lmm)
                self.finder = None if self.finder is None else load_finder(self.finder)
            return self._loaded

    def open(
        self,
        name: str,
        call: Call,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        live: bool = False,
        evict: bool = False,
    ) -> Opened:
        """Open what a model named. No frame of a stored video is taken yet; a live session has its first one.

        A stored video that its owner has open already, the same part of a file that did not change, is that
        session again: also for two calls at the same moment.

        Args:
            name: a file or a folder in the roots, or a camera or an address that is allowed.
            call: who wants it.
            start_s: where the part of a file that is wanted begins, in seconds.
            end_s: where it ends.
            live: play a file at its own pace, as a camera would; cameras and addresses always are live.
            evict: where too many sessions are open, let the owner's stored one go that was asked for least
                recently. Who still uses it is not disturbed.

        Raises:
            SomError: it may not be opened, cannot be read, or too many sessions are open.
            StoppedError: the caller went away.
        """
        self.load()  # a wrong name of a model is told before a video is tracked
        device = self.access.device(name)
        if device is not None:
            if start_s is not None or end_s is not None:
                raise InputError(f"{name!r} is live: start and end are for files")
            return self._open_live(name, watched(device, self.quota), call)
        file = CheckedFile.of(name, self.access.source(name), self.access.roots, self.quota.pixels)
        if live:
            self._check_room(call.owner, False)
            return self._open_live(name, played(file, start_s, end_s, self.quota, call), call)
        return self._open_stored(name, file, call, start_s, end_s, evict)

    def abandon(self, opened: Opened) -> None:
        """Undo one `open`: close what it gave, unless other calls opened the same session."""
        with self._lock:
            opened.holders -= 1
            if opened.holders > 0:
                return
            self._open.pop(opened.id, None)
        opened.close()

    def feed(self, name: str, *, owner: str = "", camera: Camera | None = None) -> FedSession:
        """A session whose frames the calling program pushes; its camera says where marks are.

        Raises:
            SomError: the segmenter cannot be loaded, or too many sessions are open.
        """
        session = Session(self.load()[0], self.settings)
        return self._add(FedSession(self._id(), name, owner, session, camera))

    def get(self, id_: str, call: Call) -> Opened:
        """The session with an id.

        Raises:
            InputError: the caller has none with it.
        """
        with self._lock:
            opened = self._open.get(id_)
            owner, why = self._left.get(id_, (None, ""))
        if opened is None or opened.owner != call.owner:
            known = ", ".join(own.id for own in self.all(call)) or "none"
            told = why if owner == call.owner else f"there is no session {id_!r}"
            raise InputError(f"{told}; open sessions: {known}")
        opened.asked_s = time.monotonic()
        return opened

    def all(self, call: Call) -> list[Opened]:
        """The caller's sessions in the order of their opening."""
        with self._lock:
            return [opened for opened in self._open.values() if opened.owner == call.owner]

    def close(self, id_: str, call: Call) -> None:
        """Close a session; its id is not given again.

        Raises:
            InputError: the caller has none with it.
        """
        opened = self.get(id_, call)
        with self._lock:
            self._open.pop(id_, None)
        opened.close()

    def close_all(self, owner: str | None = None) -> None:
        """Close the sessions of an owner, or all of them."""
        with self._lock:
            leaving = [o for o in self._open.values() if owner is None or o.owner == owner]
            for opened in leaving:
                del self._open[opened.id]
        closing = [begun(opened.close) for opened in leaving]  # each may take a second
        for one in closing:
            one.result()

    def _open_stored(
        self,
        name: str,
        file: CheckedFile,
        call: Call,
        start_s: float | None,
        end_s: float | None,
        evict: bool,
    ) -> Opened:
        with self._same_file((call.owner, file.path, file.ids, file.version, start_s, end_s), call) as place:
            opened = place.opened
            if opened is None or self._open.get(opened.id) is not opened:
                self._check_room(call.owner, evict)
                opened = StoredSession(
                    self._id(),
                    name,
                    call.owner,
                    Session(self.load()[0], self.settings),
                    file=file,
                    source=opened_within(file, start_s, end_s, self.quota, call),
                    quota=self.quota,
                    gate=self.gate,
                )
                place.opened = self._add(opened, evict)
            with self._lock:
                opened.holders += 1
            opened.asked_s = time.monotonic()
            return opened

    def _open_live(self, name: str, source: LiveInput, call: Call) -> Opened:
        self._check_room(call.owner, False)
        budget_ms = self.gate.budget_ms(self.quota.live_fps)
        settings = replace(
            self.settings,
            size=min(self.settings.size, self.quota.live_px),
            max_rows=min(self.settings.max_rows, self.quota.live_rows),
        )
        segmenter = ScaledSegmenter(self.load()[0])
        tracker = self._tracker_apart(segmenter)
        opened = CameraSession(
            self._id(),
            name,
            call.owner,
            LiveSession(segmenter, settings, tracker=tracker, budget_ms=budget_ms),
            source=source,
            quota=self.quota,
            gate=self.gate,
            warm_up=partial(self._warm_up, tracker),
            leaves=self._leaves,
            release=None if tracker is None else tracker.close,
        )
        opened.holders = 1
        try:
            self._add(opened)
            opened.ready(call)
        except BaseException:
            self.abandon(opened)
            raise
        return opened

    def _tracker_apart(self, segmenter: ScaledSegmenter) -> WorkerTracker | None:
        """A tracker in a worker; None where this process may as well do it.

        One live session is no load for one interpreter. What propagates or embeds is a network or has a copy
        of the video's past: it stays here.
        """
        with self._lock:
            alone = not any(isinstance(opened, CameraSession) for opened in self._open.values())
        if alone or not self._workers.most or self.settings.propagator or self.settings.embedder:
            return None
        return WorkerTracker(self._workers, segmenter)

    @contextmanager
    def _same_file(self, key: Hashable, call: Call) -> Iterator[_Place]:
        """One call at a time opens the same part of a file for an owner; the others wait for what it gets."""
        with self._lock:
            place = self._by_file.setdefault(key, _Place())
            place.users += 1
        try:
            while not place.lock.acquire(timeout=CHECKED_S):
                call.check()
            try:
                yield place
            finally:
                place.lock.release()
        finally:
            with self._lock:
                place.users -= 1
                for known, other in list(self._by_file.items()):
                    if not other.users and (other.opened is None or other.opened.id not in self._open):
                        del self._by_file[known]

    def _warm_up(self, tracker: WorkerTracker | None, live: LiveSession) -> None:
        """Once: what is loaded and compiled is shared by all sessions. A worker may have to start, too."""
        with self._warming:
            if not self._is_warm:
                live.warm_up()
                self._is_warm = True
        if tracker is not None:
            tracker.ready()  # before it is anybody's turn: the others would wait for it

    def _leaves(self, opened: Opened, why: str) -> None:
        with self._lock:
            self._open.pop(opened.id, None)
            self._left[opened.id] = opened.owner, why
            while len(self._left) > REMEMBERED:
                self._left.popitem(last=False)

    def _id(self) -> str:
        return f"v{next(self._ids)}"

    def _add(self, opened: AnyOpened, evict: bool = False) -> AnyOpened:
        with self._lock:
            if len(self._open) >= self.quota.sessions:
                del self._open[self._least(opened.owner, evict).id]
            self._open[opened.id] = opened
        return opened

    def _check_room(self, owner: str, evict: bool) -> None:
        """Before a video is opened in vain."""
        with self._lock:
            if len(self._open) >= self.quota.sessions:
                self._least(owner, evict)

    def _least(self, owner: str, evict: bool) -> Opened:
        """The owner's stored session that was asked for least recently, if it may be let go.

        It is not closed: calls that still use it end as they would have.
        """
        own = [opened for opened in self._open.values() if opened.owner == owner and opened.kind == "stored"]
        if not (evict and own):
            raise InputError(f"{self.quota.sessions} sessions are open, the most allowed: close one first")
        return min(own, key=lambda opened: opened.asked_s)


@dataclass
class _Place:
    """A part of a file that an owner opens, or has open."""

    lock: Lock = field(default_factory=Lock)
    users: int = 0
    opened: Opened | None = None
