"""Claims about more than one time: "visible at 5 s but not at the end", "red at 1 s and blue at 3 s"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from som_agent.grounding.attributes.times import take_times

__all__ = ["SideText", "split_sides"]

_LINK = re.compile(
    r"\b(?P<word>but|yet|and)\b(?:\s+(?:is|are|was|were|do|does|did|also|then|again|which|that))*"
    r"(?P<no>\s+(?:not|no\s+longer)\b)?",
    re.IGNORECASE,
)
_MOST = 8
_SHORT_NOT = re.compile(r"n't\b", re.IGNORECASE)


@dataclass(frozen=True)
class SideText:
    """The words of a claim about another time.

    Attributes:
        text: all of it, the link included.
        claim: what follows the link and "not".
        negated: there was a "not".
        goes_on: after a time alone another link follows, or too many do: what is meant cannot be told.
    """

    text: str
    claim: str
    negated: bool
    goes_on: bool = False


def split_sides(question: str) -> tuple[str, list[SideText]]:
    """Cut a second claim with a time of its own off a question.

    It is one where either side of "and" or "but" has a time, or where "but not" is followed by a time alone.

    Returns:
        The question without it, and the claim, which may hold another one.
    """
    plain = _SHORT_NOT.sub(" not", question)
    blank, _, _ = take_times(plain)
    for link in _LINK.finditer(blank):
        if link[0] != plain[link.start() : link.end()]:
            continue  # a time stands in it
        claim = plain[link.end() :]
        rest, later, _ = take_times(claim)
        alone = not re.search(r"\w", rest)
        earlier = take_times(plain[: link.start()])[1]
        if not later or not (earlier or (link["no"] and alone)):
            continue
        if link["word"].lower() == "and" and alone and not link["no"]:
            continue  # two times of one claim
        text = plain[link.start() :].strip(" ,;?!.")
        if len(_LINK.findall(rest)) > _MOST:
            return plain[: link.start()], [SideText(text, "", bool(link["no"]), goes_on=True)]
        goes_on = _LINK.match(rest.lstrip()) is not None
        return plain[: link.start()], [SideText(text, claim, bool(link["no"]), goes_on)]
    return question, []
