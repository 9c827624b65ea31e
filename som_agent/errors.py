"""The exceptions that som-agent raises on purpose.

Every message is one line that names the thing and its value, and says what would work. The command
line turns a `SomError` into that line and exit status 2; anything else is a bug and exits with 1.
"""

__all__ = [
    "AnswererError",
    "InputError",
    "LimitError",
    "MissingExtraError",
    "OutputError",
    "SegmenterError",
    "SomError",
    "TrackingError",
    "UnansweredError",
    "first_line",
]


class SomError(Exception):
    """Base of the family: catch this to catch every error that the user can mend."""


class InputError(SomError):
    """A picture, video, folder, camera, run directory or option value that cannot be used."""


class OutputError(SomError):
    """A place where results cannot be written."""


class SegmenterError(SomError):
    """An unknown segmenter, or a checkpoint or mask folder that it cannot use."""


class TrackingError(SomError):
    """An unknown propagator or embedder, or a checkpoint that it cannot use."""


class AnswererError(SomError):
    """An unknown language model, or one that failed to answer."""


class UnansweredError(AnswererError):
    """A language model that could not be brought to answer: retries or time ran out, the connection broke."""


class LimitError(AnswererError):
    """A call that would pass a limit of what a question may cost; it was not sent."""


class MissingExtraError(SomError):
    """An optional dependency that is not installed; the message has the pip line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)  # what other processes make it of again

    def __str__(self) -> str:
        what, extra = self.args
        return f'{what} needs an optional package: pip install "som-agent[{extra}]"'


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, or its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
