"""Region measures in plain torch: exact integer sums a label, divided once."""

import torch

__all__ = ["region_stats"]


def region_stats(labels: torch.Tensor, image: torch.Tensor, n: int) -> tuple[torch.Tensor, ...]:
    """See `som_kernels.region_stats`."""
    h, w = labels.shape
    index = labels.flatten().long()
    y, x = torch.meshgrid(
        torch.arange(h, device=labels.device), torch.arange(w, device=labels.device), indexing="ij"
    )
    x, y = x.flatten(), y.flatten()

    def total(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(n + 1, dtype=torch.int64, device=labels.device).index_add_(0, index, values)

    def extreme(values: torch.Tensor, reduce: str) -> torch.Tensor:
        out = torch.zeros(n + 1, dtype=torch.int64, device=labels.device)
        return out.scatter_reduce_(0, index, values, reduce, include_self=False)

    areas = total(torch.ones_like(index))[1:]
    boxes = torch.stack(
        [extreme(x, "amin"), extreme(y, "amin"), extreme(x + 1, "amax"), extreme(y + 1, "amax")], dim=1
    )[1:].to(torch.int32)
    pixels = image.flatten(0, 1).long()
    sums = torch.stack([total(values) for values in (x, y, *pixels.unbind(dim=1))], dim=1)[1:]
    means = (sums.double() / areas.clamp(min=1)[:, None]).float()
    means[:, :2][areas == 0] = -1
    return areas, boxes, means[:, :2].contiguous(), means[:, 2:].contiguous()
