"""What a worker and its parent tell each other: pickled messages over the worker's stdin and stdout.

Only these two processes, of one program, hold the ends of the pipes.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from som_agent.tracking import Tracker

__all__ = ["Asked", "Job", "Replied", "receive", "send"]

Job = Callable[[Tracker], object]
"""What is to be done with a tracker of the worker; it and what it returns can be pickled."""

_LENGTH = 8


@dataclass(frozen=True)
class Asked:
    """Something to do.

    Attributes:
        key: the tracker; it is made where there is none of that key.
        job: what to do.
        left: trackers that are to be let go.
    """

    key: int
    job: Job
    left: Sequence[int] = ()


@dataclass(frozen=True)
class Replied:
    """What came of it: a value, or what was raised."""

    value: Any = None
    error: Exception | None = None


def send(pipe: IO[bytes], message: Asked | Replied) -> None:
    """Write one message.

    Raises:
        OSError: nobody holds the other end any more.
    """
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(len(data).to_bytes(_LENGTH, "little"))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Wait for one message.

    Raises:
        EOFError: nobody holds the other end any more.
    """
    length = pipe.read(_LENGTH)
    data = pipe.read(int.from_bytes(length, "little")) if len(length) == _LENGTH else b""
    if not data:
        raise EOFError("the other end of the pipe was closed")
    return pickle.loads(data)
