"""What commands print: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from types import FrameType
from typing import Any

from som_agent.errors import OutputError, first_line

__all__ = ["note", "print_json", "progress", "results", "stop_on_interrupt"]


@contextmanager
def results() -> Iterator[None]:
    """Turn a stdout that cannot be written into an `OutputError`; one whose reader left stays what it is.

    Raises:
        OutputError: stdout is closed, or the disk under it is full, for example.
        BrokenPipeError: nobody reads it any more.
    """
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed")
    checked: Any = _Checked(sys.stdout)
    with redirect_stdout(checked):
        yield
        checked.flush()


class _Checked:
    """The stdout of `results`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._writing():
            return int(self._stream.write(text))

    def flush(self) -> None:
        with self._writing():
            self._stream.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What is still in the buffer would fail once more when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(f"cannot write to stdout: {error.strerror or first_line(error)}") from error


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """One line on stderr."""
    if sys.stderr is not None:
        with suppress(OSError):  # there is no place left to say it
            sys.stderr.write(f"som-agent: {text}\n")


@contextmanager
def progress(what: str, total: int | None, *, unit: str = "frames") -> Iterator[Callable[[], None]]:
    """A progress bar on stderr; call what it yields once a frame, or once a `unit`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # A log file wants no thousand bars: without a terminal nothing is drawn.
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, rate="")

        def advance() -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{speed:.{0 if speed >= 10 else 1}f} {unit}/s" if speed else "")

        yield advance


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop after the current frame; a second one stops at once.

    Yields a function that tells whether to stop. Once it has said so, or a second Ctrl-C came, the command
    is on its way out, and further ones are ignored: they would only break into the tidying up.
    """
    stop = False

    def handle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stop
        if stop:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt
        stop = True

    def stopped() -> bool:
        if stop:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        return stop

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stopped
    finally:
        if not stop:
            signal.signal(signal.SIGINT, before)
