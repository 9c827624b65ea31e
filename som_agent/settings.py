"""What a user can choose for a session."""

from __future__ import annotations

from dataclasses import dataclass, field

from som_agent.errors import InputError
from som_agent.marks.labels import SCHEMES, Scheme
from som_agent.marks.style import MarkStyle

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What a user can choose for a session.

    Attributes:
        max_marks: marks drawn at once; the largest objects have precedence.
        labels: numbers or letters.
        style: what is drawn.
        size: long side in pixels of the pictures inside; results are in source pixels whatever it is.
        max_rows: observations remembered; beyond it the past becomes sparser.
        keyframes: marked frames kept for questions to a vision-language model.
        propagator: what carries masks from frame to frame, `flow` or `hf:DIR` for example, so that the
            segmenter looks only now and then; "" for none: it looks at every frame.
        discover_every: frames from one such look to the next.
        embedder: what else compares newcomers with objects that were out of sight, `hf:DIR` of a DINOv2 or
            CLIP for example; "" for none: histograms do.
    """

    max_marks: int = 20
    labels: Scheme = "numbers"
    style: MarkStyle = field(default_factory=MarkStyle)
    size: int = 480
    max_rows: int = 100_000
    keyframes: int = 12
    propagator: str = ""
    discover_every: int = 5
    embedder: str = ""

    def __post_init__(self) -> None:
        for name, least in (
            ("max_marks", 1),
            ("size", 16),
            ("max_rows", 1),
            ("keyframes", 2),
            ("discover_every", 1),
        ):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{name} must be at least {least}, got {value}")
        if self.labels not in SCHEMES:
            raise InputError(f"unknown label scheme {self.labels!r}; known: {', '.join(SCHEMES)}")
