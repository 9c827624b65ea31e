"""Cases on stacks of masks."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco

import som_kernels as sk
from bench import inputs, peers
from bench.trial import Contestant, Trial, lazily, ours

__all__ = ["boxes", "clean", "iou", "nms", "pack", "rle"]

MIN_AREA = 100  # pixels; smaller holes and islands go
ALIKE = 0.7  # masks with a larger IoU are the same thing


def iou(w: int, h: int, n: int) -> Trial:
    """IoU of overlapping masks, packing included."""
    pair = inputs.ellipses(w, h, n, 0), inputs.ellipses(w, h, n, 1)
    a, b = (masks.numpy() for masks in pair)
    packed = tuple(map(sk.pack_masks, pair))
    quick = n <= 30  # the reference and numpy take seconds on more

    def compacts() -> list[Any]:
        return [peers.compact(m, p.boxes) for m, p in zip((a, b), packed, strict=True)]

    @lazily
    def encoded() -> list[Any]:
        return [peers.coco_encode(masks) for masks in (a, b)]

    known = partial(sk.mask_iou, *packed)
    contestants = [
        *ours(sk.mask_iou, *pair, reference=quick),
        Contestant("cpu, packed before", known, ours=True, inputs=packed),
        Contestant("pycocotools", partial(peers.coco_iou, a, b)),
        Contestant("pycocotools, encoded before", lambda: coco.iou(*encoded(), [0] * n), prepared=True),
        Contestant("supervision compact", lambda: peers.supervision_iou(*compacts()), package="supervision"),
    ]
    if w * h * n <= 10**8:  # seconds to minutes, and gigabytes, on more
        dense = partial(peers.supervision_iou, a, b)
        contestants.append(Contestant("supervision dense", dense, package="supervision"))
        contestants.append(Contestant("torch matmul", partial(peers.matmul_iou, *pair)))
    if quick:
        contestants.append(Contestant("numpy dense", partial(peers.dense_iou, a, b)))
    else:
        contestants.sort(key=lambda contestant: contestant.name != "pycocotools")  # the truth comes first
    return Trial(pair, contestants)


def pack(w: int, h: int, n: int) -> Trial:
    """Bits, boxes and areas of masks."""
    masks = inputs.ellipses(w, h, n, 0)

    def packed_bytes(packed: sk.PackedMasks) -> tuple[Any, ...]:
        used = packed.words.cpu().numpy().view(np.uint8)[..., : -(-w // 8)]
        return used, packed.boxes, packed.areas

    return Trial(
        (masks,),
        [
            *ours(sk.pack_masks, masks, reference=w * h * n < 10**8, view=packed_bytes),
            Contestant("numpy packbits", partial(peers.packbits, masks.numpy())),
        ],
    )


def boxes(w: int, h: int, n: int) -> Trial:
    """Tight boxes of masks."""
    from torchvision.ops import masks_to_boxes

    masks = inputs.ellipses(w, h, n, 0)
    one_past = torch.tensor([0, 0, 1, 1])  # torchvision's boxes end on the last pixel
    peer = Contestant("torchvision", partial(masks_to_boxes, masks), view=lambda found: found + one_past)
    return Trial((masks,), [*ours(sk.mask_boxes, masks), peer])


def nms(w: int, h: int, n: int) -> Trial:
    """Masks unlike all better ones, packing included."""
    masks, scores = inputs.duplicates(w, h, n, 0)
    dense, sides = masks.numpy(), sk.mask_boxes(masks)

    def encoded() -> Any:
        rles = peers.coco_encode(dense)
        return peers.greedy(coco.iou(rles, rles, [0] * n), scores, ALIKE)

    contestants = [
        Contestant("pycocotools, greedy", encoded),
        *ours(sk.mask_nms, masks, scores, ALIKE, reference=False),
        # It says which stay, not in which order.
        Contestant(
            "supervision",
            partial(peers.supervision_nms, dense, sides, scores, ALIKE),
            agrees=lambda mine, truth: np.array_equal(mine, np.sort(truth)),
            package="supervision",
        ),
    ]
    if n <= 80:
        numpy = Contestant(
            "numpy dense, greedy", lambda: peers.greedy(peers.dense_iou(dense, dense), scores, ALIKE)
        )
        contestants.append(numpy)
    return Trial((masks, scores), contestants)


def remove_specks(
    masks: torch.Tensor | sk.PackedMasks, min_area: int, *, backend: sk.Backend | None = None
) -> sk.PackedMasks:
    """Small holes, then small islands, as the everything mode does it."""
    filled, _ = sk.remove_small_regions(masks, min_area, "holes", backend=backend)
    return sk.remove_small_regions(filled, min_area, "islands", backend=backend)[0]


def clean_masks(masks: torch.Tensor, min_area: int, *, backend: sk.Backend | None = None) -> torch.Tensor:
    """The same from bool masks to bool masks."""
    return remove_specks(masks, min_area, backend=backend).unpack()


def clean(w: int, h: int, n: int) -> Trial:
    """Masks without small holes and islands; the reference takes minutes."""
    masks = inputs.specked(w, h, n, 0)
    packed = sk.pack_masks(masks)
    inside = partial(remove_specks, packed, MIN_AREA)
    return Trial(
        (masks,),
        [
            Contestant("segment_anything", partial(peers.clean, masks.numpy(), MIN_AREA)),
            *ours(clean_masks, masks, MIN_AREA, reference=False),
            Contestant(
                "cpu, packed in and out",
                inside,
                ours=True,
                inputs=(packed,),
                view=lambda found: found.unpack(),
            ),
        ],
    )


def rle(w: int, h: int, n: int) -> Trial:
    """COCO's compressed run lengths of bool masks."""
    masks = inputs.ellipses(w, h, n, 0)
    dense = masks.numpy()
    packed = sk.pack_masks(masks)

    @lazily
    def turned() -> Any:
        return peers.fortran(dense)

    def counts(encoded: Any) -> list[str]:
        return [entry["counts"].decode() for entry in encoded]

    return Trial(
        (masks,),
        [
            Contestant("pycocotools", partial(peers.coco_encode, dense), view=counts, agrees=operator.eq),
            *ours(sk.encode_rle, masks, reference=w * h * n < 10**8, agrees=operator.eq),
            Contestant(
                "cpu, packed before",
                partial(sk.encode_rle, packed),
                ours=True,
                inputs=(packed,),
                agrees=operator.eq,
            ),
            Contestant(
                "pycocotools, Fortran before",
                lambda: coco.encode(turned()),
                view=counts,
                prepared=True,
                agrees=operator.eq,
            ),
        ],
    )
