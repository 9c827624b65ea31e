"""Training samples that ask a model to list the marked items of a picture in order, in LLaVA's format.

```python
import som_agent as som
from som_agent.listing import listing_sample, write_samples

marked = som.mark("table.jpg", segmenter="labels:masks/")
sample, picture = listing_sample(marked, {1: "red cup", 2: "ball"}, id="table", seed=7)
write_samples("listing/train.json", [sample], [picture])   # and listing/table.png beside it
```
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

from som_agent.errors import InputError, OutputError
from som_agent.marks.marked import MarkedFrame
from som_agent.video import Image, write_image

__all__ = ["INSTRUCTIONS", "LOOK_PX", "ListingSample", "listing_sample", "write_samples"]

INSTRUCTIONS = (
    "List every marked item in this picture, one per line, in the order of the marks.",
    "What does each mark in the image stand on? Go through them in order.",
    "Go from the first mark to the last and name what each of them labels.",
    "Please write down all labelled things in the picture, lowest label first.",
    "Name the tagged objects one by one, following their tags.",
    "Each tag in this image belongs to something. Tell me what, tag by tag.",
    "Make a list of the items that carry a tag, sorted by tag.",
    "Read the marks in ascending order and say what is under each one.",
    "I need an inventory of this picture: one line for each mark, in order.",
    "For each label that you can read here, give the thing that it belongs to.",
    "Which things are marked in the image? Answer as a list in the order of the marks.",
    "Step through the marks one after another and describe each marked thing in a few words.",
    "Enumerate what has been labelled in this scene, starting with the first label.",
    "Give the name of every item with a mark on it. Keep to the order of the marks.",
    "Look for all the tags in the picture and list the items that they point out.",
    "Can you tell me, in order, what all the marks on this picture refer to?",
)
"""Own wordings of one request; a sample takes one of them by its seed."""
LOOK_PX = 672
"""Long side of the pictures: twice the 336 pixels at which LLaVA-1.5 looks."""

_ID = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class ListingSample:
    """One question and answer about one picture.

    Attributes:
        id: its name, also that of its picture.
        instruction: what is asked.
        items: the drawn labels and the names of what they mark, in the order of the marks.
    """

    id: str
    instruction: str
    items: tuple[tuple[str, str], ...]

    @property
    def image(self) -> str:
        """File name of the picture."""
        return f"{self.id}.png"

    def to_json(self) -> dict[str, Any]:
        """The sample as LLaVA's training reads it."""
        listed = "\n".join(f"{label}. {name}" for label, name in self.items)
        return {
            "id": self.id,
            "image": self.image,
            "conversations": [
                {"from": "human", "value": f"<image>\n{self.instruction}"},
                {"from": "gpt", "value": listed},
            ],
        }


def listing_sample(
    marked: MarkedFrame, names: Mapping[int, str], *, id: str, seed: int = 0, look_px: int = LOOK_PX
) -> tuple[ListingSample, Image]:
    """A sample of one marked frame.

    The marks are drawn at the size at which a model will look, and only those that are drawn there are
    listed: what cannot be read must not be learnt.

    Args:
        marked: the frame.
        names: mark → what it marks, in a few words; names of marks that are not drawn are left out.
        id: name of the sample: letters, digits, `_`, `-` and `.`.
        seed: with the id it decides the wording.
        look_px: long side of the picture.

    Returns:
        The sample and its picture, `[h, w, 3] uint8` RGB.

    Raises:
        InputError: no mark is drawn, a drawn one has no name, or the id makes no file name.
    """
    if not _ID.fullmatch(id):
        raise InputError(f"sample id {id!r} makes no file name: use letters, digits, _, - and .")
    look = marked.look(look_px)
    shown = sorted((mark for mark in look.marks if mark.shown), key=lambda mark: mark.mark)
    if not shown:
        raise InputError(f"sample {id}: no mark is drawn on the picture, so there is nothing to list")
    words = {mark.mark: " ".join(names.get(mark.mark, "").split()) for mark in shown}
    nameless = [str(mark) for mark, name in words.items() if not name]
    if nameless:
        raise InputError(f"sample {id}: no name for mark {', '.join(nameless)}; every drawn mark needs one")
    sample = ListingSample(
        id=id,
        instruction=Random(f"{seed} {id}").choice(INSTRUCTIONS),
        items=tuple((mark.label, words[mark.mark]) for mark in shown),
    )
    return sample, look.image


def write_samples(path: str | Path, samples: Iterable[ListingSample], images: Iterable[Image]) -> Path:
    """Write samples as one JSON list, and their pictures beside it.

    Both are taken one at a time, so that generators of any length will do. Nothing appears under its name
    before all is whole; the list comes last. Older files of the same names are replaced.

    Args:
        path: the JSON file; its folder is made if missing.
        samples: each with an id of its own.
        images: the picture of each, `[h, w, 3] uint8` RGB, as many as samples.

    Returns:
        The path.

    Raises:
        OutputError: nothing can be written there.
        InputError: two samples have one id, or there are more samples than pictures or the reverse.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    parts = path.parent / f".som-{secrets.token_hex(6)}"
    rows: dict[str, dict[str, Any]] = {}
    try:
        parts.mkdir(parents=True)
        for sample, image in zip_longest(samples, images):
            if sample is None or image is None:
                raise InputError(f"{len(rows)} samples have a picture each, then one of the two is missing")
            if sample.id in rows:
                raise InputError(f"two samples are called {sample.id}; their pictures would be one file")
            write_image(parts / sample.image, image)
            rows[sample.id] = sample.to_json()
        listed = json.dumps(list(rows.values()), ensure_ascii=False, indent=1) + "\n"
        (parts / "list").write_text(listed, encoding="utf-8")
        for row in rows.values():
            os.replace(parts / row["image"], path.parent / row["image"])
        os.replace(parts / "list", path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return path
