"""What a question is about and no mark is on is looked for in the newest frame, and marked there.

By its name where there is a text-prompted segmenter. Otherwise the marks that it may be a part of are opened:
what an object consists of has no marks of its own until then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from som_agent.errors import InputError, SegmenterError
from som_agent.grounding.citations import cited_marks
from som_agent.grounding.dialogue import Found, Search
from som_agent.grounding.posing import Seen

if TYPE_CHECKING:
    from som_agent.grounding.chat import Searcher
    from som_agent.keyframes import Pictures
    from som_agent.segmenters.text import Finder
    from som_agent.session import Session

__all__ = ["searcher"]

_WHERE = re.compile(r",|\s+(?:on|in|of|at|inside)\s+(?:the\s+)?(?:mark\s+)?\[")
"""Where a phrase goes on to say on which mark a thing is."""
OPENED = 2
"""Marks that are opened where the model does not say which one."""


def searcher(session: Session, finder: str | Finder | None, pictures: Pictures) -> Searcher:
    """A search of a session's newest frame.

    Args:
        session: what is searched; it gets new marks.
        finder: a text-prompted segmenter; without one marks are opened.
        pictures: draws the session's frames.
    """

    def search(wish: Search) -> Found:
        before = set(session.history.marks)
        try:
            how = _opened(session, wish) if finder is None else _named(session, wish, finder)
        except (InputError, SegmenterError) as error:  # a search that cannot be done is no reason to end
            how = [f"the search was not possible: {error}"]
        seen = Seen(session.history, pictures)
        cited = cited_marks(" ".join(how), seen.history.marks).marks if finder is not None else ()
        new = sorted(set(seen.history.marks) - before)
        return Found(seen, tuple(dict.fromkeys((*cited, *new))), "; ".join(how))

    return search


def _named(session: Session, wish: Search, finder: str | Finder) -> list[str]:
    """What a text-prompted segmenter finds: new marks, or ones that were there under no name."""
    names = tuple(dict.fromkeys(_WHERE.split(phrase)[0].strip() or phrase for phrase in wish.phrases))
    found = session.find(*names, finder=finder)
    if not found:
        return [f"the text-prompted segmenter finds no {_quoted(names)}"]
    return [
        f'[{named.mark.label}] is what a text-prompted segmenter finds for "{named.phrase}"'
        for named in found
    ]


def _opened(session: Session, wish: Search) -> list[str]:
    """Open the marks that the phrases name, or else the largest ones, as far as they are visible."""
    marked = session.newest
    if marked is None:
        return ["there is no frame"]
    table = {info.mark: info for info in marked.infos}
    wanted = [
        mark for mark in cited_marks(" ".join(wish.phrases), session.history.marks).marks if mark in table
    ]
    if not wanted:
        whole = [k for k, info in enumerate(marked.infos) if info.parent is None and info.made_of is None]
        whole.sort(key=lambda k: -int(marked.regions.areas[k]))
        wanted = [marked.infos[k].mark for k in whole[:OPENED]]
    how = []
    for mark in wanted:
        parts = [f"[{info.label}]" for info in session.zoom(mark).marked.infos]
        what = f"its parts are {', '.join(parts)}" if parts else "it has no parts that can be told apart"
        how.append(f"mark {table[mark].label} was opened: {what}")
    return how or ["no mark is visible that could be opened"]


def _quoted(phrases: Sequence[str]) -> str:
    return " and no ".join(f'"{phrase}"' for phrase in phrases)
