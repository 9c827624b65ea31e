"""Something that happens in a drawn scene; for `watch_truth`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Expected"]


@dataclass(frozen=True)
class Expected:
    """Something that happens.

    Attributes:
        things: whom it is about.
        frame: from which it can be known.
        earliest: from which it may be told.
        until: last frame of what it brings about.
        seen: what is about it can be seen, whether it is sure or not.
        why: why it is not sure, and may be told or not; "" where it is, and has to be told.
    """

    things: tuple[int, ...]
    frame: int
    earliest: int
    until: int
    seen: bool = True
    why: str = ""

    @property
    def sure(self) -> bool:
        """It has to be told."""
        return not self.why
