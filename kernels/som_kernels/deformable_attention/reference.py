"""Multi-scale deformable attention in plain torch: the four cells around each point, gathered one by one."""

from itertools import product

import torch

__all__ = ["axis_shares", "deformable_attention"]


def deformable_attention(
    values: torch.Tensor, levels: tuple[tuple[int, int], ...], locations: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """See `som_kernels.deformable_attention`."""
    b, _, heads, dim = values.shape
    n_queries = locations.shape[1]
    total = torch.zeros(b, n_queries, heads, dim, device=values.device)
    begin = 0
    for i, (h, w) in enumerate(levels):
        level = values[:, begin : begin + h * w].float().transpose(1, 2)  # [B, heads, h * w, dim]
        begin += h * w
        x, y = (locations[..., i, :, :].float() * torch.tensor([w, h], device=values.device) - 0.5).unbind(-1)
        inside = (x > -1) & (x < w) & (y > -1) & (y < h)  # [B, Q, heads, points]; not so for NaN
        columns, rows = (axis_shares(p.where(inside, 0), size) for p, size in ((x, w), (y, h)))
        for (row, row_share), (column, column_share) in product(rows, columns):
            share = weights[..., i, :].float() * (row_share * column_share)
            cell = (row * w + column).transpose(1, 2).reshape(b, heads, -1, 1)  # [B, heads, Q * points, 1]
            seen = level.gather(2, cell.expand(-1, -1, -1, dim)).unflatten(2, (n_queries, -1))
            seen = share[..., None] * seen.transpose(1, 2)  # [B, Q, heads, points, dim]
            total += seen.where(inside[..., None], 0).sum(3)
    return total.flatten(2).to(values.dtype)


def axis_shares(position: torch.Tensor, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The two cells along an axis that a position lies between, held to the level, and their shares.

    A cell outside has the share 0.
    """
    before = position.floor()
    share = position - before
    pair = ((before, 1 - share), (before + 1, share))
    return [
        (cell.clamp(0, size - 1).long(), share.where((cell >= 0) & (cell < size), 0)) for cell, share in pair
    ]
