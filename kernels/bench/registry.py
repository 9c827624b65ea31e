"""What is measured: each operation on typical inputs, with its implementations and the ways others do it."""

from __future__ import annotations

from collections.abc import Callable

from bench import attention_cases, label_cases, logit_cases, mask_cases
from bench.trial import Case, Target, Trial

__all__ = ["CASES"]

Size = tuple[int, int, int]

SMALL, SD, P720, HD = (480, 270), (854, 480), (1280, 720), (1920, 1080)


def cases(
    op: str,
    make: Callable[[int, int, int], Trial],
    *sizes: Size,
    targets: dict[Size, tuple[Target, ...]] | None = None,
) -> list[Case]:
    """One case for each width, height and number."""
    return [Case(op, size, make, (targets or {}).get(size, ())) for size in sizes]


CASES: list[Case] = [
    *cases(
        "placement",
        label_cases.placement,
        *((*SD, n) for n in (20, 80, 200)),
        targets={
            (*SD, 80): (Target("published Set-of-Mark", 50),),
            (*SD, 200): (
                Target("published Set-of-Mark", 100, "reading 82 MB of masks takes over half of it"),
            ),
        },
    ),
    *cases(
        "label_overlap",
        label_cases.overlap,
        *((*SMALL, 30), (*SMALL, 300), (*SD, 200)),
        targets={(*SD, 200): (Target("pycocotools", 100),)},
    ),
    *cases(
        "mask_iou",
        mask_cases.iou,
        *((*SMALL, 30), *((*SD, n) for n in (20, 80, 200, 1000)), (*HD, 200)),
        targets={
            (*SD, 200): (Target("pycocotools", 10), Target("supervision dense", 30)),
            (*SD, 1000): (Target("pycocotools", 8),),
        },
    ),
    *cases(
        "distance_transform",
        label_cases.distance,
        *((*SMALL, 30), (*SMALL, 300), (*SD, 80), (*HD, 100)),
        targets={(*HD, 100): (Target("edt", 3),)},
    ),
    *cases("inscribed_circles", label_cases.circles, (*SMALL, 30), (*SMALL, 300), (*SD, 80), (*HD, 100)),
    *cases("paint_labels", label_cases.paint, (*SMALL, 30), (*SD, 200)),
    *cases("region_stats", label_cases.stats, (*SMALL, 30), (*SMALL, 300), (*SD, 200)),
    *cases("overlay_labels", label_cases.overlay, (*SD, 80), (*P720, 50), (*HD, 200)),
    *cases("pack_masks", mask_cases.pack, (*SD, 80), (*SD, 200), (*HD, 200)),
    *cases("mask_boxes", mask_cases.boxes, (*SD, 80), (*SD, 200)),
    *cases("mask_nms", mask_cases.nms, (*SD, 80), (*SD, 200)),
    *cases("remove_small_regions", mask_cases.clean, (*SD, 80), (*HD, 40)),
    *cases("encode_rle", mask_cases.rle, (*SD, 80), (*SD, 200), (*HD, 80)),
    *cases("measure_logits", logit_cases.measure, (*SD, 96), (*HD, 96)),
    *cases("threshold_logits", logit_cases.threshold, (*SD, 48), (*HD, 48)),
    *cases(
        "deformable_attention",
        attention_cases.attend,
        *((640, 640, n) for n in (8500, 1200)),  # every cell of an encoder, a decoder's queries
    ),
    *cases(
        "select_masks",
        logit_cases.everything,
        *((*SD, 768), (*HD, 768)),
        targets={
            (*SD, 768): (Target("SamAutomaticMaskGenerator", 25),),
            (*HD, 768): (Target("SamAutomaticMaskGenerator", 30),),
        },
    ),
]
