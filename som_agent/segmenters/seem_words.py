"""What SEEM reads: texts for the classes of COCO's panoptic task, and ids of words' pieces.

The words of the classes and of the templates are few, and CLIP's vocabulary cuts each word by itself, so
their ids are listed here: a SEEM that looks for its classes needs no tokenizer. Any other text needs the
vocabulary, see `tokenizer`.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from som_agent.errors import MissingExtraError, SegmenterError, first_line
from som_agent.pretrained import load_pretrained

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

__all__ = ["BACKGROUND", "CONTEXT", "END", "Tokenize", "class_texts", "listed_ids", "templates", "tokenizer"]

CONTEXT = 77
"""The longest text, counting both ends."""

START, END = 49406, 49407

BACKGROUND = "background"
"""The name of the class of nothing."""

Tokenize = Callable[[str], list[int]]
"""A text → its ids, from the start token to the end token."""

_MERGES = 49152 - 256 - 2  # of CLIP's vocabulary; the file of its authors lists more

_IDS = """
-:268 .:269 a:320 airplane:16451 and:537 apple:3055 art:794 background:5994 backpack:14894 bad:2103
ball:1069 banana:8922 banner:9185 baseball:3470 bat:6575 bear:4298 bed:2722 bench:8771 bicycle:11652
bird:3329 black:1449 blanket:12878 blind:8351 blurry:21977 boat:4440 book:1116 bottle:5392 bowl:3814
brick:9518 bridge:2465 bright:4852 broccoli:19094 building:2307 bus:2840 cabinet:9937 cake:2972 car:1615
cardboard:19845 carrot:15435 cartoon:7651 cat:2368 ceiling:12374 cell:5533 chair:4269 clean:3772 clock:6716
close:2660 cool:2077 corrupted:30429+775 couch:12724 counter:7352 cow:9706 cropped:31139 cup:1937
curtain:17223 dark:3144 dining:8658 dirt:11795 dirty:7615 dog:1929 donut:18471 doodle:9388 door:2489
drawing:3610 drier:39877 elephant:10299 embroidered:22381 fence:12679 fire:1769 floor:4125 flower:4055
food:1559 fork:13700 frisbee:45768 fruit:5190 game:1063 giraffe:22826 glass:3313 glove:16078 good:886
graffiti:11676 grass:5922 gravel:27054 hair:2225 handbag:22654 hard:1626 horse:4558 hot:2069 house:1212
hydrant:8031+773 in:530 itap:529+2728 jpeg:73+11207 keyboard:13017 kite:19867 knife:8960 laptop:10464
large:3638 light:1395 low:1042 many:1346 merged:46492 meter:10104 microwave:24240 mirror:7220
motorcycle:10297 mountain:3965 mouse:9301 my:607 net:2315 nice:1805 of:539 one:637 orange:4287 origami:31832
other:1010 oven:12579 painting:3086 paper:2802 parking:5984 pavement:27669 person:2533 phone:1951 photo:1125
pillow:12182 pixelated:14384+943 pizza:4474 plant:3912 plastic:6102 platform:5549 playingfield:47368+1570
plushie:2052+26638 potted:48581 racket:37691 railroad:17080 refrigerator:36662 remote:9687 rendering:21339
rendition:28891 resolution:9977 river:2473 road:1759 rock:2172 roof:6449 rug:19220 sand:5094 sandwich:8687
scissors:30867 sculpture:8757 sea:2102 see:862 sheep:9629 shelf:10955 sign:2292 sink:14551 skateboard:31777
sketch:5269 skis:32843 sky:2390 small:2442 snow:2583 snowboard:33403 spoon:14024 sports:2054 stairs:9577
stone:2441 stop:1691 stuff:3487 suitcase:27792 surfboard:10176+1972 table:2175 tattoo:6325 teddy:11798
tennis:5298 tent:10782 the:518 tie:3422 tile:8227 to:531 toaster:39061 toilet:11071 toothbrush:36841
towel:15953 toy:5988 traffic:3399 train:3231 tree:2677 truck:4629 tv:1583 umbrella:17143 up:705 vase:20431
video:1455 wall:2569 water:1573 weird:5613 white:1579 window:4879 wine:2604 wood:1704 zebra:22548
"""


@cache
def templates() -> tuple[str, ...]:
    """The 81 texts that a name is put into: the 80 that CLIP's authors published, and the name alone."""
    photos = (
        "bad,black and white,blurry,bright,close-up,cropped,dark,good,jpeg corrupted,low resolution,pixelated"
    )
    works = "doodle,drawing,painting,photo,rendering,rendition,sculpture,sketch,tattoo"
    pictures = [f"a {look} photo" for look in photos.split(",")]
    pictures += [f"a {work}" for work in works.split(",")] + ["art", "graffiti", "itap"]
    texts = ["{}.", "itap of my {}.", *(f"a photo of {which} {{}}." for which in ("many", "my", "one"))]
    for article in ("a", "the"):
        texts += [f"{picture} of {article} {{}}." for picture in pictures]
        for look in ("clean", "cool", "dirty", "hard to see", "large", "nice", "small", "weird"):
            texts.append(f"a photo of {article} {look} {{}}.")
        for kind in ("cartoon", "embroidered", "origami", "plastic", "plushie", "toy"):
            texts.append(f"{article} {kind} {{}}.")
        texts.append(f"{article} {{}} in a video game.")
    return tuple(texts)


def class_texts(name: str, *, prompted: bool = True) -> list[str]:
    """The texts that stand for a class: its name in each template, or just its name.

    In templates, `-other`, `-merged` and `-stuff` of COCO's names are left out.
    """
    if not prompted:
        return [name]
    plain = name.replace("-other", "").replace("-merged", "").replace("-stuff", "")
    return [template.format(plain) for template in templates()]


def listed_ids(text: str) -> list[int]:
    """The ids of a text of listed words, from the start token to the end token.

    Raises:
        SegmenterError: a word is none of the classes' or templates'.
    """
    words = re.findall(r"[a-z]+|[^\sa-z]+", text.lower())
    strange = [word for word in words if word not in _listed()]
    if strange:
        raise SegmenterError(
            f"the words of SEEM's classes are listed, {strange[0]!r} in {text!r} is none of them; "
            "other texts need CLIP's vocabulary: install open_clip_torch or name its file"
        )
    return [START, *(piece for word in words for piece in _listed()[word]), END]


def tokenizer(source: str | Path | None = None) -> Tokenize:
    """What cuts any text into pieces of CLIP's vocabulary.

    Args:
        source: `bpe_simple_vocab_16e6.txt.gz` of CLIP's authors, or a folder with a CLIP tokenizer of
            transformers (`tokenizer.json`, or `vocab.json` and `merges.txt`), that of any CLIP network. None
            takes the file that the package `open_clip_torch` has in it.

    Raises:
        SegmenterError: the file or folder is missing or of another vocabulary.
        MissingExtraError: no source was given, and the package is not installed.
    """
    path = _packaged() if source is None else Path(source).expanduser()
    from transformers import CLIPTokenizer

    clip = load_pretrained(CLIPTokenizer, str(path), SegmenterError) if path.is_dir() else _assembled(path)
    if clip("a photo of a cat.")["input_ids"] != listed_ids("a photo of a cat."):
        raise SegmenterError(f"{str(path)!r} holds another vocabulary than CLIP's")

    def tokenize(text: str) -> list[int]:
        ids: list[int] = clip(text)["input_ids"]
        return ids

    return tokenize


def _packaged() -> Path:
    """The vocabulary inside the package open_clip_torch, which is not imported for it."""
    spec = find_spec("open_clip")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("reading phrases with SEEM", "seem")
    return Path(spec.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"


def _assembled(path: Path) -> CLIPTokenizer:
    """The tokenizer of the file of CLIP's authors."""
    from transformers import CLIPTokenizer

    try:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode().split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SegmenterError(
            f"{str(path)!r} cannot be read as CLIP's vocabulary: {first_line(error)}"
        ) from error
    merges = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]
    if len(merges) < _MERGES or any(len(merge) != 2 for merge in merges):
        raise SegmenterError(f"{str(path)!r} is not CLIP's vocabulary: it has no {_MERGES} merges")
    letters = _letters()
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(merge) for merge in merges)]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    try:
        return CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges)
    except Exception as error:  # the tokenizers package raises nothing narrower; it is chained
        raise SegmenterError(
            f"{str(path)!r} holds another vocabulary than CLIP's: {first_line(error)}"
        ) from error


def _letters() -> list[str]:
    """A printable letter for each byte, as byte-level vocabularies have them: printable ones first."""
    spans = ("!~", "¡¬", "®ÿ")
    printable = [code for span in spans for code in range(ord(span[0]), ord(span[1]) + 1)]
    return [*map(chr, printable), *(chr(256 + i) for i in range(256 - len(printable)))]


@cache
def _listed() -> dict[str, list[int]]:
    rows = (entry.split(":") for entry in _IDS.split())
    return {word: [int(piece) for piece in pieces.split("+")] for word, pieces in rows}
