"""The worker: trackers by key, stepped one at a time, until the parent closes the pipe."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from som_agent.live import LiveSession
from som_agent.regions import Regions
from som_agent.segmenters.scaled import ScaledSegmenter
from som_agent.settings import Settings
from som_agent.tracking import AssociationTracker, Tracked, Tracker
from som_agent.video.frame import Frame
from som_tools.workers.wire import Replied, receive, send

__all__ = ["Step", "main"]


@dataclass(frozen=True)
class Step:
    """The job of the next frame.

    Attributes:
        frame: the picture at the size that is tracked.
        found: what the parent's segmenter found in it, or the segmenter that is to look here.
    """

    frame: Frame
    found: Regions | ScaledSegmenter

    def __call__(self, tracker: Tracker) -> Tracked:
        """Track it."""
        found = self.found
        return tracker.update(self.frame, found if isinstance(found, Regions) else found.segment(self.frame))


def main() -> None:
    """Answer what comes over stdin, in order."""
    import torch

    torch.set_num_threads(1)  # there is a worker for every processor
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get among the messages
    LiveSession("hierarchy", Settings(size=320)).warm_up()
    trackers: dict[int, Tracker] = {}
    while True:
        try:
            asked = receive(sys.stdin.buffer)
        except EOFError:
            return
        for key in asked.left:
            trackers.pop(key, None)
        try:
            reply = Replied(asked.job(trackers.setdefault(asked.key, AssociationTracker())))
        except Exception as error:  # it is raised where the job was asked for
            reply = Replied(error=error)
        send(pipe, reply)
