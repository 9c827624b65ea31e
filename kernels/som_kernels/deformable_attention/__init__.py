"""Multi-scale deformable attention (Deformable DETR, 2020): each query looks at a few points of each level."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["deformable_attention"]

FLOATS = torch.float32, torch.float16, torch.bfloat16


def deformable_attention(
    values: torch.Tensor,
    shapes: Sequence[Sequence[int]],
    locations: torch.Tensor,
    weights: torch.Tensor,
    *,
    backend: Backend | None = None,
) -> torch.Tensor:
    """The weighted sum of what each query sees at its points of every level, for each head.

    A level is sampled bilinearly between the centres of its cells and is zero outside, as
    `torch.nn.functional.grid_sample(align_corners=False)` does it. Sums are made in float32, whatever the
    inputs. A point that lies a cell or more outside, or nowhere (NaN), adds nothing, whatever its weight;
    of the other points the four cells around are read, and what is not finite there spreads.

    For inference only: no gradients pass through.

    Args:
        values: `[B, S, heads, dim]` float32, float16 or bfloat16: the cells of all levels, one level after the
            other, each in raster order.
        shapes: height and width of each level; their products add up to `S`.
        locations: `[B, Q, heads, levels, points, 2]`, any of the three types, on the same device: x, y from 0
            to 1 of each level's width and height. float32 is best: a step of float16 is a tenth of a cell
            on a level of 200.
        weights: `[B, Q, heads, levels, points]`, any of the three types, on the same device.
        backend: force an implementation; None chooses by device.

    Returns:
        `[B, Q, heads * dim]`, of the type of `values` and on the same device; head by head.

    Raises:
        TypeError: not tensors of such floats, or levels that are not two whole numbers each.
        ValueError: shapes that do not belong together, two devices, or tensors that want gradients.
    """
    _check.tensor("values", values, FLOATS, "B, S, heads, dim")
    _check.tensor("locations", locations, FLOATS, "B, Q, heads, levels, points, 2")
    _check.tensor("weights", weights, FLOATS, "B, Q, heads, levels, points")
    _check.instance("shapes", shapes, Sequence, "a sequence of heights and widths")
    levels = tuple(_check.size("shapes", level) for level in shapes)
    b, s, heads, dim = values.shape
    _check.same("batch", ("values", "locations"), (b, len(locations)))
    _check.same("heads", ("values", "locations"), (heads, locations.shape[2]))
    _check.same("levels", ("shapes", "locations"), (len(levels), locations.shape[3]))
    _check.same("cells", ("values", "shapes"), (s, sum(h * w for h, w in levels)))
    _check.same("shape", ("locations", "weights"), (locations.shape[:-1], weights.shape))
    for name, other in (("locations", locations), ("weights", weights)):
        _check.same("device", ("values", name), (values.device, other.device))
    for name, value in (("values", values), ("locations", locations), ("weights", weights)):
        _check.no_gradient(name, value)
    module = implementation(__name__, backend, values.device)
    seen: torch.Tensor = module.deformable_attention(values, levels, locations, weights)
    return seen
