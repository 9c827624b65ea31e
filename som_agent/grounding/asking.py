"""How a model is asked: how many pictures, how often it may mend its reply, and what all of it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from som_agent.errors import InputError
from som_agent.lmm.calls.limits import Limits
from som_agent.lmm.profiles import Profile

__all__ = ["Asking"]


@dataclass(frozen=True)
class Asking:
    """How a model is asked.

    Attributes:
        frames: most frames in a prompt.
        pictures: most pictures with marks in a prompt: a frame with more marks than the model reads in one is
            shown in several.
        plain: show each frame without marks, too, before its pictures with marks; not part of `pictures`.
        tries: how often a call is sent that fails for no fault of its own, before it is given up.
        repairs: how often a reply that cannot be used is sent back with what is wrong with it.
        verify: show the model each mark of its answer alone, and ask whether the claim holds of it.
        search: look for what the question is about and no mark is on, where that can be done, before giving
            up.
        limits: most that all calls for one question may cost.
        profile: what the model sees and takes; None goes by its name.
        cache: file of replies that are given again to the same prompt; None for none.
        trace: file to which prompts and replies are written; None for none.
    """

    frames: int = 4
    pictures: int = 6
    plain: bool = False
    tries: int = 5
    repairs: int = 2
    verify: bool = False
    search: bool = True
    limits: Limits = field(default_factory=Limits)
    profile: Profile | None = None
    cache: Path | None = None
    trace: Path | None = None

    def __post_init__(self) -> None:
        for name, least in (("frames", 1), ("pictures", 1), ("tries", 1), ("repairs", 0)):
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{name} is {value}, but must be {least} or more")
