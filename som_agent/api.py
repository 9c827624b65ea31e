"""The functions of `import som_agent`: mark a picture, look into a mark, track a video, ask about either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.answer import Answer
from som_agent.errors import InputError
from som_agent.grounding import Asking, check_question, load_answerer
from som_agent.grounding import ask as ask_history
from som_agent.marks.marked import MarkedFrame
from som_agent.marks.zoom import Zoom
from som_agent.runs import is_run, read_run
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.base import Segmenter, is_ready_made
from som_agent.segmenters.text import Finder
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video import Frame, Image, open_video

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["ask", "mark", "track", "zoom"]


def mark(
    image: str | Path | Image, *, segmenter: str | Segmenter = "hierarchy", **settings: Any
) -> MarkedFrame:
    """Mark one picture.

    Args:
        image: a picture file, or `[H, W, 3] uint8` RGB.
        segmenter: a name or a segmenter.
        settings: fields of `Settings`, `max_marks=12` for example. Unless they name a size, masks that are
            ready-made are taken at the picture's own.

    Raises:
        InputError: not a picture.
    """
    return _stepped(image, segmenter, settings)[1]


def zoom(
    image: str | Path | Image,
    mark: int | str,
    *,
    segmenter: str | Segmenter = "hierarchy",
    parts: str | Segmenter | None = None,
    **settings: Any,
) -> Zoom:
    """Mark one picture and open one of its marks; see `Session.zoom`.

    Args:
        image: a picture file, or `[H, W, 3] uint8` RGB.
        mark: number or label of the mark to open.
        segmenter: a name or a segmenter.
        parts: the one that finds the parts of the mark; the same by default.
        settings: fields of `Settings`, `max_marks=12` for example.

    Raises:
        InputError: not a picture, or it has no such mark.
        SegmenterError: the segmenter cannot segment a part of a picture.
    """
    session, _ = _stepped(image, segmenter, settings)
    return session.zoom(mark, segmenter=parts)


def _stepped(
    image: str | Path | Image, segmenter: str | Segmenter, settings: dict[str, Any]
) -> tuple[Session, MarkedFrame]:
    """A session that has taken one picture."""
    chosen, loaded = Settings(**settings), load_segmenter(segmenter)  # what was mistyped shows at once
    if isinstance(image, np.ndarray):
        frame = Frame(image, 0, 0.0)
    else:
        with open_video(image) as pictures:
            if pictures.frame_count != 1:
                raise InputError(f"{image} is not a single picture; use track for videos and folders")
            frame = next(iter(pictures))
    if "size" not in settings and is_ready_made(loaded):
        chosen = replace(chosen, size=max(chosen.size, *frame.image.shape[:2]))
    session = Session(loaded, chosen)
    return session, session.step(frame)


def track(
    source: str | Path | int,
    *,
    segmenter: str | Segmenter = "hierarchy",
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    **settings: Any,
) -> Iterator[MarkedFrame]:
    """Track a video, a folder of pictures or a camera: one `MarkedFrame` a frame, as they come.

    Args:
        source: file, folder, camera number or network address.
        segmenter: a name or a segmenter.
        start: seconds at which to begin.
        end: seconds at which to stop.
        every: take every N-th frame.
        settings: fields of `Settings`.
    """
    session = Session(segmenter, Settings(**settings))
    with open_video(source, start=start, end=end, every=every) as video:
        yield from session.run(video)


def ask(
    source: str | Path,
    question: str,
    *,
    lmm: str | BaseChatModel = "attributes",
    asking: Asking | None = None,
    finder: str | Finder | None = None,
    segmenter: str | Segmenter = "hierarchy",
    start: float | None = None,
    end: float | None = None,
    every: int = 1,
    **settings: Any,
) -> Answer:
    """Ask about a video, a picture, or the folder of a stored run (which is not segmented again).

    Args:
        source: file, folder or run directory.
        question: in plain words.
        lmm: who answers: `attributes`, `provider:model`, `llava:DIR` or a LangChain chat model.
        asking: how a model is asked: pictures, limits, verification, cache, trace.
        finder: a text-prompted segmenter for what has no mark, see `Session.find`; not for a stored run.
        segmenter: a name or a segmenter.
        start: seconds at which to begin.
        end: seconds at which to stop.
        every: take every N-th frame.
        settings: fields of `Settings`.
    """
    # What the user mistyped must not cost a whole video first.
    check_question(question)
    name = lmm if isinstance(lmm, str) else None
    model = load_answerer(lmm)
    if is_run(source):
        if (segmenter, start, end, every, finder) != ("hierarchy", None, None, 1, None) or settings:
            raise InputError(
                f"{source} is a stored run, which is not tracked again: leave out the options for tracking"
            )
        run = read_run(source)
        return ask_history(question, run.history, run.pictures, model, name=name, asking=asking)
    session = Session(segmenter, Settings(**settings))
    with open_video(source, start=start, end=end, every=every) as video:
        for _ in session.run(video):
            pass
    pictures = None if video.is_live else session.recall(source)
    answer = session.ask(question, lmm=model, name=name, asking=asking, finder=finder, pictures=pictures)
    return answer.seen_in_part(video.problem)
