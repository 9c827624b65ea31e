"""som-agent as a LangChain tool."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SkipValidation, field_validator

from som_agent.answer import Answer, GroundedMark
from som_agent.errors import InputError, SomError
from som_agent.grounding import check_question, load_answerer
from som_agent.segmenters import Segmenter, load_segmenter
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import open_video
from som_tools.roots import allowed_source, resolved_roots
from som_tools.watched import Watched, WatchedVideos

__all__ = ["AskVideoInput", "AskVideoTool"]

PROGRESS_S = 0.5
"""Seconds between two progress events."""
SPANS = 4
"""Spans of time told of each mark; the artifact has all of them."""
REMEMBERED = 4
"""Videos whose tracks a tool keeps."""


class AskVideoInput(BaseModel):
    """What a model fills in to call the tool."""

    video: str = Field(description="Path of a video file, a picture, or a folder of pictures")
    question: str = Field(description='Question in plain English; "[3]" names mark 3 of an earlier answer')


class AskVideoTool(BaseTool):
    """Answers questions about a video, with numbered marks that name the same object in every answer.

    A video is tracked at the first question; the last few videos are remembered until their files change.
    The content is text for a model; the artifact is `Answer.to_json()`, with boxes and times. In a graph it
    streams progress as custom events, `{"type": "som.watching", "video", "frame", "frames", "time"}` and
    `{"type": "som.asking", "video", "question"}`.

    What the caller can mend (a missing file, a path outside `roots`, an unknown model) becomes a tool error
    that the model reads. Anything else is a bug and is raised.

    ```python
    tool = AskVideoTool(roots=("videos",), lmm="openai:gpt-4o")
    tool.invoke({"video": "cups.mp4", "question": "Which cup hides the ball?"})
    ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = "ask_video"
    description: str = (
        "Answer a question about what is seen in a video file. Every object has a number that stays with it; "
        "the answer cites numbers as [3] and says when and where each is seen, in seconds and pixels. Ask "
        "again with [3] in the question to learn more about that object."
    )
    args_schema: Annotated[type[BaseModel], SkipValidation()] = AskVideoInput
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: bool = True

    lmm: str | BaseChatModel = "attributes"
    """Who answers: `attributes` (no model), `provider:model`, `llava:DIR` or a LangChain chat model."""
    segmenter: Annotated[str | Segmenter, SkipValidation()] = "hierarchy"
    """A name or a segmenter; loaded at the first call, like the model."""
    settings: Settings = Field(default_factory=Settings)
    """Of the sessions: how many marks, how large the pictures inside, …."""
    roots: tuple[Path, ...] = Field(default_factory=lambda: (Path.cwd(),), validate_default=True)
    """Folders in which files may be opened. Links are followed before this is checked."""

    _watched: WatchedVideos = PrivateAttr(default_factory=lambda: WatchedVideos(REMEMBERED))
    _loading: Lock = PrivateAttr(default_factory=Lock)
    _model: str | BaseChatModel | None = PrivateAttr(default=None)
    _segmenter: Segmenter | None = PrivateAttr(default=None)

    @field_validator("roots", mode="before")
    @classmethod
    def _check_roots(cls, roots: Any) -> tuple[Path, ...]:
        if isinstance(roots, str | Path):
            roots = (roots,)
        try:
            return resolved_roots(roots)
        except InputError as error:
            raise ValueError(str(error)) from error  # what pydantic reports as a wrong argument

    def _run(self, video: str, question: str) -> tuple[str, dict[str, Any]]:
        write = _stream_writer()
        try:
            check_question(question)
            source = allowed_source(video, self.roots)
            model, segmenter = self._load()  # before the video is tracked: a wrong name costs no time
            watched = self._watch(video, source, segmenter, write)
            write({"type": "som.asking", "video": video, "question": question})
            name = self.lmm if isinstance(self.lmm, str) else None
            answer = watched.session.ask(
                question, lmm=model, name=name, pictures=watched.session.recall(source)
            ).seen_in_part(watched.problem)
        except SomError as error:
            raise ToolException(str(error)) from error
        return _content(answer, watched.session), answer.to_json()

    def _load(self) -> tuple[str | BaseChatModel, Segmenter]:
        """Who answers and who segments; loaded once for all videos."""
        with self._loading:
            if self._segmenter is None:
                self._segmenter = load_segmenter(self.segmenter)
            if self._model is None:
                self._model = load_answerer(self.lmm)
        return self._model, self._segmenter

    def _watch(self, video: str, path: Path, segmenter: Segmenter, write: Callable[[Any], None]) -> Watched:
        """The tracked video; progress is told under the name that the model gave it."""
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size, segmenter.name, self.settings)

        def watch() -> Watched:
            session = Session(segmenter, self.settings)
            with open_video(path) as source:
                due = 0.0
                for count, marked in enumerate(session.run(source), start=1):
                    if count == source.frame_count or time.monotonic() >= due:
                        due = time.monotonic() + PROGRESS_S
                        write(
                            {
                                "type": "som.watching",
                                "video": video,
                                "frame": count,
                                "frames": source.frame_count,
                                "time": round(marked.time, 3),
                            }
                        )
                return Watched(session, source.problem)

        return self._watched.get(key, watch)


def _stream_writer() -> Callable[[Any], None]:
    """Where progress goes: the stream of the graph that the tool runs in, or nowhere."""
    try:
        from langgraph.config import get_stream_writer

        return get_stream_writer()
    except (ImportError, RuntimeError, KeyError):  # no langgraph; no run at all; a run outside a graph
        return lambda _event: None


def _content(answer: Answer, session: Session) -> str:
    """The answer as text for a model: what it says, its marks, what is not grounded."""
    lines = [answer.text]
    if answer.marks:
        history = session.history
        width, height = history.size
        a, b = history.times[[0, -1]]
        lines.append(f"Marks (picture {width}x{height} px, seen {a:.1f}-{b:.1f} s):")
        lines += [_roster_line(mark) for mark in answer.marks]
    lines += [f'Not grounded: "{part.text}": {part.reason}' for part in answer.unsupported]
    return "\n".join(lines)


def _roster_line(mark: GroundedMark) -> str:
    spans = [(f"{a:.1f}", f"{b:.1f}") for a, b in mark.intervals]
    times = [f"{a} s" if a == b else f"{a}-{b} s" for a, b in spans[:SPANS]]
    if len(spans) > SPANS:
        times.append(f"{len(spans) - SPANS} more times")
    line = f"[{mark.label}] {', '.join(times)}"
    if mark.evidence:
        first = mark.evidence[0]
        box = ", ".join(f"{v:.0f}" for v in first.box)
        line += f"; box ({box}) at {first.time:.1f} s"
    return line
