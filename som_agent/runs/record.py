"""From a video to a run on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from som_agent.runs.writer import RunWriter
from som_agent.session import Session
from som_agent.video import VideoSource

__all__ = ["record"]


def record(
    video: VideoSource,
    session: Session,
    path: Path,
    *,
    cut: dict[str, float | int | None] | None = None,
    on_frame: Callable[[], bool] = lambda: True,
) -> str:
    """Track a video and write its run.

    Args:
        video: the frames.
        session: a fresh session.
        path: the run's folder.
        cut: start, end and step of the frames, for `run.json`.
        on_frame: called after each frame; when it returns false the run ends there, whole and readable.

    Returns:
        How it ended, in one line: "complete", or where and why it stopped.

    Raises:
        OutputError: the run cannot be written, or would overwrite the video.
        KeyboardInterrupt: Ctrl-C. Its note says what was kept.
    """
    source = video.name
    if Path(source).exists():
        source = str(Path(source).resolve())  # a question may be asked from another folder later
    with RunWriter(
        path=path,
        source=source,
        size=video.size,
        fps=video.fps,
        segmenter=session.segmenter.name,
        settings=session.settings,
        cut=cut or {},
    ) as run:
        for frame in video:
            marked = session.step(frame)
            run.add(marked, session.observations)
            if not on_frame():
                run.ended = f"interrupted after frame {frame.index}"
                break
        else:
            run.ended = video.problem or "complete"
    return run.ended
