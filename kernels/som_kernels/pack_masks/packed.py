"""The packed form, and the operation that makes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from som_kernels import _check
from som_kernels._dispatch import Backend, implementation

__all__ = ["WORD", "PackedMasks", "masks_argument", "pack_masks", "packed"]

WORD = 32  # pixels in a word


@dataclass(frozen=True, eq=False)
class PackedMasks:
    """`N` masks of `H` × `W` pixels, one bit each, with what makes comparing them quick.

    Attributes:
        words: `[N, H, ceil(W / 32)] int32`; bit `x % 32` of word `x // 32` of row y is pixel x, y. Bits
            beyond the width are 0.
        boxes: tight boxes, `[N, 4] int32` as x0, y0, x1, y1 with x1 and y1 one past the last pixel; zeros
            for an empty mask.
        areas: pixels of each mask, `[N] int64`.
        width: `W` in pixels.
    """

    words: torch.Tensor
    boxes: torch.Tensor
    areas: torch.Tensor
    width: int

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return f"PackedMasks({len(self)} masks, {self.width}x{self.height} px, {self.device})"

    def __getitem__(self, chosen: torch.Tensor | slice) -> PackedMasks:
        """The masks of a slice, of indices `[K] int64` or of a choice `[N] bool`, in that order.

        Raises:
            TypeError: anything else; a single mask is a slice of one.
        """
        _check.instance("index", chosen, (torch.Tensor, slice), "a slice or a torch.Tensor")
        return PackedMasks(self.words[chosen], self.boxes[chosen], self.areas[chosen], self.width)

    @property
    def height(self) -> int:
        """`H` in pixels."""
        return self.words.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.words.device

    def unpack(self) -> torch.Tensor:
        """The masks as they were, `[N, H, W] bool`."""
        masks: torch.Tensor = implementation(__package__ or "", None, self.device).unpack_masks(
            self.words, self.width
        )
        return masks


def pack_masks(masks: torch.Tensor, *, backend: Backend | None = None) -> PackedMasks:
    """Pack masks to one bit a pixel, to be compared many times.

    Args:
        masks: `[N, H, W] bool`.
        backend: force an implementation; None chooses by device.

    Returns:
        The packed masks, on the same device.

    Raises:
        TypeError: not a tensor of bool.
        ValueError: another shape.
    """
    _check.tensor("masks", masks, torch.bool, "N, H, W")
    module = implementation(__package__ or "", backend, masks.device)
    words, boxes, areas = module.pack_masks(masks)
    return PackedMasks(words, boxes, areas, width=masks.shape[2])


def packed(name: str, masks: torch.Tensor | PackedMasks, backend: Backend | None = None) -> PackedMasks:
    """The masks, packed if they are not yet; a wrong argument is named `name`.

    Raises:
        TypeError: neither packed nor a tensor of bool.
        ValueError: another shape.
    """
    checked = masks_argument(name, masks)
    return checked if isinstance(checked, PackedMasks) else pack_masks(checked, backend=backend)


def masks_argument(name: str, masks: object) -> torch.Tensor | PackedMasks:
    """The value, if it is masks in either form; errors as for `packed`."""
    if isinstance(masks, PackedMasks):
        return masks
    _check.instance(name, masks, torch.Tensor, "PackedMasks or a torch.Tensor of bool")
    return _check.tensor(name, masks, torch.bool, "N, H, W")
