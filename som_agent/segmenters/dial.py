"""SEEM, Semantic-SAM and SAM behind one dial, as Set-of-Mark's own tool has them (arXiv 2310.11441)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from som_agent.errors import SegmenterError
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.granularity import FIRST, LAST, Stage, checked, slider
from som_agent.segmenters.prompts import Prompt
from som_agent.video.frame import Frame

__all__ = ["DialSegmenter", "chosen", "parts_of"]

_MIDDLE = 0.5
_REACH: dict[Stage, tuple[float, float]] = {
    "seem": (1, FIRST),
    "semantic-sam": (FIRST, LAST),
    "sam": (LAST, 3),
}
"""Where on the slider each works."""


class DialSegmenter:
    """The one of up to three segmenters that works at a granularity; the others are not loaded.

    The dial from 0 to 1 is the slider of Set-of-Mark's tool from 1 to 3: below 1.5 SEEM, above 2.5 SAM, and
    between them Semantic-SAM, level 1 to 6 in steps of 0.14 and then all six. SEEM and SAM work there as
    their authors had them. A segmenter that was not given is stood in for by the nearest on the slider.

    Args:
        argument: `seem=FILE,semantic-sam=FILE,sam=FILE`, or any of them.
        device: where the network runs; None takes the first GPU or the CPU.
        granularity: 0 (coarse) to 1 (fine); None takes the middle, as the tool does.

    Attributes:
        inner: the segmenter that was chosen.

    Raises:
        SegmenterError: an argument that is not written so, a file that is missing, or not of that network.
        InputError: a device that is not there, or a granularity that is not from 0 to 1.
    """

    def __init__(self, argument: str, *, device: str | None = None, granularity: float | None = None) -> None:
        from som_agent.segmenters.registry import made

        self.name = f"dial:{argument}"
        files = parts_of(argument)
        for stage, file in files.items():  # what was mistyped shows at once, not when the dial is turned
            if not Path(file).expanduser().is_file():
                raise SegmenterError(f"{self.name}: there is no file {file!r} for {stage}")
        dial = checked(granularity)
        at = slider(_MIDDLE if dial is None else dial)
        stage = chosen(at, files)
        # Semantic-SAM's own dial covers its part of the slider.
        own = min(max(at - FIRST, 0.0), 1.0) if stage == "semantic-sam" else None
        self.inner = made(f"{stage}:{files[stage]}", device=device, granularity=own)

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter.segment`."""
        regions: Regions = self.inner.segment(frame)
        return regions

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """See `Prompted.prompted`."""
        mask: BoolArray = self.inner.prompted(frame, prompt)
        return mask


def parts_of(argument: str) -> dict[Stage, str]:
    """The files of an argument, by the segmenter that each is for; a file's name may have commas.

    Raises:
        SegmenterError: it is not written as files of known segmenters, one each.
    """
    how = "write dial:seem=FILE,semantic-sam=FILE,sam=FILE, or any of them"
    files: dict[Stage, str] = {}
    for part in re.split(r",(?=[\w-]+=)", argument):
        name, equals, file = part.partition("=")
        stage = next((stage for stage in get_args(Stage) if stage == name.strip()), None)
        if stage is None or not equals or not file:
            raise SegmenterError(f"dial:{argument}: {part!r} is no file of a known segmenter; {how}")
        if stage in files:
            raise SegmenterError(f"dial:{argument}: two files for {stage}; {how}")
        files[stage] = file
    return files


def chosen(at: float, files: dict[Stage, str]) -> Stage:
    """The segmenter that works at a place of the slider, or else the nearest; of two as near the finer."""

    def distance(stage: Stage) -> tuple[float, int]:
        low, high = _REACH[stage]
        return max(low - at, at - high, 0.0), -get_args(Stage).index(stage)

    # At the borders themselves the tool takes Semantic-SAM.
    if "semantic-sam" in files and FIRST <= at <= LAST:
        return "semantic-sam"
    return min(files, key=distance)
