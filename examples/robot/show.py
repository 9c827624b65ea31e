"""A run to read and to see: a line a step, and the marked frames as a video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from examples.robot.rules import Decision
from examples.robot.tools import Sight
from som_agent.marks.marked import MarkedFrame
from som_agent.video.frame import Image

__all__ = ["captioned", "line"]

CAPTION_PX = 28
NAMED = 4
SCALE = 2


def line(marked: MarkedFrame, sights: Sequence[Sight], decision: Decision) -> str:
    """What is seen and decided: "1.2 s  [4] red 13° left 1.21 m | go to [4]: turn -10°, drive 0.07 m"."""
    seen = [sight for sight in sights if sight.is_visible]
    near = sorted(seen, key=lambda s: (s.ground_m is None, s.ground_m or 0.0))
    told = "; ".join(map(str, near[:NAMED])) or "nothing"
    more = f" and {len(seen) - NAMED} more" if len(seen) > NAMED else ""
    done = "stop" if decision.stop else f"turn {decision.turn_deg:+.0f}°, drive {decision.forward_m:.2f} m"
    return f"{marked.time:5.1f} s  {told}{more} | {decision.why}: {done}"


def captioned(marked: MarkedFrame, decision: Decision) -> Image:
    """The marked frame, twice as large, with what was decided below it."""
    w, h = marked.size
    large = marked.look(SCALE * max(w, h)).image
    strip = np.full((CAPTION_PX, large.shape[1], 3), 24, np.uint8)
    text = f"{marked.time:.1f} s  {decision.why}"
    cv2.putText(strip, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([large, strip])
