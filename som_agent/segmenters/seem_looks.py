"""Frames, clicks and strokes as SEEM sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from som_agent.regions import BoolArray
from som_agent.segmenters.panoptic import enlarge

if TYPE_CHECKING:
    import torch

    from som_agent.segmenters.networks.seem import Seen
    from som_kernels import Resize

__all__ = ["Looked", "inner_size", "stroke_points"]

_LONG_SIDES = 4  # a picture's long side is at most so many short sides of what the network sees
_POINTS = 512  # of a stroke that the network is shown


@dataclass(frozen=True)
class Looked:
    """A frame as the network saw it. Sizes are heights and widths.

    Attributes:
        seen: what it saw.
        padded: of the whole picture that it was shown.
        inner: of the frame's part of it, in the top left corner.
        size: of the frame.
    """

    seen: Seen
    padded: tuple[int, int]
    inner: tuple[int, int]
    size: tuple[int, int]

    def enlarge(self, last: Literal["bilinear", "bicubic"]) -> Resize:
        """How the network's masks become as large as the frame."""
        h, w = self.seen.mask_features.shape[-2:]
        return enlarge((h, w), self.padded, self.inner, self.size, last=last)

    def clicks(self, points: Sequence[Sequence[float]], dilation: torch.Tensor) -> torch.Tensor:
        """Points of the frame, x and y, as small strokes in what the network sees, `[H, W] bool`.

        Args:
            points: in pixels of the frame.
            dilation: what a click grows by, `[1, 1, 3, 3]`.
        """
        import torch
        from torch.nn import functional

        strokes = torch.zeros(1, 1, *self.inner, device=dilation.device)
        for x, y in points:
            row, column = (int(at * self.inner[i] / self.size[i]) for i, at in enumerate((y, x)))
            strokes[0, 0, row, column] = 1
        return self._padded(functional.conv2d(strokes, dilation, padding=1)[0, 0] > 0)

    def stroke(self, mask: BoolArray) -> torch.Tensor:
        """A mask of the frame in what the network sees, `[H, W] bool`."""
        import torch
        from torch.nn import functional

        whole = torch.from_numpy(mask).to(self.seen.mask_features.device, torch.float32)[None, None]
        small = functional.interpolate(whole, size=self.inner, mode="bilinear", align_corners=False)
        if not small.any():  # it fell between the pixels of what the network sees
            small = functional.adaptive_max_pool2d(whole, self.inner)
        return self._padded(small[0, 0] > 0)

    def _padded(self, strokes: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        h, w = self.inner
        return functional.pad(strokes, (0, self.padded[1] - w, 0, self.padded[0] - h))


def inner_size(size: tuple[int, int], short: int) -> tuple[int, int]:
    """Height and width that a frame is resized to, rounded as torchvision's `Resize` does."""
    least, most = min(size), max(size)
    long = min(short * most // least, _LONG_SIDES * short)
    small = short if short * most // least <= long else max(1, long * least // most)
    return (small, long) if size[0] <= size[1] else (long, small)


def stroke_points(strokes: torch.Tensor) -> torch.Tensor:
    """Pixels of one stroke `[H, W] bool`, evenly chosen in raster order where there are many: `[P, 3]`."""
    import torch

    h, w = strokes.shape
    y, x = strokes.nonzero().unbind(1)
    if len(y) > _POINTS:
        chosen = torch.arange(_POINTS, device=y.device) * len(y) // _POINTS
        y, x = y[chosen], x[chosen]
    return torch.stack([torch.zeros_like(x), x / w, y / h], dim=1)
