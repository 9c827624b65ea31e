"""Contingency table in plain torch: every pixel adds one to its entry."""

import torch

__all__ = ["label_overlap"]


def label_overlap(a: torch.Tensor, b: torch.Tensor, n_a: int, n_b: int) -> torch.Tensor:
    """See `som_kernels.label_overlap`."""
    table = torch.zeros(n_a + 1, n_b + 1, dtype=torch.int64, device=a.device)
    one = torch.ones(a.numel(), dtype=torch.int64, device=a.device)
    return table.index_put_((a.flatten().long(), b.flatten().long()), one, accumulate=True)
