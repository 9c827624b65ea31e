"""The tasks of networks with classes, and the names of the published classes in their order."""

from __future__ import annotations

from functools import cache
from typing import Literal

__all__ = [
    "ADE20K",
    "COCO_STUFF",
    "Task",
    "ade20k",
    "cityscapes",
    "coco_instances",
    "coco_panoptic",
    "names_of",
]

Task = Literal["instance", "panoptic", "semantic"]
"""Things that may overlap; things and stuff, each pixel once; one region a class."""

COCO_STUFF = (
    "banner, blanket, bridge, cardboard, counter, curtain, door-stuff, floor-wood, flower, fruit, gravel, "
    "house, light, mirror-stuff, net, pillow, platform, playingfield, railroad, river, road, roof, sand, "
    "sea, shelf, snow, stairs, tent, towel, wall-brick, wall-stone, wall-tile, wall-wood, water-other, "
    "window-blind, window-other, tree-merged, fence-merged, ceiling-merged, sky-other-merged, "
    "cabinet-merged, table-merged, floor-other-merged, pavement-merged, mountain-merged, grass-merged, "
    "dirt-merged, paper-merged, food-other-merged, building-other-merged, rock-merged, wall-other-merged, "
    "rug-merged"
)
"""The 53 classes that COCO's panoptic task adds to the 80 of its instances."""

ADE20K = (
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, "
    "earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, "
    "mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, "
    "base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, "
    "refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway, "
    "river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove, "
    "palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, "
    "truck, tower, chandelier, awning, streetlight, booth, television, airplane, dirt track, apparel, "
    "pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, "
    "conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent, "
    "bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, "
    "lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, "
    "pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag"
)
"""The first name of each of the 150 classes of ADE20K's scene parsing task."""


@cache
def coco_instances() -> tuple[str, ...]:
    """The 80 classes of COCO's instances, as torchvision lists them."""
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

    listed = MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    return tuple(name for name in listed if name not in ("__background__", "N/A"))


@cache
def coco_panoptic() -> tuple[str, ...]:
    """The 133 classes of COCO's panoptic task: the 80 things, then 53 kinds of stuff."""
    return (*coco_instances(), *COCO_STUFF.split(", "))


@cache
def ade20k() -> tuple[str, ...]:
    """The 150 classes of ADE20K's scene parsing task."""
    return tuple(ADE20K.split(", "))


@cache
def cityscapes() -> tuple[str, ...]:
    """The 19 classes that Cityscapes evaluates, as torchvision lists them."""
    from torchvision.datasets import Cityscapes

    used = [kind for kind in Cityscapes.classes if not kind.ignore_in_eval]
    return tuple(kind.name for kind in sorted(used, key=lambda kind: kind.train_id))


def names_of(count: int) -> tuple[str, ...]:
    """The names of a network with so many classes, where the number says the data set; else numbers."""
    known = {80: coco_instances, 133: coco_panoptic, 150: ade20k, 19: cityscapes}
    return known[count]() if count in known else tuple(f"class {i}" for i in range(count))
