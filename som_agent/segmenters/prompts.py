"""One mask by pointing at it: points on and off a thing, a box around it, or both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.regions import BoolArray
    from som_agent.video.frame import Frame

__all__ = ["Prompt", "Prompted"]


@dataclass(frozen=True)
class Prompt:
    """What points at one thing, in pixels of the frame that it is given with.

    Arrays and lists are taken too; they become tuples of plain numbers.

    Attributes:
        points: x, y of each point, `[N, 2]`.
        labels: 1 where a point is on the thing, 0 where it is off it, `[N]`; without any, all are on it.
        box: x0, y0, x1, y1 around the thing, or None.

    Raises:
        InputError: neither a box nor a point on the thing, or numbers that make no points, labels or box.
    """

    points: Sequence[Sequence[float]] = ()
    labels: Sequence[int] = ()
    box: Sequence[float] | None = None

    def __post_init__(self) -> None:
        points = tuple(_numbers("a point", point, 2) for point in self.points)
        labels = (
            _numbers("the labels", self.labels, len(points)) if len(self.labels) else (1.0,) * len(points)
        )
        if not set(labels) <= {0, 1}:
            raise InputError(
                f"a prompt's labels are 1 (on the thing) and 0 (off it), got {list(self.labels)}"
            )
        box = None if self.box is None else _numbers("a box", self.box, 4)
        if box is None and 1 not in labels:
            raise InputError("a prompt needs a box, or at least one point on the thing (label 1)")
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise InputError(f"a prompt's box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, got {list(box)}")
        for name, value in (("points", points), ("labels", tuple(map(int, labels))), ("box", box)):
            object.__setattr__(self, name, value)

    @property
    def on(self) -> list[Sequence[float]]:
        """The points on the thing."""
        return [point for point, label in zip(self.points, self.labels, strict=True) if label]

    @property
    def off(self) -> list[Sequence[float]]:
        """The points off the thing."""
        return [point for point, label in zip(self.points, self.labels, strict=True) if not label]

    def check(self, frame: Frame) -> None:
        """Make sure that it lies in the frame.

        Raises:
            InputError: a point or the box reaches out of it.
        """
        h, w = frame.image.shape[:2]
        for x, y in self.points:
            if not (0 <= x < w and 0 <= y < h):
                raise InputError(
                    f"the prompt's point ({x:g}, {y:g}) lies outside the {w}x{h} px of {frame!r}"
                )
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if min(x0, y0) < 0 or x1 > w or y1 > h:
                box = ", ".join(f"{side:g}" for side in self.box)
                raise InputError(f"the prompt's box ({box}) reaches outside the {w}x{h} px of {frame!r}")


class Prompted(Protocol):
    """Frame and prompt → one mask. It may keep what it found out about the last frame that it was shown."""

    name: str
    """The name that the user gave."""

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """Cut out what the prompt points at.

        Several prompts on one frame object cost little more than one: it is looked at once.

        Args:
            frame: its image is `[h, w, 3] uint8` RGB. It must not be changed between two prompts.
            prompt: in pixels of that image.

        Returns:
            `[h, w] bool`; nothing is set where nothing was found.

        Raises:
            InputError: the prompt lies outside the frame.
            SegmenterError: see `Segmenter.segment`.
        """
        ...


def _numbers(what: str, values: Sequence[float], count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{what} of a prompt must be {count} numbers, got {values!r}")
    return numbers
