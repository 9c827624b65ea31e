"""Make the README's pictures from the demo clip: `python examples/pictures.py` (or `make pictures`)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont

from som_agent import MarkStyle, Session, Settings, open_video
from som_agent.video import Image, write_image

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"
DOCS = Path(__file__).parents[1] / "docs"
TIMES_S = (0.5, 2.7, 4.4, 6.7, 8.2, 9.9)
STYLES = {
    "numbers, mask and contour": Settings(),
    "box and contour": Settings(style=MarkStyle(draw=("mark", "box", "contour"))),
    "letters, mask": Settings(labels="letters", style=MarkStyle(draw=("mark", "mask"), alpha=0.45)),
}


def main() -> int:
    """Write docs/demo.jpg and docs/styles.jpg."""
    session = Session()
    wanted = list(TIMES_S)
    shots: list[Image] = []
    with open_video(CLIP) as video:
        for marked in session.run(video):
            if wanted and marked.time >= wanted[0]:
                shots.append(_caption(marked.image, f"{wanted.pop(0):.1f} s"))
    write_image(DOCS / "demo.jpg", _grid(shots, columns=3))
    with open_video(CLIP) as video:
        first = next(iter(video))
    looks = [_caption(Session(settings=s).step(first).image, name) for name, s in STYLES.items()]
    write_image(DOCS / "styles.jpg", _grid(looks, columns=3))
    return 0


def _caption(image: Image, text: str) -> Image:
    """Write a line of text at the foot of a picture."""
    picture = PIL.Image.fromarray(image)
    font = ImageFont.load_default(22)
    place = (10, image.shape[0] - 34)
    ImageDraw.Draw(picture).text(place, text, "white", font, stroke_width=3, stroke_fill="black")
    return np.asarray(picture)


def _grid(pictures: list[Image], columns: int) -> Image:
    rows = [np.hstack(pictures[k : k + columns]) for k in range(0, len(pictures), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
