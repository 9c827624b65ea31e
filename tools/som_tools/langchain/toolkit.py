"""All the tools over one store of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import ConfigDict, PrivateAttr, SkipValidation

from som_agent.errors import InputError
from som_agent.segmenters import Segmenter
from som_agent.settings import Settings
from som_tools.access import Access
from som_tools.actions import ACTIONS
from som_tools.actions.watch import WATCH
from som_tools.langchain.pausing import PausingWatchTool
from som_tools.langchain.tool import ActionTool
from som_tools.quota import Quota
from som_tools.sessions import SessionStore

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.grounding import Asking
    from som_agent.segmenters.text import Finder

__all__ = ["VideoMarksToolkit"]


class VideoMarksToolkit(BaseToolkit):
    """The tools with which an agent watches videos: they share their sessions, and so their marks.

    ```python
    with VideoMarksToolkit(roots="videos", lmm="openai:gpt-4o") as toolkit:
        agent = create_agent(model, toolkit.get_tools(), middleware=[ToolImagesToUser()])
    ```

    Args:
        store: the sessions, where a program opens some itself or several toolkits share them. It is made of
            the arguments that follow if left out.
        roots: folders in which files may be opened; the current one by default.
        out: the folder under which files are written.
        quota: how much may be used.
        segmenter: a name or a segmenter, loaded when a first video is opened.
        settings: of the sessions.
        lmm: who answers: `attributes` (no model), `provider:model`, `llava:DIR` or a LangChain chat model.
        asking: how a model is asked.
        finder: a text-prompted segmenter, for what has no mark.
        owner: sees only sessions of this owner; conversations that share a store need one each.
        include: names of the tools that there are to be; all by default.
        exclude: names of tools that there are not to be.
        interrupts: in a graph, `watch` on what is live pauses the graph instead of waiting; it needs a
            checkpointer, and something that resumes it: see `resume_on_events`.

    Raises:
        InputError: no such folder or tool, or a store beside what it would be made of.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    store: Annotated[SessionStore, SkipValidation()]
    owner: str = ""
    _tools: list[BaseTool] = PrivateAttr(default_factory=list)

    def __init__(
        self,
        store: SessionStore | None = None,
        *,
        roots: str | Path | Sequence[str | Path] = (),
        out: str | Path | None = None,
        quota: Quota | None = None,
        segmenter: str | Segmenter | None = None,
        settings: Settings | None = None,
        lmm: str | BaseChatModel | None = None,
        asking: Asking | None = None,
        finder: str | Finder | None = None,
        owner: str = "",
        include: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        interrupts: bool = False,
    ) -> None:
        parts = {
            "roots": roots or None,
            "out": out,
            "quota": quota,
            "segmenter": segmenter,
            "settings": settings,
            "lmm": lmm,
            "asking": asking,
            "finder": finder,
        }
        given = [name for name, value in parts.items() if value is not None]
        if store is None:
            store = SessionStore(
                Access.to(roots, out=out),
                quota=quota,
                segmenter="hierarchy" if segmenter is None else segmenter,
                settings=settings,
                lmm="attributes" if lmm is None else lmm,
                asking=asking,
                finder=finder,
            )
        elif given:
            raise InputError(f"the store that is given has its own {', '.join(given)}: leave them out here")
        fields: dict[str, Any] = {"store": store, "owner": owner}
        super().__init__(**fields)
        names = _names(include, exclude)
        self._tools = [
            (PausingWatchTool if interrupts and action is WATCH else ActionTool).of(action, store, owner)
            for action in ACTIONS
            if action.name in names
        ]

    def get_tools(self) -> list[BaseTool]:
        """The tools, in the order in which a model reads them best."""
        return list(self._tools)

    def close(self) -> None:
        """Close the sessions of the toolkit's owner, those that a program opened for it included."""
        self.store.close_all(self.owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _names(include: Sequence[str] | None, exclude: Sequence[str]) -> set[str]:
    known = [action.name for action in ACTIONS]
    for name in (*(include or ()), *exclude):
        if name not in known:
            raise InputError(f"unknown tool {name!r}; known: {', '.join(known)}")
    names = set(known if include is None else include).difference(exclude)
    if not names:
        raise InputError("no tool is left of those included and excluded")
    return names
