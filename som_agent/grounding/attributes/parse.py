"""Question → query tree.

Questions are free text, so nothing here fails: what fits no rule becomes an `Unknown`. "Not" binds tightest,
then "and", then "or"; what merely stands side by side ("red or blue marks that move") is joined last, and
all of it must hold. Two colours joined by "and" mean either of them when the question is about several
marks ("the red and blue marks") and both when it is about one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from som_agent.grounding.attributes.lexicon import Item
from som_agent.grounding.attributes.phrases import Parser, State, join, parts_of
from som_agent.grounding.attributes.query import (
    CLAIMING,
    HIDING,
    Absent,
    AllOf,
    Always,
    AnyOf,
    Ask,
    Best,
    Clause,
    Event,
    Filter,
    Is,
    Moves,
    Not,
    Query,
    Related,
    Selector,
    Side,
    Unknown,
    Visible,
)
from som_agent.grounding.attributes.sides import SideText, split_sides
from som_agent.grounding.attributes.tokens import tokenize
from som_agent.grounding.attributes.turned import turned
from som_agent.history import MarkInfo

__all__ = ["parse"]

_AUX = ("is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "can", "will", "am")
_EVENT_KEYS = {"appear": "seen", "enter": "seen", "leave": "last", "return": "return", "last": "last"}
_ANSWERS = ("color", "where", "speed", "size", "describe", "distance", "order", "travel", "direction")
_FILTERING = ("which", "count", "exists")
_GO = ("go", "goes", "going", "went", "gone", "head", "heads", "heading", "headed")


def parse(question: str, marks: dict[int, MarkInfo]) -> Query:
    """Read a question.

    Args:
        question: any text.
        marks: the mark table, for the marks that the question names.

    Returns:
        What is asked; its `unknown` holds every word that could not be used.
    """
    question, parts = split_sides(question)
    tokens = tokenize(question, marks)
    items, clauses = _split_clauses(turned(tokens.items))
    plural = _is_plural(items)
    ask, items, extra = _take_ask(items)
    state = State(plural=plural, unknown=extra)
    read_clauses = [_read_clause(name, text, part) for name, text, part in clauses]
    query = _read(ask, items, state)
    query = replace(query, vague=query.vague or state.contrary)
    unknown = [*state.unknown]
    for clause, clause_state in read_clauses:
        unknown += clause_state.unknown
        vague = query.vague or clause_state.dropped or clause is None
        query = replace(query, clauses=(*query.clauses, clause) if clause else query.clauses, vague=vague)
    windows = tuple(tokens.windows)
    any_time = bool(tokens.items) and tokens.items[-1].kind == "or"
    query = replace(query, windows=windows, any_time=any_time)
    query = replace(query, unknown=tuple(unknown), missing=tuple(tokens.missing))
    for part in parts:
        query = _with_side(query, part, marks)
    return query


def _with_side(query: Query, part: SideText, marks: dict[int, MarkInfo]) -> Query:
    """The query with a claim about another time; without an answer where the claim is not understood."""
    side = parse(f"Which marks are {part.claim}", marks)
    unclear = side.ask != "which" or side.vague or bool(side.unknown or side.missing)
    unclear |= part.goes_on and not side.sides
    if unclear or query.ask not in _FILTERING:
        reason = "one claim and one time at a time: ask this one by itself"
        return replace(query, vague=True, unknown=(*query.unknown, Unknown(part.text, reason=reason)))
    sides = (Side(replace(side, sides=()), part.negated, part.text), *side.sides)
    return replace(query, sides=(*query.sides, *sides))


def _split_clauses(items: list[Item]) -> tuple[list[Item], list[tuple[str, str, list[Item]]]]:
    """Cut "while [3] is moving" off the end, or off the front as far as a comma."""
    main: list[Item] = []
    clauses: list[tuple[str, str, list[Item]]] = []
    i = 0
    while i < len(items):
        item = items[i]
        joins = item.kind == "clause" or (
            item.kind == "ask" and item.name == "when" and bool(main) and _has_ask(main)
        )
        if not joins:
            main.append(item)
            i += 1
            continue
        end = i + 1
        while (
            end < len(items)
            and items[end].kind not in ("clause",)
            and not _ends_clause(items, end, bool(main))
        ):
            end += 1
        part = items[i + 1 : end]
        if any(x.kind not in ("scene", "word") for x in part):
            name = item.name if item.kind == "clause" else "while"
            clauses.append((name, " ".join(x.text for x in items[i:end]), part))
        i = end
    return main, clauses


def _has_ask(items: list[Item]) -> bool:
    return any(x.kind == "ask" for x in items) or items[0].text.lower() in _AUX


def _ends_clause(items: list[Item], i: int, has_main: bool) -> bool:
    """A clause at the front ends at the comma, or at the word that asks."""
    if has_main:
        return False
    return items[i].kind == "ask" or (items[i].kind == "comma" and any(x.kind == "ask" for x in items[i:]))


def _read_clause(name: str, text: str, items: list[Item]) -> tuple[Clause | None, State]:
    state = State(plural=_is_plural(items))
    subject, claim = _subject_and_claim(_clean(items, state), state)
    if claim is None or (subject is None and state.unknown):
        state.dropped = True
        return None, state
    kind: Literal["while", "before", "after"] = (
        "while" if name == "while" else "before" if name == "before" else "after"
    )
    return Clause(kind, subject or Selector(), claim, text), state


def _take_ask(items: list[Item]) -> tuple[Ask, list[Item], list[Unknown]]:
    """What is asked, the items without the words that ask, and questions beyond the first."""
    unknown: list[Unknown] = []
    first = next(
        (i for i, x in enumerate(items) if x.kind not in ("word", "comma") or x.text.lower() in _AUX), None
    )
    if first is not None and items[first].text.lower() == "who":
        unknown.append(Unknown(items[first].text, noun=False))
    sort = next((x for x in items if x.kind == "order"), None)
    asks = [x for x in items if x.kind == "ask"]
    plain = [x for x in asks if x.name not in ("which", "describe")]
    ask: Ask
    if sort is not None:
        ask = "order"
    elif plain:
        ask = cast(Ask, plain[0].name)
    elif first is not None and items[first].text.lower() in _AUX and items[first].kind == "word":
        ask = "verify"
        asks = [x for x in asks if x.name != "which"]  # "is the mark which moves red?"
    elif any(x.name == "describe" for x in asks):
        ask = "describe"
    else:
        ask = "which"
    rest = []
    for item in items:
        if item.kind == "ask":
            if item.name not in ("which", "describe", "exists", ask) and ask != "order":
                unknown.append(Unknown(item.text, reason="one question at a time: ask this one by itself"))
            continue
        rest.append(item)
    return ask, rest, unknown


def _is_plural(items: list[Item]) -> bool:
    """Whether several marks may be meant: "which mark" asks for one, "what is red" for all there are."""
    words = {x.text.lower() for x in items}
    if any(x.kind == "noun" for x in items):
        return any(x.kind == "noun" and x.name == "plural" for x in items)
    if words & {"are", "were", "all", "every", "both"}:
        return True
    return not any(x.kind in ("best", "unknown", "relation") for x in items) and "which" not in words


def _read(ask: Ask, items: list[Item], state: State) -> Query:
    """The query without its times."""
    always = any(x.kind == "always" for x in items)
    every = any(x.kind == "quantifier" and x.name == "every" for x in items) or any(
        x.kind == "noun" and x.name == "every" for x in items
    )
    some = any(x.kind == "quantifier" and x.name == "any" for x in items) or any(
        x.kind == "noun" and x.name == "any" for x in items
    )
    quantity = next((x.numbers[0] for x in items if x.kind == "number"), -1)
    order = next((x for x in items if x.kind == "order"), None)
    either = any(x.kind == "or" for x in items)
    dropped = ("order",) if ask in _FILTERING else ("always", "order")
    items = _clean([x for x in items if x.kind not in dropped], state)

    if ask == "distance" and not any(x.kind in ("relation", "preposition", "to") for x in items):
        moves = any(isinstance(x.filter, Moves) or x.text.lower() in _GO for x in items)
        ask = "travel" if moves else ask
    if ask in ("where", "travel", "direction"):
        items = [x for x in items if x.text.lower() not in _GO]
    first = next((x for x in items if x.kind != "word"), None)
    if ask not in ("which", "exists", "count") and first is not None and first.kind == "pronoun":
        state.unknown.append(Unknown(first.text, reason="say which mark is meant, by its number"))
        return Query(ask, vague=True)

    if ask in CLAIMING:
        subject, claim = _subject_and_claim(items, state)
        lost = bool(state.unknown) and (subject is None or claim is None)
        if ask == "times" and claim == Event("appear"):
            claim = Event("sight")
        if ask == "when" and isinstance(claim, Event) and claim.kind == "enter":
            claim = Event("appear")
        subject = subject or Selector(None, plural=True)
        if ask == "verify" and (some or (subject.filter is None and not every)):
            ask = "exists" if not every else "verify"
        query = Query(ask, subject, claim, always=always, every=every, vague=lost or state.dropped)
        query = replace(query, either=either and isinstance(claim, AnyOf))
        if ask == "exists":
            return _as_exists(query, quantity)
        return query

    if ask == "distance":
        return _read_distance(items, state)
    found = _expression(items, state)
    if ask == "which" and found is None and not any(x.kind in ("noun", "quantifier", "scene") for x in items):
        return Query(ask, vague=True)
    vague = found is None and bool(state.unknown or state.dropped)
    if ask == "where" and Absent() in parts_of(found):  # "where is [4] hidden?"
        rest = join(AllOf, [part for part in parts_of(found) if part != Absent()])
        return Query("when", Selector(rest, state.plural), Absent(), vague=vague)
    if ask in _ANSWERS:
        found = _without_idle_claim(found, ask)
    if ask in ("which", "describe") and isinstance(found, Is) and not state.dropped:
        ask = "describe"
        vague = any(not (word.noun or word.reason) for word in state.unknown)  # "what is [3] used for"
    query = Query(ask, Selector(found, state.plural), always=always, every=every, vague=vague)
    if ask in ("exists", "count"):
        return replace(query, quantity=quantity)
    if ask == "order":
        key, sign = (order.name, order.numbers[0]) if order else ("", 1)
        if not key:
            events = [leaf for leaf in parts_of(found) if isinstance(leaf, Event)]
            key = _EVENT_KEYS[events[0].kind] if events else "x"
        rest = join(AllOf, [part for part in parts_of(found) if not isinstance(part, Event | Visible)])
        return replace(query, key=key, sign=sign, subject=Selector(rest, plural=True))
    return query


def _read_distance(items: list[Item], state: State) -> Query:
    """A distance: "how far is [1] from the red mark" is two phrases, "between 1 and 2" is one."""
    plain = ("preposition", "relation", "and", "to")
    parser = Parser([replace(x, kind="word") if x.kind in plain else x for x in items], state)
    first = parser.noun_phrase(subject=False)
    other = parser.noun_phrase(subject=False)
    if other is None and first is not None and isinstance(first.filter, Is) and len(first.filter.marks) == 2:
        a, b = first.filter.marks
        first, other = Selector(Is((a,))), Selector(Is((b,)))
    if first is None or other is None:
        if not state.unknown:
            state.unknown.append(Unknown("distance", reason="say between which two marks"))
        return Query("distance", vague=True)
    return Query("distance", first, other=other)


def _as_exists(query: Query, quantity: int) -> Query:
    claim = Always(query.claim) if query.always and query.claim is not None else query.claim
    parts = [part for part in (query.subject.filter, claim) if part is not None]
    return replace(query, subject=Selector(join(AllOf, parts), plural=True), claim=None, quantity=quantity)


def _without_idle_claim(found: Filter | None, ask: Ask) -> Filter | None:
    """Without a claim that is part of the asking: "how fast is [2] moving"."""
    moving = ("speed", "travel", "direction")
    idle: tuple[type, ...] = (Visible, Moves) if ask in moving else (Visible,)
    parts = parts_of(found)
    kept = [part for part in parts if not isinstance(part, idle)]
    return join(AllOf, kept) if kept else found if ask not in moving else None


def _clean(items: list[Item], state: State) -> list[Item]:
    """Settle the words that depend on their neighbours; note the unknown ones."""
    items = _commas(_ordinals(items, state))
    cleaned: list[Item] = []
    for i, item in enumerate(items):
        following = [x for x in items[i + 1 :] if x.kind not in ("word", "quantifier")]
        after = following[0] if following else None
        if item.kind == "still":
            if after is None or after.kind not in ("filter", "relation", "not"):
                cleaned.append(Item("filter", item.text, "", Not(Moves())))
        elif item.text.lower() in ("but", "then", "and then") and (after is None or after.kind != "not"):
            state.unknown.append(Unknown(item.text, reason="one claim at a time"))
            state.dropped = state.contrary = True
        elif item.text.lower() in ("in", "inside") and item.kind == "word":
            if after is not None and after.kind in ("ref", "unknown", "noun", "best"):
                cleaned.append(Item("relation", item.text, "in"))
        elif item.kind == "preposition":
            before = cleaned[-1] if cleaned else None
            if after is not None and after.kind in ("ref", "noun", "best"):
                cleaned.append(item)
            elif before is not None and before.kind == "unknown" and before.text.lower().endswith("ed"):
                cleaned[-1] = replace(before, text=f"{before.text} {item.text}")  # "used for"
        else:
            cleaned.append(item)
    return cleaned


def _ordinals(items: list[Item], state: State) -> list[Item]:
    """Ranks joined to their superlatives: "second largest", "third from the left", "first to appear"."""
    items = list(items)
    for i, item in enumerate(items):
        if item.kind not in ("ordinal", "number"):
            continue
        if item.kind == "number":
            best = _near(items, i, "best", 2)
            if best is not None:
                items[best] = replace(items[best], filter=_ranked(items[best].filter, 0, item.numbers[0]))
            continue
        rank = item.numbers[0]
        target = _near(items, i, "best", 2)
        if target is None:
            target = _near(items, i, "side", 6)
        if target is not None and rank >= 0:
            items[target] = replace(items[target], kind="best", filter=_ranked(items[target].filter, rank, 1))
            items[i] = Item("word", item.text)
            continue
        event = next((x.filter for x in items if isinstance(x.filter, Event)), None)
        if isinstance(event, Event):
            key = _EVENT_KEYS[event.kind]
            best_one = Best(key, 1 if rank < 0 else -1, max(rank, 0))
            items[i] = Item("best", item.text, "", best_one)
        else:
            items[i] = Item("word", item.text)
            reason = "say in what order: by appearance, from the left, by size"
            state.unknown.append(Unknown(item.text, reason=reason))
    return [replace(x, kind="word") if x.kind == "side" else x for x in items]


def _near(items: list[Item], i: int, kind: str, reach: int) -> int | None:
    return next((j for j in range(i + 1, min(i + 1 + reach, len(items))) if items[j].kind == kind), None)


def _ranked(best: Filter | None, rank: int, count: int) -> Filter | None:
    return replace(best, rank=rank, count=max(count, 1)) if isinstance(best, Best) else best


def _commas(items: list[Item]) -> list[Item]:
    """A comma of a list means what the list's last link means; any other means nothing."""
    out = list(items)
    for i, item in enumerate(items):
        if item.kind != "comma":
            continue
        around = [items[j] for j in (i - 1, i + 1) if 0 <= j < len(items)]
        link = "word"
        for later in items[i + 1 :]:
            if later.kind in ("and", "or"):
                link = later.kind
                break
            if later.kind not in ("filter", "ref", "comma", "best", "unknown"):
                break
        if len(around) < 2 or around[0].kind != around[1].kind:
            link = "word"
        elif link == "word" and around[0].kind == "ref":
            link = "and"
        out[i] = replace(item, kind="and" if link == "and" else "or" if link == "or" else "word")
    # "a, and b" has two links side by side
    return [x for i, x in enumerate(out) if not (x.kind in ("and", "or") and i and out[i - 1].kind == x.kind)]


def _subject_and_claim(items: list[Item], state: State) -> tuple[Selector | None, Filter | None]:
    """Of whom, and what: "the red mark" and "is moving"."""
    parser = Parser(items, state)
    subject = parser.noun_phrase(subject=True)
    claim = parser.whole()
    if claim is not None:
        claim = _mutual(claim, subject)
    return subject, claim


def _mutual(claim: Filter, subject: Selector | None) -> Filter:
    """A relation without an object is one among the subject: "do [1] and [2] touch"."""
    one_way = isinstance(claim, Related) and claim.kind in HIDING
    if isinstance(claim, Related) and not one_way and claim.to.filter is None and subject is not None:
        return replace(claim, to=replace(subject, mutual=True))
    if isinstance(claim, Not):
        return Not(_mutual(claim.of, subject))
    return claim


def _expression(items: list[Item], state: State) -> Filter | None:
    return Parser(items, state).whole()
