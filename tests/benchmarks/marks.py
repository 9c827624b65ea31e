"""Marking speed: milliseconds to place and draw all marks of a picture, beside the ways that others do it.

python tests/benchmarks/marks.py [--repeats 40] [--pictures DIR]

All in one process, in turns, with one thread each. What each way starts from is made before and not timed:
ours gets the label map that tracking keeps, the others get masks. Real pictures are looked for in
SOM_AGENT_DATA (default ../shared/data); the peers need `pip install -e ".[bench]"`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow

from som_agent.evaluation.published import draw_published
from som_agent.history import MarkInfo
from som_agent.marks import MarkStyle, color_of, draw_marks, label_of, place, plate_sizes

DATA = Path(os.environ.get("SOM_AGENT_DATA", Path(__file__).parents[3] / "shared" / "data"))
LARGE, SMALL = (1280, 720, 50), (854, 480, 80)
TARGET_MS = 8.0
TINT = 0.12
FEW = 3  # runs of a way that takes seconds

Image = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]
Times = list[float]


@dataclass(frozen=True)
class Scene:
    """A picture `[H, W, 3] uint8` RGB and the regions to mark, `[H, W] int32`; 0 is ground."""

    name: str
    image: Image
    visible: npt.NDArray[np.int32]

    @property
    def infos(self) -> list[MarkInfo]:
        return [MarkInfo(k, label_of(k), color_of(k)) for k in range(1, int(self.visible.max()) + 1)]

    @property
    def masks(self) -> Masks:
        return np.arange(1, int(self.visible.max()) + 1)[:, None, None] == self.visible


def made(w: int, h: int, n: int, seed: int = 0) -> Scene:
    """Cells with ragged borders around random points, and some ground between them."""
    rng = np.random.default_rng(seed)
    seeds = np.ones((h, w), np.uint8)
    seeds.flat[rng.choice(h * w, n, replace=False)] = 0
    distance, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells[distance > 1.1 * np.sqrt(h * w / n / np.pi) + 2] = 0
    y, x = np.mgrid[:h, :w].astype(np.float32)
    wave = [cv2.GaussianBlur(rng.normal(0, 60, (h, w)).astype(np.float32), (0, 0), 6) for _ in range(2)]
    cells = cv2.remap(cells.astype(np.float32), x + wave[0], y + wave[1], cv2.INTER_NEAREST)
    image = cv2.GaussianBlur(rng.integers(0, 256, (h, w, 3), dtype=np.uint8), (0, 0), 3)
    return Scene(f"made, {n} regions", np.asarray(image, np.uint8), cells.astype(np.int32))


def real(w: int, h: int) -> Iterator[Scene]:
    """COCO's photos and panoptic masks, where they are at hand, at another size."""
    for path in sorted((DATA / "images" / "coco" / "masks").glob("*.png")):
        photo = cv2.imread(str(path.parents[1] / "images" / f"{path.stem}.jpg"))
        labels = np.asarray(Pillow.open(path)).astype(np.uint16)
        _, dense = np.unique(cv2.resize(labels, (w, h), interpolation=cv2.INTER_NEAREST), return_inverse=True)
        visible = dense.reshape(h, w).astype(np.int32) + (0 if (labels == 0).any() else 1)
        image = cv2.cvtColor(cv2.resize(photo, (w, h)), cv2.COLOR_BGR2RGB)
        yield Scene(path.stem, np.asarray(image, np.uint8), visible)


# ours


def ours(scene: Scene, style: MarkStyle) -> dict[str, Callable[[], Any]]:
    """Placing, drawing, and both one after the other."""
    infos, (h, w) = scene.infos, scene.visible.shape
    sizes = plate_sizes([info.label for info in infos], style, (w, h))
    placement = place(scene.visible, sizes)

    def draw(placement: Any) -> Image:
        return draw_marks(scene.image, scene.visible, infos, placement, style)[0]

    return {
        "place": lambda: place(scene.visible, sizes),
        "draw": lambda: draw(placement),
        "place + draw": lambda: draw(place(scene.visible, sizes)),
    }


# how others do it


def supervision(scene: Scene, *, compact: bool, position: str) -> Callable[[], Image]:
    """What roboflow/supervision draws with its annotators for masks and labels, as its documentation has it.

    Each mask is tinted and has its number on a plate at the centre of its box, or of its pixels; it lines no
    contours and does not look whether a label is on its object. Detections with their boxes are given, the
    masks dense or cut to their boxes.
    """
    import supervision as sv

    masks = scene.masks
    boxes = sv.mask_to_xyxy(masks)
    given: Any = sv.CompactMask.from_dense(masks, boxes, scene.image.shape[:2]) if compact else masks
    detections = sv.Detections(xyxy=boxes.astype(np.float32), mask=given)
    labels = [info.label for info in scene.infos]
    tint = sv.MaskAnnotator(opacity=TINT, color_lookup=sv.ColorLookup.INDEX)
    text = sv.LabelAnnotator(
        color_lookup=sv.ColorLookup.INDEX, text_position=sv.Position[position], text_padding=3
    )

    def draw() -> Image:
        return text.annotate(tint.annotate(scene.image.copy(), detections), detections, labels)

    return draw


def peers(scene: Scene) -> dict[str, tuple[Callable[[], Image], float | None]]:
    """The other ways with what our speed should be a multiple of, those that are installed."""
    found: dict[str, tuple[Callable[[], Image], float | None]] = {}
    if find_spec("matplotlib"):
        masks, infos = scene.masks, scene.infos
        found["published Set-of-Mark"] = lambda: draw_published(scene.image, masks, infos)[0], 200.0
    if find_spec("supervision"):
        for name, compact, target in (("compact", True, 4.0), ("dense", False, None)):
            for where, position in (("boxes", "CENTER"), ("pixels", "CENTER_OF_MASS")):
                way = supervision(scene, compact=compact, position=position)
                found[f"supervision {name}, centres of {where}"] = way, target if where == "pixels" else None
    return found


# the clock


def in_turns(ways: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Times]:
    """Seconds of every run; each way in turn, so that a busy moment of the machine hits all alike."""
    spent: dict[str, Times] = {name: [] for name in ways}
    for way in ways.values():
        way()  # fonts, compiled code
    for turn in range(repeats):
        for name, way in ways.items():
            if turn >= FEW and min(spent[name]) > 0.5:
                continue
            start = time.perf_counter()
            way()
            spent[name].append(time.perf_counter() - start)
    return spent


def line(name: str, times: list[Times], note: str = "") -> None:
    """A row of the table; of several pictures the mean of each one's figures."""
    least = statistics.mean(min(t) for t in times) * 1000
    median = statistics.mean(statistics.median(t) for t in times) * 1000
    print(f"  {name:<38}{least:10.2f}{median:11.2f}   {note}".rstrip())


def alone(scenes: list[Scene], title: str, repeats: int) -> None:
    """Print what ours takes on some pictures."""
    w, h, _ = LARGE
    print(f"{w}x{h}, {title}{'':<8}least ms  median ms")
    spent = [in_turns(ours(scene, MarkStyle(alpha=TINT)), repeats) for scene in scenes]
    for stage in ("place", "draw", "place + draw"):
        note = f"(target: at most {TARGET_MS:g})" if stage == "place + draw" else ""
        line(stage, [times[stage] for times in spent], note)


def beside(scene: Scene, repeats: int, pictures: Path | None) -> None:
    """Print what ours and the other ways take on one picture."""
    others = peers(scene)
    ways = {"ours": ours(scene, MarkStyle(alpha=TINT))["place + draw"]}
    ways |= {name: way for name, (way, _) in others.items()}
    spent = in_turns(ways, repeats)
    w, h, _ = SMALL
    print(f"{w}x{h}, {scene.name}, place + draw{'':<8}least ms  median ms")
    for name, times in spent.items():
        note = ""
        if name in others:
            target = others[name][1]
            ratio = min(times) / min(spent["ours"])
            note = f"ours is {ratio:.1f} x faster" + (f"   (target: {target:g})" if target else "")
        line(name, [times], note)
    if len(ways) < 2:
        print('  others: not installed; pip install -e ".[bench]"')
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for name, way in ways.items():
            file = pictures / f"{name.replace(', ', '_').replace(' ', '_').lower()}.png"
            Pillow.fromarray(np.ascontiguousarray(way())).save(file)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write what each way draws")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    numba.set_num_threads(1)
    alone([made(*LARGE)], f"{LARGE[2]} made regions", args.repeats)
    photos = list(real(*LARGE[:2]))
    if photos:
        counts = [int(scene.visible.max()) for scene in photos]
        title = f"{len(photos)} photos of COCO, {min(counts)} to {max(counts)} regions"
        alone(photos, title, max(args.repeats // 5, 5))
    beside(made(*SMALL), args.repeats, args.pictures)


if __name__ == "__main__":
    main()
