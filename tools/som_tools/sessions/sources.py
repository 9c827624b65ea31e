"""Where the frames of a session come from, opened within the quota."""

from __future__ import annotations

import math
from functools import partial

from som_agent.errors import InputError
from som_agent.video import VideoSource, is_picture
from som_agent.video.feed import Feed
from som_agent.video.paced import paced
from som_tools.call import Call
from som_tools.probe import probe
from som_tools.quota import Quota
from som_tools.sessions.files import CheckedFile
from som_tools.sessions.live import LiveInput
from som_tools.sessions.waiting import begun, waited

__all__ = ["opened_within", "played", "watched"]


def opened_within(
    file: CheckedFile, start_s: float | None, end_s: float | None, quota: Quota, call: Call
) -> VideoSource:
    """A file or folder, or the part of it that lies between two times, which must fit into the quota whole.

    Raises:
        InputError: it cannot be opened, or is too much.
        StoppedError: the caller went away.
    """
    if not (file.path.is_dir() or is_picture(file.path)):
        probe(file.path, start_s, end_s, quota, call.check)
    late = f"{file.name!r} did not open within {quota.wait_s:g} s"
    source = waited(begun(partial(file.open, start_s, end_s)), quota.wait_s, call.check, late)
    length_s = source.duration or 0.0
    cut_s = min(length_s, length_s if end_s is None else end_s) - (start_s or 0.0)
    reached = quota.reached((source.frame_count or 1) - 1, cut_s)
    if reached:
        source.close()
        raise InputError(
            f"{file.name!r} is too long ({source.frame_count} frames, {cut_s:.1f} s): {reached}; name a part "
            "by start_s and end_s"
        )
    return source


def played(
    file: CheckedFile, start_s: float | None, end_s: float | None, quota: Quota, call: Call
) -> LiveInput:
    """A file that plays at its own pace, as a camera would deliver it; errors as of `opened_within`."""
    video = opened_within(file, start_s, end_s, quota, call)
    every = int((video.fps or 0.0) / quota.live_fps)
    if every > 1:  # frames that nobody will look at need not be converted
        video = file.open(start_s, end_s, every=every)
    return LiveInput(lambda: paced(video), is_file=True, duration_s=video.duration, silent_s=math.inf)


def watched(device: int | str, quota: Quota) -> LiveInput:
    """A camera or an address, in a process of its own that reads nothing else."""
    return LiveInput(partial(Feed, device, max_pixels=quota.pixels, confined=True))
