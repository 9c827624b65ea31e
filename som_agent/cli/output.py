"""What commands print: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["note", "print_json", "progress", "stop_on_interrupt"]


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"som-agent: {text}\n")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr; call what it yields once a frame."""
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
            bar.update(task, advance=1, rate=f"{speed:.0f} frames/s" if speed else "")

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
