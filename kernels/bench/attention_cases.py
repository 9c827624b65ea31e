"""Cases of deformable attention, as the networks of Semantic-SAM and MaskDINO ask for it."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch

import som_kernels as sk
from bench.trial import Contestant, Trial, arrays, ours

__all__ = ["attend", "inputs", "level_shapes", "transformers_form"]

HEADS, DIM, POINTS = 8, 32, 4
STRIDES = 8, 16, 32, 64  # picture pixels a cell of each level
SPREAD = 2.0  # cells, standard deviation of the points around where their query is


def level_shapes(w: int, h: int) -> tuple[tuple[int, int], ...]:
    """Height and width of each level for a picture of this size."""
    return tuple((-(-h // stride), -(-w // stride)) for stride in STRIDES)


def inputs(w: int, h: int, n: int, *, batch: int = 1, seed: int = 0) -> tuple[Any, ...]:
    """Arguments for `n` queries: one at each cell where there are as many, elsewhere anywhere."""
    generator = torch.Generator().manual_seed(seed)
    levels = level_shapes(w, h)
    n_cells = sum(rows * columns for rows, columns in levels)
    values = torch.randn(batch, n_cells, HEADS, DIM, generator=generator)
    homes = _centres(levels) if n == n_cells else torch.rand(n, 2, generator=generator)
    away = SPREAD * torch.randn(batch, n, HEADS, len(levels), POINTS, 2, generator=generator)
    sizes = torch.tensor(levels).flip(1)
    locations = homes[:, None, None, None] + away / sizes[:, None]
    weights = torch.randn(batch, n, HEADS, len(levels) * POINTS, generator=generator).softmax(-1)
    return values, levels, locations, weights.view(locations.shape[:-1])


def _centres(levels: tuple[tuple[int, int], ...]) -> torch.Tensor:
    """x, y of the centre of each cell of each level, `[S, 2]` in 0 to 1."""
    found = []
    for h, w in levels:
        y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
        found.append(torch.stack([x, y], -1).view(-1, 2))
    return torch.cat(found)


@cache
def _module() -> Any:
    from transformers.models.deformable_detr.modeling_deformable_detr import MultiScaleDeformableAttention

    return MultiScaleDeformableAttention()


def transformers_form(
    values: torch.Tensor,
    levels: tuple[tuple[int, int], ...],
    locations: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """The way of transformers: `grid_sample` a level, all that was seen stacked, then weighed."""
    shapes = torch.tensor(levels)  # is looked at by compiled forms only
    seen: torch.Tensor = _module()(values, shapes, levels, shapes[:1], locations, weights, 64)
    return seen


def near(mine: Any, truth: Any) -> bool:
    """Within what the rounding of positions makes of it: grid_sample scales them to -1 to 1 and back."""
    (mine,), (truth,) = arrays(mine), arrays(truth)
    return bool(mine.shape == truth.shape and abs(mine - truth).max() < 1e-4)


def attend(w: int, h: int, n: int) -> Trial:
    """Attention of `n` queries to the levels of a picture."""
    arguments = inputs(w, h, n)
    peer = partial(transformers_form, *arguments)
    return Trial(
        (arguments[0], *arguments[2:]),
        [*ours(sk.deformable_attention, *arguments), Contestant("transformers", peer, agrees=near)],
    )
