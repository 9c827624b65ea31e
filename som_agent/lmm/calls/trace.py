"""A file of every prompt, picture and reply: to look at, and to play again without the model."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from som_agent.errors import InputError, OutputError, first_line
from som_agent.lmm.calls.identity import without
from som_agent.lmm.calls.messages import Picture
from som_agent.lmm.calls.replies import Reply
from som_agent.video.output import moved_into_place, part_file

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from som_agent.lmm.profiles import Profile

__all__ = ["Record", "Recorded", "Trace", "model_facts", "read_trace", "replay"]

_VERSION = 1


@dataclass(frozen=True)
class Record:
    """One call.

    Attributes:
        time: when it began, UTC in ISO 8601.
        purpose: what it was for, `question` or `repair` for example.
        model: `name` as it is called, `model` as it calls itself, and what its profile says of it.
        schema: the name of the schema that the reply was held to, None where it was not.
        prompt: the digest of the messages with their pictures.
        messages: as `som_agent.lmm.calls.messages.Prompt` has them, pictures by their sha256.
        reply: None where none came.
        error: `type` and `message` of what came instead.
        tries: how often it was sent; 0 where it came from the cache or was not sent.
        cached: whether the reply came from the cache.
        usage: `pictures`, `tokens_in`, `tokens_out`, `usd` and `seconds`.
    """

    time: str
    purpose: str
    model: dict[str, Any]
    schema: str | None
    prompt: str
    messages: list[dict[str, Any]]
    reply: Reply | None
    error: dict[str, str] | None
    tries: int
    cached: bool
    usage: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """A line of the file."""
        return {"version": _VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Record:
        """What `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        known = {field.name: fields[field.name] for field in dataclasses.fields(cls)}
        reply = known.pop("reply")
        return cls(reply=None if reply is None else Reply.from_json(reply), **known)


@dataclass(frozen=True)
class Recorded:
    """What a trace holds.

    Attributes:
        path: the file.
        records: its calls in their order.
        broken: numbers, from 1, of lines that are not whole: a process ended while it wrote them.
    """

    path: Path
    records: list[Record]
    broken: list[int]


def model_facts(model: BaseChatModel, name: str, profile: Profile) -> dict[str, Any]:
    """What a trace keeps of a model, so that its replay is shown the same pictures."""
    called = getattr(model, "model_name", None) or getattr(model, "model", None)
    return {
        "name": name,
        "model": called if isinstance(called, str) else None,
        "structured": profile.structured,
        "tool_images": profile.tool_images,
        "context_tokens": profile.context_tokens,
    }


class Trace:
    """Appends a line of JSON for each call; pictures go beside it, into `<stem>.pictures/`, each once.

    A line is in the file when `write` returns, so that a crash leaves whole lines.

    Args:
        path: the file; one that is there already is continued.

    Raises:
        InputError: a file that is no trace.
        OutputError: nothing can be written there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.pictures = self.path.with_name(f"{self.path.stem}.pictures")
        self._lock = threading.Lock()
        whole = True
        if self.path.is_file() and self.path.stat().st_size:
            whole = self.path.read_bytes().endswith(b"\n")
            read_trace(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: a line is one write, which other processes' lines do not mix with.
            self._file = self.path.open("ab", buffering=0)
            if not whole:
                self._file.write(b"\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, record: Record, pictures: Mapping[str, Picture], secrets: Sequence[str] = ()) -> None:
        """Append a call.

        Args:
            record: the call.
            pictures: those of its prompt by their sha256.
            secrets: texts that must not get into the file; asterisks take their place.

        Raises:
            OutputError: it cannot be written.
        """
        text = json.dumps(record.to_json(), ensure_ascii=False, default=str)
        # As they look inside JSON.
        line = without([json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets], text)
        with self._lock:
            try:
                for sha256, picture in pictures.items():
                    self._keep(self.pictures / f"{sha256}.{picture.ending}", picture.data)
                data = line.encode(errors="replace") + b"\n"
                if self._file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except (OSError, ValueError) as error:
                raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _keep(self, path: Path, data: bytes) -> None:
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        part = part_file(path)
        try:
            part.write_bytes(data)
            moved_into_place(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _unwritable(self, error: Exception) -> OutputError:
        reason = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        return OutputError(f"cannot write the trace {self.path}: {reason}")


def read_trace(path: str | Path) -> Recorded:
    """The calls in a trace.

    Raises:
        InputError: no such file, or none that `Trace` wrote.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"cannot read the trace {path}: {error.strerror}") from error
    records: list[Record] = []
    broken: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            version = fields["version"]
            if version == _VERSION:
                records.append(Record.from_json(fields))
                continue
        except (KeyError, TypeError, ValueError):
            broken.append(number)
        else:
            raise InputError(f"trace {path} has version {version!r}, this som-agent reads {_VERSION}")
    if not records and (len(broken) != 1 or not lines[0].startswith(b'{"version"')):
        raise InputError(f"{path} is no trace of calls to a model")
    return Recorded(path, records, broken)


def replay(path: str | Path) -> BaseChatModel:
    """A chat model that gives the recorded replies for the recorded prompts, and calls nothing.

    It says of itself what the recorded model said, so that the same pictures are drawn for it. Where a prompt
    was asked several times, its replies come in turn, from the first again after the last.

    Raises:
        InputError: no trace, or one without a reply.
        AnswererError: in use, a prompt that was not recorded; it names the first difference.
    """
    from som_agent.lmm.calls.replay import ReplayModel

    return ReplayModel.of(read_trace(path))
