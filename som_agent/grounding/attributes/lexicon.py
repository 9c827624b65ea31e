"""The words and phrases that the embedded answerer knows, and what each stands for.

The lexicon maps phrases of one to six words, in lower case, to items. Forms of verbs and spellings are
written out (or made here from short lists) instead of being stemmed, so that a word is either known or not:
"read" must never pass for "red".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Literal, TypeAlias

from som_agent.grounding.attributes.query import (
    Absent,
    AllOf,
    AnyOf,
    Best,
    Compare,
    Event,
    EventKind,
    Filter,
    HasColor,
    Moves,
    Not,
    Place,
    Selector,
    Size,
    Visible,
)

__all__ = ["Item", "Kind", "lexicon"]

Kind: TypeAlias = Literal[
    "ask",  # name: an `Ask`
    "order",  # name: sort key; numbers: sign
    "filter",  # filter
    "best",  # filter: a `Best`
    "more",  # filter: a `Compare` whose other side follows after "than"
    "relation",  # name
    "side",  # "from the left" after an ordinal; filter: a `Best`
    "ref",  # numbers: marks
    "number",
    "ordinal",  # numbers: 0 for first, -1 for last
    "noun",  # name: "plural", "any" or "every" for words such as "anything", or ""
    "scene",  # the picture or the video itself
    "pronoun",
    "quantifier",  # name: "any" or "every"
    "always",
    "and",
    "or",
    "not",
    "comma",
    "that",
    "clause",  # name: "while", "before", "after"
    "preposition",  # one that says something when a mark follows
    "to",
    "than",
    "still",
    "word",  # a function word
    "unknown",
]


@dataclass(frozen=True)
class Item:
    """A phrase of the question with what it stands for."""

    kind: Kind
    text: str
    name: str = ""
    filter: Filter | None = None
    numbers: tuple[int, ...] = ()


# Basic colour term → the words that are read as it.
_COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "black": ("black",),
    "white": ("white", "cream"),
    "grey": ("grey", "gray", "silver"),
    "red": ("red", "crimson", "scarlet", "maroon"),
    "orange": ("orange",),
    "yellow": ("yellow", "gold", "golden"),
    "green": ("green", "lime"),
    "blue": ("blue", "navy", "azure"),
    "purple": ("purple", "violet", "lilac", "magenta"),
    "pink": ("pink", "rose"),
    "brown": ("brown", "tan", "beige"),
}

# Word for a colour → its comparative and superlative.
_DEGREES = {
    "red": ("redder", "reddest"),
    "blue": ("bluer", "bluest"),
    "green": ("greener", "greenest"),
    "yellow": ("yellower", "yellowest"),
    "white": ("whiter", "whitest"),
    "black": ("blacker", "blackest"),
    "grey": ("greyer", "greyest"),
    "gray": ("grayer", "grayest"),
    "pink": ("pinker", "pinkest"),
    "brown": ("browner", "brownest"),
    "purple": ("purpler", "purplest"),
}

_BETWEEN_COLORS = {
    "teal": ("green", "blue"),
    "turquoise": ("green", "blue"),
    "cyan": ("green", "blue"),
    "mustard": ("yellow", "orange"),
}
_NEUTRAL = ("black", "white", "grey")

_SIZES: dict[Literal["big", "small"], str] = {"big": "big|large|huge", "small": "small|little|tiny"}
_PLACES = {
    "left": "left|lefthand",
    "right": "right|righthand",
    "top": "top|upper|upmost",
    "bottom": "bottom|lower",
    "centre": "centre|center|middle|central",
    "corner": "corner|corners",
    "edge": "edge|border|edges|borders",
}
_PLACE_HALVES = ("left", "right", "top", "bottom")

# key, sign: the words of the superlative
_SUPERLATIVES: dict[tuple[str, int], str] = {
    ("area", 1): "largest|biggest|most large|greatest",
    ("area", -1): "smallest|tiniest",
    ("height", 1): "tallest",
    ("width", 1): "widest|broadest",
    ("width", -1): "narrowest",
    (
        "x",
        -1,
    ): "leftmost|further left|farther left|further to the left|farther to the left|more to the left|"
    "left most|most left|furthest left|farthest left|furthest to the left|farthest to the left|"
    "closest to the left|nearest to the left|most to the left",
    ("x", 1): "rightmost|further right|farther right|further to the right|farther to the right|more to "
    "the right|right most|most right|furthest right|farthest right|furthest to the right|"
    "farthest to the right|closest to the right|nearest to the right|most to the right",
    ("y", -1): "topmost|top most|uppermost|highest|closest to the top|nearest to the top",
    ("y", 1): "bottommost|bottom most|lowest|lowermost|closest to the bottom|nearest to the bottom",
    ("centre", -1): "closest to the centre|nearest to the centre|nearest the centre|most central|"
    "closest to the middle|nearest to the middle",
    ("speed", 1): "fastest|quickest|most quickly",
    ("speed", -1): "slowest|most slowly",
    ("path", 1): "moves most|moves the most|moved most|moved the most|move the most|move most|moves "
    "farthest|"
    "moves furthest|travels farthest|travels furthest|most active",
    ("path", -1): "moves least|moves the least|moved the least|moved least|move the least|least active",
    ("seen", 1): "newest|latest",
    ("seen", -1): "oldest|earliest",
    ("duration", 1): "longest|visible longest|visible for longest|visible for the longest|"
    "visible the longest|seen longest",
}
_COMPARATIVES: dict[tuple[str, int], str] = {
    ("area", 1): "bigger|larger|greater",
    ("area", -1): "smaller",
    ("height", 1): "taller",
    ("width", 1): "wider|broader",
    ("width", -1): "narrower",
    ("speed", 1): "faster|quicker|more quickly",
    ("speed", -1): "slower|more slowly",
}

_RELATIONS = {
    "left of": "left of|further left than|farther left than|further to the left than|to the left of|on "
    "the left of|at the left of|left from|to left of|on the left "
    "side of|"
    "on the left hand side of",
    "right of": "right of|further right than|farther right than|further to the right than|to the right "
    "of|on the right of|at the right of|to right of|on the right side of|"
    "on the right hand side of",
    "above": "above|over|higher than|higher up than",
    "below": "below|lower than",
    "under": "under|underneath|beneath",
    "hiding": "hide|hides|hiding|hid|cover|covers|covering|occlude|occludes|occluding|conceal|conceals|"
    "concealing|obscure|obscures|obscuring|in front of",
    "hidden by": "behind",
    "touching": "touch|touches|touching|touched|in contact with|in touch with|contacting",
    "near": "near|next to|beside|close to|adjacent to|alongside",
    "nearest to": "nearest to|closest to|nearest|closest|next nearest",
    "farthest from": "farthest from|furthest from|farthest away from|furthest away from|most distant from",
    "inside": "enclosed by|surrounded by",
    "in": "inside|inside of|within|contained in",
    "around": "surround|surrounds|surrounding|surrounded|enclose|encloses|around",
    "containing": "contain|contains|containing|contained",
    "overlapping": "overlap|overlaps|overlapping|overlapped|overlapping with|overlaps with|overlap with",
    "between": "between|in between",
    "colored like": "same colour as|the same colour as|same color as|the same color as|coloured like|"
    "colored like|same colour|same color|the same colour|the same color",
}

_HIDDEN = "hidden|hiding|hides|hide|occluded|covered|concealed|obscured"
_BY = "by|under|underneath|beneath|below|behind|in|inside|within"

_EVENTS: dict[EventKind, str] = {
    "appear": "appear|appears|appeared|appearing|show up|shows up|showed up|come into view|comes into view|"
    "came into view|first appear|first appears|first appeared|first visible|first seen|first show up|"
    "first shows up|become visible|becomes visible|first sight",
    "enter": "enter|enters|entered|entering|arrive|arrives|arrived|arriving|come in|comes in|came in",
    "leave": "leave|leaves|leaving|has left|have left|had left|exit|exits|exited|exiting|disappear|"
    "disappears|"
    "disappeared|disappearing|vanish|vanishes|vanished|vanishing|go away|goes away|went away|go out of "
    "view|"
    "goes out of view|went out of view|go out of sight|goes out of sight|go missing|goes missing",
    "last": "last seen|last visible|last appear|last appears|last appeared|last in view",
    "return": "return|returns|returned|returning|come back|comes back|came back|coming back|reappear|"
    "reappears|"
    "reappeared|reappearing|appear again|appears again|appeared again",
}
_LEAVE = "left|leave|leaves|leaving"
_ENTER = "enter|enters|entered|entering"
_VIEWS = "scene|picture|frame|view|image|video|screen|shot"
_VISIBLE = "visible|seen|in view|in sight|on screen|on the screen|present"
_ABSENT = "hidden|occluded|invisible|gone|missing|out of view|out of sight|absent"

_MOVE = "move|moves|moving|moved"
_GO = f"{_MOVE}|go|goes|going|went|travel|travels|travelling|traveling|travelled|traveled|heading|heads"
_DIRECTIONS = {
    "left": "left|to the left|leftward|leftwards|towards the left|toward the left|from right to left",
    "right": "right|to the right|rightward|rightwards|towards the right|toward the right|from left to right",
    "up": "up|upward|upwards|to the top|towards the top",
    "down": "down|downward|downwards|to the bottom|towards the bottom",
    "fast": "fast|quickly|rapidly",
    "slow": "slow|slowly",
}
_STILL = (
    "stationary|static|motionless|unmoving|immobile|at rest|standing still|stand still|stands still|stood "
    "still|"
    "stay still|stays still|stayed still|remain still|remains still|keep still|keeps still|stay in place|"
    "stays in place|not in motion"
)

_ASKS = {
    "which": "which|what|show|show me|list|find|name|point to|point at|point out|select|mark all|give me|"
    "identify|"
    "highlight|get|which one|which ones|what number|which number|what is the number of|number is|locate "
    "all",
    "count": "how many|number of|the number of|count|how many of|what is the number of marks|what is the "
    "total number of",
    "times": "how many times|how often",
    "speed": "how fast|how quickly|what speed|what is the speed of|speed of|at what speed|how slow|how "
    "slowly",
    "size": "how big|how large|how small|what size|size of|what is the size of|area of|how tall|how wide|"
    "how much area",
    "duration": "how long|for how long|how much time|how many seconds|what duration",
    "distance": "how far|how close|what distance|distance between|distance from|what is the distance",
    "direction": "which way|what way|which direction|what direction|in which direction|in what direction|"
    "the direction of|direction of|what is the direction of",
    "color": "what colour|what color|which colour|which color|colour of|color of|what is the colour of|"
    "what is the color of|what colours|what colors|which colours|which colors|colours of|colors of",
    "where": "where|position of|location of|what is the position of|what is the location of|whereabouts|"
    "which part of|what part of|locate",
    "when": "when|at what time|what time|at which time|which time|which second|at which second|what second|"
    "at what point|at which point|time of|time when",
    "order": "what order|in what order|in which order|which order|what is the order|the order of|order of|"
    "order|sort|rank|arrange|sequence of",
    "exists": "is there|are there|was there|were there|is there any|are there any|do you see|can you see|"
    "is there a|is there an",
    "describe": "describe|tell me about|what about|what happens to|what happened to|summarise|summarize|"
    "what is doing|doing|what do you know about",
}
_ORDERS: dict[tuple[str, int], str] = {
    ("x", 1): "from left to right|left to right",
    ("x", -1): "from right to left|right to left",
    ("y", 1): "from top to bottom|top to bottom|from the top to the bottom",
    ("y", -1): "from bottom to top|bottom to top|from the bottom to the top",
    ("area", -1): "from largest to smallest|largest to smallest|from biggest to smallest|biggest to "
    "smallest|"
    "by size|by area|in order of size|order of size|largest first|biggest first|from big to small|from "
    "large to small",
    ("area", 1): "from smallest to largest|smallest to largest|from smallest to biggest|smallest to "
    "biggest|"
    "smallest first|from small to large|from small to big",
    ("seen", 1): "by appearance|order of appearance|in order of appearance|by time of appearance|"
    "in the order they appear|in order they appear|by first appearance|oldest first",
    ("speed", -1): "by speed|in order of speed|from fastest to slowest|fastest to slowest|fastest first",
    ("speed", 1): "from slowest to fastest|slowest to fastest|slowest first",
    ("duration", -1): "by duration|by time visible",
}

_NOUNS = {
    "": "thing object mark one item region segment shape track element piece label masklet",
    "plural": "things objects marks ones items regions segments shapes tracks elements pieces labels "
    "numbers masklets",
    "any": "anything something",
    "every": "everything",
}
_SCENE = (
    "picture image photo frame video clip scene screen view shot footage recording film movie frames "
    "pictures images "
    "world"
)
_PRONOUNS = "it its they them their he she him his her"
_WORDS = (
    "a an the is are was were be been being am do does did has have had can could will would shall should "
    "may might "
    "there here please me you your we i my us tell see look looking know let of at as so also too "
    "very just "
    "only really exactly actually about again ever this these those such number numbers side half part "
    "hand area "
    "up down time times sometimes point most more colour color coloured colored colours colors size sized "
    "position "
    "positioned located location direction whole entire full total altogether overall become became "
    "becoming get "
    "gets got stay stays stayed remain remains remained keep keeps kept start starts started begin begins "
    "began "
    "come comes came make makes made question answer true in hello hi thanks thank together mutually how "
    "if whether "
    "respectively now motion movement speed same"
)
_ALWAYS = (
    "always|throughout|the whole time|all the time|the entire time|constantly|continuously|at all times|"
    "permanently|from start to end|from start to finish|from beginning to end|for the whole time|whole time|"
    "the whole clip|every frame|in every frame|all frames|in all frames|"
    "throughout the video|the whole video|during the whole video|the entire video"
)
_PREPOSITIONS = (
    "on with against through across into onto towards toward off from by for like along beyond past "
    "opposite among amongst via per"
)


@cache
def lexicon() -> dict[tuple[str, ...], Item]:
    """Phrase, as its lower-case words, → item; the text of an item is filled in when it is met."""
    entries: dict[tuple[str, ...], Item] = {}
    add = partial(_add, entries)

    def add_words(words: str, kind: Kind, name: str = "") -> None:
        add("|".join(words.split()), kind, name)

    add_words(_WORDS, "word")
    add_words(_PREPOSITIONS, "preposition")
    add("on top of|attached to|out of", "preposition")
    add_words("to", "to")
    add_words("than", "than")
    add_words(_SCENE, "scene")
    add_words(_PRONOUNS, "pronoun")
    for name, words in _NOUNS.items():
        add_words(words, "noun", name)
    add("each other|one another|another mark|any other mark|another one", "noun", "plural")
    add_words("that who", "that")
    add_words("and but then & plus", "and")
    add("and then", "and")
    add_words("or nor", "or")
    add_words("never", "not", "never")
    add_words("not neither no without except excluding none", "not")
    add("other than|apart from|nothing", "not")
    add_words(", ;", "comma")
    add_words("any some", "quantifier", "any")
    add_words("all every each both", "quantifier", "every")
    add("all of|each of|both of|every one of", "quantifier", "every")
    add(_ALWAYS, "always")
    add("while|during|as long as|whenever", "clause", "while")
    add("before|until|till", "clause", "before")
    add("after|since", "clause", "after")
    add("still", "still")
    ordinals = ("first|1st", "second|2nd", "third|3rd", "fourth|4th", "fifth|5th", "sixth|6th")
    for rank, phrases in enumerate(ordinals):
        add(phrases, "ordinal", number=rank)
    add("last|final", "ordinal", number=-1)

    for ask, phrases in _ASKS.items():
        add(phrases, "ask", ask)
    add(
        "can you tell|do you know|can you tell me|could you tell me|tell me|do you think|can you|end up|"
        "ends up|ended up",
        "word",
    )
    for (key, sign), phrases in _ORDERS.items():
        add(phrases, "order", key, number=sign)

    _add_attributes(entries)
    _add_actions(entries)
    return entries


def _add(
    entries: dict[tuple[str, ...], Item],
    phrases: str,
    kind: Kind,
    name: str = "",
    filter_: Filter | None = None,
    *,
    number: int | None = None,
) -> None:
    """Enter phrases, with bars between them."""
    for phrase in phrases.split("|"):
        entries[tuple(phrase.split())] = Item(kind, "", name, filter_, () if number is None else (number,))


def _add_attributes(entries: dict[tuple[str, ...], Item]) -> None:
    """Colours, sizes, places, superlatives, comparatives and relations."""
    add = partial(_add, entries)
    for term, words in _COLOR_WORDS.items():
        add("|".join(words), "filter", filter_=HasColor(term))
        for word in words:
            more, most = _DEGREES.get(word, (f"more {word}", f"most {word}"))
            add(f"most {word}|{most}|more {word}|{more}", "best", filter_=Best(term, 1))
            add(f"more {word} than|{more} than", "more", filter_=Compare(term, 1, Selector()))
            add(f"less {word} than", "more", filter_=Compare(term, -1, Selector()))
            add(f"least {word}", "filter", filter_=AllOf((HasColor(term), Best(term, -1))))
    for word, terms in _BETWEEN_COLORS.items():
        add(word, "filter", filter_=AnyOf(tuple(HasColor(term) for term in terms)))
    chromatic = AnyOf(tuple(HasColor(term) for term in _COLOR_WORDS if term not in _NEUTRAL))
    add("colourful|colorful", "filter", filter_=chromatic)
    add("without colour|without color|colourless|colorless", "filter", filter_=Not(chromatic))
    for size, text in _SIZES.items():
        add(text, "filter", filter_=Size(size))
    for place, text in _PLACES.items():
        add(text, "filter", filter_=Place((place,)))
    for side in _PLACE_HALVES:
        add(f"{side} half", "filter", filter_=Place((f"{side} half",)))
    for (key, sign), text in _SUPERLATIVES.items():
        add(text, "best", filter_=Best(key, sign))
        add(text.replace("centre", "center"), "best", filter_=Best(key, sign))
    for (key, sign), text in _COMPARATIVES.items():
        add(text, "best", filter_=Best(key, sign))
        for phrase in text.split("|"):
            add(f"{phrase} than", "more", filter_=Compare(key, sign, Selector()))
    for side, key, sign in (("left", "x", -1), ("right", "x", 1), ("top", "y", -1), ("bottom", "y", 1)):
        add(f"from {side}|from the {side}", "side", filter_=Best(key, sign))
    for name, text in _RELATIONS.items():
        add(text, "relation", name)
    for hidden, by in product(_HIDDEN.split("|"), _BY.split("|")):
        add(f"{hidden} {by}", "relation", "hidden by")


def _add_actions(entries: dict[tuple[str, ...], Item]) -> None:
    """Motion, events, and being seen or not."""
    add = partial(_add, entries)
    add(
        f"{_MOVE}|in motion|travel|travels|travelled|traveled|travelling|traveling", "filter", filter_=Moves()
    )
    for how, text in _DIRECTIONS.items():
        for verb, phrase in product(_GO.split("|"), text.split("|")):
            add(f"{verb} {phrase}", "filter", filter_=Moves(how))
        if how in ("fast", "slow"):
            for adverb, verb in product(text.split("|"), _MOVE.split("|")):
                add(f"{adverb} {verb}", "filter", filter_=Moves(how))
    add("fast|quick", "filter", filter_=Moves("fast"))
    add("slow", "filter", filter_=Moves("slow"))
    add(_STILL, "filter", filter_=Not(Moves()))
    for kind, text in _EVENTS.items():
        add(text, "filter", filter_=Event(kind))
    for verb, place in product(_LEAVE.split("|"), _VIEWS.split("|")):
        add(f"{verb} the {place}", "filter", filter_=Event("leave"))
    for verb, place in product(_ENTER.split("|"), _VIEWS.split("|")):
        add(f"{verb} the {place}", "filter", filter_=Event("enter"))
    add(_VISIBLE, "filter", filter_=Visible())
    add(_ABSENT, "filter", filter_=Absent())
