"""What a mask generator asks of every candidate mask, before any of them exists as a mask."""

from __future__ import annotations

from typing import NamedTuple

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation
from som_kernels.resize import Resize

__all__ = ["LogitMeasures", "check_logits", "measure_logits", "stability_score"]


LARGEST = 1e38  # cutoff and offset together are still a float32


class LogitMeasures(NamedTuple):
    """Measures of `N` candidate masks, each the pixels whose logit is above the cutoff.

    Attributes:
        stability: `[N] float32`; pixels above the cutoff plus the offset, divided by those above the cutoff
            minus the offset; 0 where there are none of the latter.
        boxes: tight boxes, `[N, 4] int32` as x0, y0, x1, y1 with x1 and y1 one past the last pixel; zeros for
            an empty mask.
        areas: pixels, `[N] int64`.
    """

    stability: torch.Tensor
    boxes: torch.Tensor
    areas: torch.Tensor


def measure_logits(
    logits: torch.Tensor,
    *,
    chosen: torch.Tensor | None = None,
    cutoff: float = 0.0,
    offset: float = 1.0,
    resize: Resize | None = None,
    backend: Backend | None = None,
) -> LogitMeasures:
    """Measure candidate masks as they will be at the size of the picture, without resizing them.

    Exact: the counts and boxes are those of the resized masks. Between two rows and columns of a map the
    resized values stay between their corners, so only where the cutoff runs through is there anything to
    interpolate.

    Args:
        logits: `[N, h, w] float32`, no NaN.
        chosen: the maps to measure, `[K] int64` on the same device; a copy of them costs more than to measure
            them. None takes all.
        cutoff: a pixel belongs to the mask where its logit is larger.
        offset: how far the cutoff moves up and down for the stability score, 0 or more.
        resize: from the maps' size to the picture's; None measures the maps as they are.
        backend: force an implementation; None chooses by device.

    Returns:
        The measures of the chosen maps, on the same device.

    Raises:
        TypeError: not a tensor of float32, or of int64, or no `Resize`.
        ValueError: another shape, an index without a map, a resizing for another size, or a cutoff or
            an offset out of its range.
    """
    resize = check_logits(logits, chosen, resize)
    _check.between("cutoff", cutoff, -LARGEST, LARGEST)
    _check.between("offset", offset, 0, LARGEST)
    module = implementation(__name__, backend, logits.device)
    inner, areas, outer, boxes = module.measure_logits(
        logits, chosen, resize, (cutoff + offset, cutoff, cutoff - offset)
    )
    # SAM divides likewise and gets NaN for 0 / 0, which no threshold keeps either.
    stability = (inner.double() / outer.clamp(min=1)).float()
    return LogitMeasures(stability, boxes, areas)


def stability_score(
    logits: torch.Tensor,
    *,
    chosen: torch.Tensor | None = None,
    cutoff: float = 0.0,
    offset: float = 1.0,
    resize: Resize | None = None,
    backend: Backend | None = None,
) -> torch.Tensor:
    """How little each mask changes with its cutoff (Segment Anything): `LogitMeasures.stability`.

    Arguments and errors are those of `measure_logits`.
    """
    return measure_logits(
        logits, chosen=chosen, cutoff=cutoff, offset=offset, resize=resize, backend=backend
    ).stability


def check_logits(logits: torch.Tensor, chosen: torch.Tensor | None, resize: Resize | None) -> Resize:
    """The resizing, on the logits' device, if all are in order."""
    _check.tensor("logits", logits, torch.float32, "N, H, W")
    if chosen is not None:
        _check.tensor("chosen", chosen, torch.int64, "N")
        _check.same("device", ("logits", "chosen"), (logits.device, chosen.device))
        _check.indices("chosen", chosen, "maps", len(logits))
    h, w = logits.shape[1:]
    if resize is None:
        return Resize.steps((h, w)).to(logits.device)
    _check.instance("resize", resize, Resize, "a som_kernels.Resize")
    _check.same("map size", ("logits", "resize"), ((h, w), resize.source))
    return resize.to(logits.device)
