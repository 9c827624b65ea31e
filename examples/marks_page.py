"""Make the pictures of docs/marks.md: `python examples/marks_page.py` (or `make pictures`).

They show photos of COCO with true regions, which are not part of this repository: SOM_AGENT_DATA names their
folder, `../shared/data` by default. The photos are under CC BY 2.0; docs/marks.md names their sources.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

import som_agent as som
from som_agent import MarkStyle
from som_agent.lmm.profiles import profile_named
from som_agent.marks.rank import groups
from som_agent.marks.roster import roster
from som_agent.video import Image, read_image, write_image

PHOTOS = Path(os.environ.get("SOM_AGENT_DATA", "../shared/data")) / "images" / "coco"
DOCS = Path(__file__).parents[1] / "docs" / "marks"
TABLE, KITCHEN = "000000000127", "000000000089"
ALL = ("mark", "mask", "box", "contour")
TYPES = {
    "number": {"style": MarkStyle(draw=("mark",))},
    "letter": {"labels": "letters", "style": MarkStyle(draw=("mark",))},
    "number, mask and contour": {},
    "number and box": {"style": MarkStyle(draw=("mark", "box"))},
    "mask, alpha 0.5": {"style": MarkStyle(draw=("mask",), alpha=0.5)},
    "contour": {"style": MarkStyle(draw=("contour",))},
    "number, mask, box, contour": {"style": MarkStyle(draw=ALL, alpha=0.25)},
}


def main() -> int:
    """Write the pictures of docs/marks/."""
    if not PHOTOS.is_dir():
        sys.stderr.write(f"there are no photos in {PHOTOS}: set SOM_AGENT_DATA\n")
        return 2
    looks = {"the photo": read_image(_file(TABLE))}
    for name, settings in TYPES.items():
        looks[name] = _mark(TABLE, max_marks=9, **settings).image
    _write("types", looks, columns=3, width=360)

    kitchen = _mark(KITCHEN)
    gpt, llava = profile_named("gpt-4o").view, profile_named("llava-1.5").view
    small = kitchen.look(llava).image
    shrunk = cv2.resize(kitchen.image, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    _write(
        "views", {"drawn at 640 px, shrunk to 336": shrunk, "drawn for LLaVA-1.5, 336 px": small}, columns=2
    )
    pair = kitchen.look(gpt, [info.mark for info in kitchen.infos][:6])
    _write("pair", {"plain": pair.plain, "marked": pair.image}, columns=2)
    (DOCS / "roster.txt").write_text(roster(kitchen) + "\n", encoding="utf-8")

    crowd = _mark(TABLE)
    boxes = crowd.regions.boxes
    ranked = [info.mark for info in crowd.infos]
    parts = groups(ranked, (boxes[:, :2] + boxes[:, 2:]) / 2, 5)
    shown = {f"picture {i + 1} of {len(parts)}": crowd.look(640, part).image for i, part in enumerate(parts)}
    _write("groups", shown, columns=3, width=360)

    opened = som.zoom(_file(TABLE), 4, segmenter=_masks(), parts="hierarchy", max_marks=20)
    _write("zoom", {"the photo": _mark(TABLE, max_marks=9).image, "mark 4, opened": opened.image}, columns=2)
    return 0


def _file(name: str) -> Path:
    return PHOTOS / "images" / f"{name}.jpg"


def _masks() -> str:
    return f"labels:{PHOTOS / 'masks'}"


def _mark(name: str, **settings: object) -> som.MarkedFrame:
    return som.mark(_file(name), segmenter=_masks(), size=640, **settings)


def _write(name: str, pictures: dict[str, Image], columns: int, width: int = 480) -> None:
    """Write pictures side by side, each with a line of text under it."""
    tiles = []
    for text, picture in pictures.items():
        h, w = picture.shape[:2]
        size = width, round(h * width / w)
        tile = np.full((size[1] + 30, width, 3), 255, np.uint8)
        method = cv2.INTER_AREA if w > width else cv2.INTER_CUBIC
        tile[: size[1]] = picture if w == width else cv2.resize(picture, size, interpolation=method)
        canvas = PIL.Image.fromarray(tile)
        ImageDraw.Draw(canvas).text((6, size[1] + 4), text, "black", ImageFont.load_default(17))
        tiles.append(np.asarray(canvas))
    height = max(tile.shape[0] for tile in tiles)
    tiles = [np.pad(t, ((0, height - len(t)), (4, 4), (0, 0)), constant_values=255) for t in tiles]
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
    DOCS.mkdir(parents=True, exist_ok=True)
    write_image(DOCS / f"{name}.jpg", np.vstack(rows))


if __name__ == "__main__":
    sys.exit(main())
