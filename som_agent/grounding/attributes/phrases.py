"""Items of a question → filters: expressions of attributes, and phrases that name marks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from som_agent.grounding.attributes.lexicon import Item
from som_agent.grounding.attributes.query import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Best,
    Compare,
    Event,
    Filter,
    HasColor,
    Is,
    Moves,
    Not,
    Place,
    Related,
    Selector,
    Size,
    Unknown,
    Visible,
)

__all__ = ["Parser", "State", "join", "parts_of"]

_SKIP = ("word", "noun", "that", "scene", "pronoun", "quantifier", "to", "number", "than", "comma")
_MUTUAL = ("touching", "overlapping", "near", "colored like")
_PLACE_OF = {
    "left of": Place(("left",)),
    "right of": Place(("right",)),
    "above": Place(("top",)),
    "below": Place(("bottom",)),
    "under": Place(("bottom",)),
}
"""What a relation to the picture itself means: "to the left of the picture"."""


@dataclass
class State:
    """What is gathered on the way."""

    plural: bool
    unknown: list[Unknown] = field(default_factory=list)
    dropped: bool = False  # a part that says something about the marks could not be used
    contrary: bool = False  # what is left means something else than the whole


def parts_of(filter_: Filter | None) -> list[Filter]:
    """What must hold at once."""
    if filter_ is None:
        return []
    return list(filter_.of) if isinstance(filter_, AllOf) else [filter_]


def join(kind: type[AllOf] | type[AnyOf], parts: list[Filter]) -> Filter | None:
    """One filter of several; marks named side by side are one group."""
    flat: list[Filter] = []
    for part in parts:
        flat += part.of if isinstance(part, kind) else [part]
    named = [part for part in flat if isinstance(part, Is)]
    if len(named) > 1:
        group = Is(tuple(dict.fromkeys(mark for part in named for mark in part.marks)))
        flat = [group, *(part for part in flat if not isinstance(part, Is))]
    if kind is AllOf:
        places = [part for part in flat if isinstance(part, Place)]
        if len(places) > 1:  # "top left corner" is one place
            words = tuple(dict.fromkeys(word for part in places for word in part.words))
            flat = [Place(words), *(part for part in flat if not isinstance(part, Place))]
        flat.sort(key=lambda part: isinstance(part, Best))  # a ranking is among what the others leave
    flat = list(dict.fromkeys(flat))
    return None if not flat else flat[0] if len(flat) == 1 else kind(tuple(flat))


class Parser:
    """Recursive descent over items."""

    def __init__(self, items: list[Item], state: State) -> None:
        self.items = items
        self.state = state
        self.i = 0

    def kind(self) -> str:
        """Kind of the next item, "" at the end."""
        return self.items[self.i].kind if self.i < len(self.items) else ""

    def skip(self, kinds: tuple[str, ...] = _SKIP) -> None:
        """Go past items of these kinds."""
        while self.kind() in kinds:
            self.i += 1

    def whole(self) -> Filter | None:
        """Everything that is left; all of it must hold."""
        parts: list[Filter] = []
        while True:
            self.skip((*_SKIP, "and", "or", "ask", "side", "ordinal", "clause", "order"))
            if not self.kind():
                return join(AllOf, parts)
            before = self.i
            part = self.either()
            if part is not None:
                parts.append(part)
            if self.i == before:
                self.i += 1

    def either(self) -> Filter | None:
        """What is joined by "or"."""
        parts = [self.both()]
        while self.kind() == "or":
            self.i += 1
            part = self.both()
            if isinstance(parts[-1], Moves) and parts[-1].how and isinstance(part, Place):
                part = replace(parts[-1], how=part.words[0])  # "moving left or right"
            parts.append(part)
        known = [part for part in parts if part is not None]
        if known and isinstance(known[0], Not) and len(known) > 1 and type(known[0].of) is type(known[1]):
            # "not red or blue", "neither red nor blue"
            return Not(AnyOf(tuple(part.of if isinstance(part, Not) else part for part in known)))
        return join(AnyOf, known)

    def both(self) -> Filter | None:
        """What is joined by "and"."""
        parts = [self.single()]
        while self.kind() == "and":
            mark = self.i
            self.i += 1
            part = self.single()
            if part is None and not self.kind():
                break
            if part is None and self.i == mark + 1:
                break
            parts.append(part)
        known = [part for part in parts if part is not None]
        if len(known) > 1 and self.state.plural and all(isinstance(part, HasColor) for part in known):
            return join(AnyOf, known)
        return join(AllOf, known)

    def single(self) -> Filter | None:
        """One attribute, relation or group of marks, its negation, or that it always holds."""
        self.skip()
        if self.kind() == "always":
            self.i += 1
            return self.lasting(self.single() or Visible())
        found = self.momentary()
        start = self.i
        self.skip()
        if found is None or self.kind() != "always":
            self.i = start
            return found
        after = self.i + 1
        self.i = after
        self.skip()
        if self.kind() in ("filter", "best", "not", "relation", "more"):  # "red marks always visible"
            self.i = start
            return found
        self.i = after
        return self.lasting(found)

    def lasting(self, found: Filter) -> Filter:
        """That it always holds; of what happens but once nothing more can be asked."""
        return found if isinstance(found, Event | Always | Is) else Always(found)

    def momentary(self) -> Filter | None:
        """One attribute, relation or group of marks, or its negation."""
        item = self.items[self.i] if self.i < len(self.items) else None
        if item is None:
            return None
        if item.kind == "not":
            self.i += 1
            self.skip()
            if self.kind() in ("unknown", ""):
                self.unknown_run(False)
                return None
            before = len(self.state.unknown)
            inner = self.single()
            if inner is None:
                if len(self.state.unknown) == before:
                    self.state.unknown.append(Unknown(item.text, reason="say what should not be so"))
                self.state.dropped = True
                return None
            denied = Absent() if isinstance(inner, Visible) else Not(inner)
            return self.lasting(denied) if item.name == "never" and not isinstance(inner, Event) else denied
        if item.kind in ("filter", "best"):
            self.i += 1
            return item.filter
        if item.kind == "ref":
            self.i += 1
            if not item.numbers:
                self.state.dropped = True
                return None
            return item.filter
        if item.kind in ("relation", "more"):
            return self.relation(item)
        if item.kind == "preposition":
            self.i += 1
            before = len(self.state.unknown)
            if self.noun_phrase(subject=False) is not None or len(self.state.unknown) > before:
                self.state.unknown.insert(
                    before, Unknown(item.text, reason="not a relation that can be computed")
                )
                self.state.dropped = True
            return None
        if item.kind == "unknown":
            self.unknown_run(True)
        return None

    def unknown_run(self, swallow: bool) -> None:
        """Note unknown words side by side; a mark that follows is the object of the last of them."""
        before = self.items[self.i - 1] if self.i else None
        names_a_kind = (
            before is None
            or before.kind in ("filter", "best", "number", "quantifier")
            or before.text.lower() in ("a", "an", "the", "any", "of", "this", "that", "these", "those")
        )
        run: list[Item] = []
        while self.kind() == "unknown":
            run.append(self.items[self.i])
            self.i += 1
        after = self.items[self.i] if self.i < len(self.items) else None
        if after is not None and (
            after.kind in ("noun", "best") or isinstance(after.filter, HasColor | Size)
        ):
            names_a_kind = False  # an adjective: "shiny marks", "shiny red cups"
        for item in run:
            noun = names_a_kind and item is run[-1] and item.text.isalpha()
            noun = noun and not item.text.lower().endswith(("ing", "ed", "ly"))
            self.state.unknown.append(Unknown(item.text, noun=noun))
        if swallow and run:
            start = self.i
            self.skip(("word", "to", "preposition", "noun"))
            if self.kind() == "ref":
                self.noun_phrase(subject=False)
                self.state.dropped = True
            else:
                self.i = start

    def relation(self, item: Item) -> Filter | None:
        """A relation or comparison with the marks that follow it."""
        self.i += 1
        if item.name in ("nearest to", "farthest from"):  # "the nearest red mark to [3]"
            start = self.i
            self.skip(("noun",))
            if self.kind() not in ("to", "preposition"):
                self.i = start
        self.skip(("word", "to", "preposition", "that", "quantifier", "than"))
        if self.kind() in ("scene", ""):
            place = _PLACE_OF.get(item.name)
            if self.kind() == "scene":
                self.i += 1
                if item.name in ("hiding", "hidden by"):  # "covers most of the picture"
                    return self.without_object(item)
                return place
            return self.without_object(item)
        here = self.items[self.i]
        if isinstance(here.filter, Place) and item.kind == "relation":
            nouns = [x.kind for x in self.items[self.i + 1 : self.i + 3]]
            if "noun" not in nouns:  # "near the top", "left of the centre"
                self.i += 1
                return _PLACE_OF.get(item.name) or here.filter
        before = len(self.state.unknown)
        to = self.noun_phrase(subject=False)
        self.state.unknown[before:] = [replace(word, noun=False) for word in self.state.unknown[before:]]
        if to is None:
            if len(self.state.unknown) > before or self.state.dropped:
                self.state.dropped = True
                return None
            here = self.items[self.i - 1]
            if here.kind not in ("noun", "quantifier"):
                return self.without_object(item)
            to = Selector(None, plural=True)
        if item.kind == "more" and isinstance(item.filter, Compare):
            return replace(item.filter, to=to)
        return Related(item.name, to)

    def without_object(self, item: Item) -> Filter | None:
        """A relation whose other side is not said: "which marks touch"; most of them need one."""
        if item.name in _MUTUAL and not self.state.unknown:
            return Related(item.name, Selector(None, plural=True))
        self.state.unknown.append(Unknown(item.text, reason="say to which mark"))
        self.state.dropped = True
        return None

    def noun_phrase(self, *, subject: bool) -> Selector | None:
        """Marks that are named or described, as far as the noun; None where nothing says which.

        A subject of adjectives only is the first of them: "is the largest red?".
        """
        start = self.i
        first_end = start
        parts: list[Filter] = []
        plural = False
        while self.kind():
            item = self.items[self.i]
            if item.kind == "ref":
                return self.named(parts)
            if item.kind in ("filter", "best") and item.filter is not None:
                if parts and not subject and self.items[self.i - 1].kind not in ("filter", "best"):
                    break
                parts.append(item.filter)
                first_end = self.i + 1 if len(parts) == 1 else first_end
                self.i += 1
            elif item.kind == "noun":
                plural = item.name in ("plural", "every")
                self.i += 1
                if self.kind() == "ref":  # "mark 3", "the object #3"
                    return self.named(parts)
                return self.after_noun(parts, plural, subject)
            elif item.kind == "unknown":
                before = len(self.state.unknown)
                self.unknown_run(subject)
                known = join(AllOf, parts)
                plural = (
                    self.state.unknown[before].text.endswith("s")
                    if len(self.state.unknown) > before
                    else False
                )
                return None if known is None else Selector(known, plural)
            elif item.kind in ("and", "or") and parts and self.adjective_follows():
                self.i += 1
                nxt = self.items[self.i]
                kind = AnyOf if item.kind == "or" or isinstance(nxt.filter, HasColor) else AllOf
                if nxt.filter is not None:
                    joined = join(kind, [parts.pop(), nxt.filter])
                    parts += [joined] if joined is not None else []
                self.i += 1
            elif item.kind in ("word", "quantifier", "number", "to", "scene", "pronoun", "comma"):
                self.i += 1
            else:
                break
        if subject and len(parts) > 1:
            self.i = first_end
            del parts[1:]
        elif subject and len(parts) == 1 and not isinstance(parts[0], Best | HasColor | Size):
            self.i = start  # "does … move": a claim without a subject
            return None
        known = join(AllOf, parts)
        return None if known is None else Selector(known, plural)

    def adjective_follows(self) -> bool:
        """Whether "and" or "or" joins another adjective of the same noun."""
        nxt = self.items[self.i + 1] if self.i + 1 < len(self.items) else None
        heads = [x.kind for x in self.items[self.i + 2 : self.i + 4]]
        return nxt is not None and nxt.kind == "filter" and bool({"noun", "unknown", "filter"} & set(heads))

    def named(self, parts: list[Filter]) -> Selector | None:
        """Marks by name: "[1]", "1 and 2", "1, 2 or 3"."""
        marks: list[int] = []
        missing = False
        while self.kind() == "ref":
            item = self.items[self.i]
            marks += item.numbers
            missing |= not item.numbers
            self.i += 1
            start = self.i
            self.skip(("and", "or", "comma", "word", "noun"))
            if self.kind() != "ref" or not any(
                x.kind in ("and", "or", "comma") for x in self.items[start : self.i]
            ):
                self.i = start
                break
        if missing and not marks:
            self.state.dropped = True
            return None
        joined = join(AllOf, [Is(tuple(dict.fromkeys(marks))), *parts])
        return Selector(joined, plural=len(set(marks)) > 1)

    def after_noun(self, parts: list[Filter], plural: bool, subject: bool) -> Selector | None:
        """What follows the noun and still belongs to it: "the mark that is red", "the mark on the left"."""
        start = self.i
        self.skip(("word", "preposition"))
        if self.kind() == "that":
            self.i += 1
            more = self.single()
            parts += [more] if more is not None else []
        elif not subject and self.kind() == "filter" and isinstance(self.items[self.i].filter, Place):
            place = self.items[self.i].filter
            parts += [place] if place is not None else []
            self.i += 1
        elif subject and not parts and self.kind() in ("relation", "more") and self.more_claims():
            more = self.single()
            parts += [more] if more is not None else []
        else:
            self.i = start
        return Selector(join(AllOf, parts), plural)

    def more_claims(self) -> bool:
        """Whether another claim follows a relation: "is the mark left of [2] red?"."""
        rest = self.items[self.i + 1 :]
        head = next((j for j, x in enumerate(rest) if x.kind in ("ref", "noun", "unknown")), len(rest))
        return any(x.kind in ("filter", "best", "relation", "more") for x in rest[head + 1 :])
