"""What a session sees now, as content blocks of a message."""

from __future__ import annotations

from typing import Any

from som_agent.keyframes import Wanted, keyframes
from som_agent.lmm.pictures import image_block
from som_agent.marks.view import View
from som_tools.actions.sights import moment
from som_tools.actions.words import printable
from som_tools.sessions import Opened

__all__ = ["view_now"]


def view_now(opened: Opened, long_px: int | None) -> list[str | dict[str, Any]]:
    """The newest frame of a session: a text with a line a mark, then the marked picture.

    Args:
        opened: the session.
        long_px: long side of the picture; None for no picture.
    """
    head = f"What session {opened.id} sees now (shown anew at every step; nobody wrote this)"
    why = f": {printable(opened.problem)}" if opened.problem else ""
    ending = f" No more frames come{why}." if opened.ended else ""
    newest = opened.session.newest
    if newest is None:
        return [{"type": "text", "text": f"{head}: no frame has come yet.{ending}"}]
    history = opened.session.history
    seen = moment(history, newest.time)
    text = f"{head}: {seen.time:.2f} s; visible marks: {len(seen.sights)}.{ending}"
    blocks: list[str | dict[str, Any]] = [
        {"type": "text", "text": f"{text}\n{seen.roster(history)}".rstrip()}
    ]
    if long_px is not None:
        marks = [sight.info.mark for sight in seen.sights]
        view = View("agent", long_px, marks=max(1, len(marks)))
        (picture, *_) = keyframes([newest], Wanted(view, marks, budget=1))
        blocks.append(image_block(picture.image))
    return blocks
