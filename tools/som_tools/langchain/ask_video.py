"""A question about a video in one call."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, Field, PrivateAttr, SkipValidation, field_validator

from som_agent.errors import InputError
from som_agent.grounding import check_question
from som_agent.segmenters import Segmenter
from som_agent.settings import Settings
from som_tools.access import Access
from som_tools.actions import Form, Outcome
from som_tools.actions.ask import answered
from som_tools.call import Call, StoppedError
from som_tools.langchain.tool import OutcomeTool
from som_tools.quota import Quota
from som_tools.roots import resolved_roots
from som_tools.sessions import SessionStore

__all__ = ["AskVideoInput", "AskVideoTool"]

REMEMBERED = 4
"""Videos whose tracks a tool keeps."""


class AskVideoInput(Form):
    """What a model fills in to call the tool."""

    video: str = Field(description="Path of a video file, a picture, or a folder of pictures")
    question: str = Field(description='Question in plain English; "[3]" names mark 3 of an earlier answer')


class AskVideoTool(OutcomeTool):
    """Answers questions about a video, with numbered marks that name the same object in every answer.

    One tool for agents that need no more than answers; `VideoMarksToolkit` has all there are. A video is
    tracked at the first question; the last few videos are remembered until their files change. The content
    is text for a model; the artifact is `Answer.to_json()`, with boxes and times. In a graph it streams
    progress as custom events, `{"type": "som.watching", "session", "video", "frame", "frames", "time"}` and
    `{"type": "som.asking", "session", "video", "question"}`.

    What the caller can mend (a missing file, a path outside `roots`, an unknown model) becomes a tool error
    that the model reads. Anything else is a bug and is raised.

    ```python
    tool = AskVideoTool(roots=("videos",), lmm="openai:gpt-4o")
    tool.invoke({"video": "cups.mp4", "question": "Which cup hides the ball?"})
    ```
    """

    name: str = "ask_video"
    description: str = (
        "Answer a question about what is seen in a video file. Every object has a number that stays with it; "
        "the answer cites numbers as [3] and says when and where each is seen, in seconds and pixels. Ask "
        "again with [3] in the question to learn more about that object."
    )
    args_schema: Annotated[type[BaseModel], SkipValidation()] = AskVideoInput

    lmm: str | BaseChatModel = "attributes"
    """Who answers: `attributes` (no model), `provider:model`, `llava:DIR` or a LangChain chat model."""
    segmenter: Annotated[str | Segmenter, SkipValidation()] = "hierarchy"
    """A name or a segmenter; loaded at the first call, like the model."""
    settings: Settings = Field(default_factory=Settings)
    """Of the sessions: how many marks, how large the pictures inside, …."""
    roots: tuple[Path, ...] = Field(default_factory=lambda: (Path.cwd(),), validate_default=True)
    """Folders in which files may be opened. Links are followed before this is checked."""

    _store: SessionStore | None = PrivateAttr(default=None)
    _making: Lock = PrivateAttr(default_factory=Lock)

    @field_validator("roots", mode="before")
    @classmethod
    def _check_roots(cls, roots: Any) -> tuple[Path, ...]:
        if isinstance(roots, str | Path):
            roots = (roots,)
        try:
            return resolved_roots(roots)
        except InputError as error:
            raise ValueError(str(error)) from error  # what pydantic reports as a wrong argument

    def outcome(self, arguments: dict[str, Any], call: Call) -> Outcome:
        """See `OutcomeTool.outcome`."""
        asked = AskVideoInput.model_validate(arguments)
        check_question(asked.question)  # before the video is tracked, which takes its time
        store = self._sessions()
        opened = store.open(asked.video, call, evict=True)
        try:
            opened.play(None, call)
        except StoppedError:
            raise  # what was seen by then is kept: the next question goes on from there
        except BaseException:
            store.abandon(opened)
            raise
        return answered(store, opened, asked.question, call)

    def _sessions(self) -> SessionStore:
        with self._making:
            if self._store is None:
                self._store = SessionStore(
                    Access.to(self.roots),
                    quota=Quota(sessions=REMEMBERED),
                    segmenter=self.segmenter,
                    settings=self.settings,
                    lmm=self.lmm,
                )
            return self._store
