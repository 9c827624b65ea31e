"""The times in a question: found, turned into windows, and taken out of the text."""

from __future__ import annotations

import re
from collections.abc import Callable

from som_agent.grounding.attributes.query import Window

__all__ = ["NUMBER_WORDS", "take_times"]

_WORDS = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
NUMBER_WORDS = {word: number for number, word in enumerate(_WORDS.split("|"))}
"""English number words, zero to twelve."""

_INF = float("inf")
_UNITS = r"(?:milliseconds?|ms|seconds?|secs?|sec|s|minutes?|mins?)\b"
_DIGITS = r"(?:\d+(?:\.\d+)?|\.\d+)"
_NUMBER = rf"(?:{_DIGITS}|half(?:\s+an?)?|{_WORDS})"
_AMOUNT = rf"(?:{_DIGITS}\s*-?\s*|\b(?:half(?:\s+an?)?|{_WORDS})\s+){_UNITS}"
_MINUS = r"(?:[-−–]\s*)?"
_CLOCK = r"\d+:\d\d(?:\.\d+)?"
_TIME = rf"(?:{_CLOCK}|{_AMOUNT}|\d+\.\d+(?!\s*[a-z]))"
_SCENE = r"(?:videos?|clips?|films?|movies?|recordings?|footages?|sequences?|runs?|sessions?)"
_OF = rf"(?:\s+of\s+(?:the\s+|this\s+|that\s+)?(?:whole\s+)?{_SCENE})?"
_IN = r"(?:(?:in|during|within|for|over|throughout|at|on)\s+)?(?:the\s+)?(?:very\s+)?"


def take_times(text: str) -> tuple[str, list[Window], list[str]]:
    """Find the times in a question.

    Args:
        text: the question.

    Returns:
        The text with the times blanked out (same length), the windows, and stretches of time such as "for
        5 seconds" that are no time of the video.
    """
    windows: list[Window] = []
    for pattern, build in _PATTERNS:
        for match in list(pattern.finditer(text)):
            if window := build(match):
                windows.append(window)
                text = _blank(text, match)
    loose = []
    for match in list(_LOOSE.finditer(text)):
        loose.append(match[0].strip())
        text = _blank(text, match)
    return text, windows, loose


def _blank(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + " " * len(match[0]) + text[match.end() :]


def _seconds(text: str, unit: str = "") -> float:
    """Seconds of "3.2 s", "1:05", "half a minute"; `unit` is used where the text has none."""
    text = text.strip().lower()
    if text[:1] in ("-", "−", "–"):
        return -_seconds(text[1:], unit)
    if ":" in text:
        minutes, seconds = text.split(":")
        return 60 * float(minutes) + float(seconds)
    match = re.match(rf"({_NUMBER})\s*-?\s*({_UNITS})?", text)
    if match is None:
        return float("nan")
    word = match[1].split()[0]
    value = NUMBER_WORDS.get(word) if word in NUMBER_WORDS else None
    number = (
        0.5 if word == "half" else 1.0 if word in ("a", "an") else float(word if value is None else value)
    )
    unit = match[2] or unit
    if unit.startswith("min"):
        return 60 * number
    return number / 1000 if unit.startswith(("ms", "milli")) else number


def _between(match: re.Match[str]) -> Window | None:
    first, last = match["a"], match["b"]
    unit = re.search(_UNITS, last)
    if unit is None and "." not in first + last and ":" not in first + last:
        return None  # "between 2 and 4" may well be marks
    start, end = _seconds(first, unit[0] if unit else ""), _seconds(last)
    text = match[0].strip()
    if end < start:
        start, end = end, start
        text += f" (read as from {start:g} to {end:g} s)"
    return Window("start", start, end, text)


def _first(match: re.Match[str]) -> Window:
    amount = _seconds(f"{match['n'] or '1'} {match['unit']}")
    backwards = match["which"].lower() in ("last", "final")
    return Window("end" if backwards else "first", 0, amount, match[0].strip())


def _fraction(start: float, end: float) -> Callable[[re.Match[str]], Window]:
    return lambda match: Window("half", start, end, match[0].strip())


def _edge(anchor: str) -> Callable[[re.Match[str]], Window]:
    return lambda match: Window("end" if anchor == "end" else "first", 0, 0.5, match[0].strip())


def _moment(match: re.Match[str]) -> Window:
    time = _seconds(match["t"])
    return Window("start", time, time, match[0].strip())


def _frame(match: re.Match[str]) -> Window:
    return Window("frame", float(match["n"]), float(match["n"]), match[0].strip())


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_PATTERNS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], Window | None]]] = [
    (
        _p(
            rf"\bbetween\s+(?P<a>{_CLOCK}|{_NUMBER}(?:\s*{_UNITS})?)\s+and\s+"
            rf"(?P<b>{_CLOCK}|{_NUMBER}(?:\s*{_UNITS})?)"
        ),
        _between,
    ),
    (
        _p(
            rf"(?:\b(?:from|between|during|in|at)\s+)?(?<![\w.])(?P<a>{_CLOCK}|{_NUMBER}(?:\s*{_UNITS})?)\s*"
            rf"(?:to|until|till|-|–)\s*(?P<b>{_CLOCK}|{_NUMBER}\s*{_UNITS}|\d+\.\d+)"
        ),
        _between,
    ),
    (
        _p(rf"\b{_IN}(?P<which>first|last|final)\s+(?:(?P<n>{_NUMBER})\s*-?\s*)?(?P<unit>{_UNITS}){_OF}"),
        _first,
    ),
    (_p(rf"\b{_IN}first\s+half\b{_OF}"), _fraction(0, 0.5)),
    (_p(rf"\b{_IN}(?:second|last|latter)\s+half\b{_OF}"), _fraction(0.5, 1)),
    (
        _p(rf"\b(?:halfway(?:\s+through)?(?:\s+the\s+{_SCENE})?|in\s+the\s+middle\s+of\s+the\s+{_SCENE})"),
        _fraction(0.5, 0.5),
    ),
    (
        _p(
            rf"\b(?:after|since|past|from|starting\s+(?:at|from))\s+(?:about\s+)?(?P<t>{_MINUS}{_TIME})(?:\s+on(?:wards?)?\b)?"
        ),
        lambda m: Window("start", _seconds(m["t"]), _INF, m[0].strip()),
    ),
    (
        _p(rf"\b(?:before|until|till|up\s+to|by|within)\s+(?P<t>{_MINUS}{_TIME})"),
        lambda m: Window("start", 0, _seconds(m["t"]), m[0].strip()),
    ),
    (
        _p(rf"\b(?P<t>{_TIME})\s+(?:before|from)\s+the\s+end\b{_OF}"),
        lambda m: Window("end", _seconds(m["t"]), _seconds(m["t"]), m[0].strip()),
    ),
    (
        _p(
            rf"(?:\bat|\baround|\babout|\bon|@|\bt\s*=)\s*(?:about\s+|around\s+|time\s+|t\s*=\s*)?(?:the\s+)?(?P<t>{_MINUS}{_TIME}"
            rf"|{_MINUS}\d+(?=\s*(?:$|[?,;!]|\.\s|\.$)))(?:\s*(?:mark|point)\b)?"
        ),
        _moment,
    ),
    (_p(r"\b(?:at|in)\s+second\s+(?P<t>\d+(?:\.\d+)?)"), _moment),
    (_p(rf"\b(?P<t>{_TIME})\s+in(?:to)?\b(?:\s+the\s+{_SCENE})?"), _moment),
    (_p(r"\b(?:in|on|at)\s+(?:the\s+)?frame\s+(?:number\s+|no\.?\s+)?#?(?P<n>-?\d+)\b"), _frame),
    (
        _p(
            rf"\b(?:(?:at|by|towards?|near|in|until)\s+the\s+(?:very\s+)?end\b{_OF}(?!\s*of\b)|in\s+the\s+last\s+frame\b{_OF})"
        ),
        _edge("end"),
    ),
    (
        _p(r"\b(?:finally|eventually|right\s+now|currently|now|at\s+the\s+moment|at\s+present)\b"),
        _edge("end"),
    ),
    (_p(rf"\b(?:at|from|in|near)\s+the\s+(?:very\s+)?(?:start|beginning)\b{_OF}"), _edge("start")),
    (_p(rf"\b(?:in\s+the\s+first\s+frame\b{_OF}|initially|at\s+first\b(?!\s+sight))"), _edge("start")),
]
_LOOSE = _p(rf"\b(?:for\s+)?(?:(?:more|less|longer|at)\s+(?:than|least|most)\s+)?(?<![\w.]){_AMOUNT}")
