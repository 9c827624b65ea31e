"""Words for models: what a video, a file or another model says is quoted, lists are short."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["SPANS", "counted", "labels", "printable", "px", "quoted", "spans_text"]

SPANS = 4
"""Spans of time told of one thing; the data has all of them."""
LABELS = 40
"""Labels told in a row."""
NAME = 200
"""Characters of a name that are told."""
QUOTE = 6000
"""Characters of another model's answer that are told."""


def printable(text: str, most: int = NAME) -> str:
    """A name as one line of printable characters: it may hold line breaks and marks of direction."""
    line = "".join(c if c.isprintable() else "�" for c in text)
    return line if len(line) <= most else f"{line[:most]}…"


def quoted(text: str) -> str:
    """What somebody else said, each line behind a `>`: none of it can pass for a line of the tool's own."""
    cut = text if len(text) <= QUOTE else f"{text[:QUOTE]}…"
    return "\n".join(f"> {printable(line, QUOTE)}" for line in cut.splitlines() or [""])


def counted(count: int, what: str) -> str:
    """A count in words: "1 event", "3 events", "no events"."""
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def labels(names: Collection[str]) -> str:
    """Marks in a row, "[3] [4] [3a]", the first ones of very many."""
    shown = " ".join(f"[{name}]" for name in list(names)[:LABELS])
    return f"{shown} and {len(names) - LABELS} more" if len(names) > LABELS else shown or "none"


def spans_text(spans: Sequence[tuple[float, float]]) -> str:
    """Spans of time, "0.0-1.8 s, 2.5 s", the first ones of many."""
    written = [(f"{a:.1f}", f"{b:.1f}") for a, b in spans[:SPANS]]
    told = [f"{a} s" if a == b else f"{a}-{b} s" for a, b in written]
    if len(spans) > SPANS:
        told.append(f"{len(spans) - SPANS} more times")
    return ", ".join(told) or "never"


def px(point: Sequence[float]) -> str:
    """A point, "(120, 80)"."""
    return f"({', '.join(f'{v:.0f}' for v in point)})"
