"""The sessions that are open: one store for all tools of an agent, or of all clients of a server."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from som_agent.errors import InputError
from som_agent.grounding import load_answerer
from som_agent.segmenters import Segmenter, load_segmenter
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video
from som_tools.access import Access
from som_tools.call import Call
from som_tools.quota import Quota
from som_tools.sessions.fed import FedSession
from som_tools.sessions.opened import Opened
from som_tools.sessions.stored import StoredSession

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.bearings import Camera
    from som_agent.grounding import Asking
    from som_agent.segmenters.text import Finder

__all__ = ["SessionStore"]

AnyOpened = TypeVar("AnyOpened", bound=Opened)


class SessionStore:
    """Opens sessions, finds them by their ids, and closes them.

    Ids are never given twice. A session of one owner does not exist for another.

    Args:
        access: what may be opened; files in the current folder by default.
        quota: how much may be used.
        segmenter: a name or a segmenter, shared by all sessions.
        settings: of the sessions.
        lmm: who answers: `attributes`, `provider:model`, `llava:DIR` or a LangChain chat model.
        asking: how a model is asked.
        finder: a text-prompted segmenter, for what has no mark; None for none.
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
    ) -> None:
        self.access, self.quota = access or Access.to(), quota or Quota()
        self.settings, self.asking, self.finder = settings or Settings(), asking, finder
        self._given = (segmenter, lmm)
        self._loaded: tuple[Segmenter, str | BaseChatModel] | None = None
        self._ids = count(1)
        self._open: dict[str, Opened] = {}
        self._lock, self._loading = Lock(), Lock()

    @property
    def lmm_name(self) -> str | None:
        """What answers call the model, where it was given by name."""
        return self._given[1] if isinstance(self._given[1], str) else None

    def load(self) -> tuple[Segmenter, str | BaseChatModel]:
        """The segmenter and who answers, loaded once for all sessions.

        Raises:
            SomError: one of them cannot be loaded.
        """
        with self._loading:
            if self._loaded is None:
                segmenter, lmm = self._given
                self._loaded = load_segmenter(segmenter), load_answerer(lmm)
            return self._loaded

    def open(
        self, name: str, call: Call, *, start_s: float | None = None, end_s: float | None = None
    ) -> Opened:
        """Open what a model named; no frame is taken yet.

        Raises:
            SomError: it may not be opened, cannot be read, or too many sessions are open.
        """
        segmenter, _ = self.load()  # a wrong name of a model is told before a video is tracked
        path = self.access.source(name)
        with ExitStack() as undo:
            source = undo.enter_context(open_video(path, start=start_s, end=end_s))
            session = Session(segmenter, self.settings)
            opened = self._add(StoredSession(self._id(), name, call.owner, session, path, source))
            undo.pop_all()
        return opened

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
        opened = self._open.get(id_)
        if opened is None or opened.owner != call.owner:
            known = ", ".join(own.id for own in self.all(call)) or "none"
            raise InputError(f"there is no session {id_!r}; open sessions: {known}")
        return opened

    def all(self, call: Call) -> list[Opened]:
        """The caller's sessions in the order of their opening."""
        return [opened for opened in list(self._open.values()) if opened.owner == call.owner]

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
        for opened in leaving:
            opened.close()

    def _id(self) -> str:
        return f"v{next(self._ids)}"

    def _add(self, opened: AnyOpened) -> AnyOpened:
        with self._lock:
            if len(self._open) >= self.quota.sessions:
                raise InputError(
                    f"{self.quota.sessions} sessions are open, the most allowed: close one first"
                )
            self._open[opened.id] = opened
        return opened
