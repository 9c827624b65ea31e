"""Semantic-SAM (Li et al. 2023) from its authors' checkpoint files: masks at six levels of granularity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.everything import Steps, regions_of_everything
from som_agent.segmenters.granularity import LEVELS, semantic_sam_levels
from som_agent.segmenters.parents import with_parents
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.rules import Everything, grid_points
from som_agent.segmenters.running import Precision, casting, compile_encoder
from som_agent.segmenters.weights import fill, load_state, looks_like, unfilled
from som_agent.video.frame import Frame, Image

if TYPE_CHECKING:
    import torch

    from som_agent.segmenters.networks.semantic_sam import Seen, SemanticSam

__all__ = ["SemanticSamSegmenter"]

_CLICK = 0.005  # width and height of a point's box, in shares of the picture
_LONG_SIDES = 4  # a picture's long side is at most so many short sides of what the network sees
_BOX_CLICKS = 3  # along each side of a box


_DEFAULTS = {"points_per_batch": 200, "stability_score_thresh": 0.92, "min_mask_region_area": 10}
"""Where the authors' generator, or Set-of-Mark's tool, has other rules than Segment Anything."""


class SemanticSamSegmenter:
    """Everything mode of Semantic-SAM: a grid of points, for each a mask of every level that is asked for.

    The prompts of one call attend to each other in this network, so a point's masks depend on which others
    are in its batch. Batches of `points_per_batch` points of the grid, row by row, belong to the defaults
    for this reason: another number gives other masks, not only another speed.

    Levels of the regions are the network's own from 0 (its level 1, the coarsest) to 5. Each region is linked
    to the smallest larger one that holds it, whatever its level: of masks alike in several levels only the
    one that the network is surest of is kept.

    Args:
        checkpoint: a file of weights as the authors publish them (`swint_only_sam_many2many.pth`,
            `swinl_only_sam_many2many.pth`); the size of the network is read off it.
        device: where it runs; None takes the first GPU or the CPU.
        granularity: from 0 (coarse) to 1 (fine), see `som_agent.segmenters.granularity`; None takes all
            levels.
        levels: which levels, 1 (coarse) to 6 (fine), instead of `granularity`.
        short_side_px: pictures are resized to it, as Set-of-Mark's own tool does; None leaves them as they
            are.
        precision: what the backbone multiplies in; the rest, a small share, is always in float32.
        compile: whether the backbone is compiled at its first frame, and again for frames of another size;
            see `compile_encoder`.
        everything: the rules of everything mode where they are to be others, `points_per_side=16` for
            example; see `Everything`. Masks are measured at the size of the frame. There are no crops.

    Raises:
        SegmenterError: the file is missing, damaged or of another network.
        InputError: a device that is not there, or an option out of its range.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        granularity: float | None = None,
        levels: Sequence[int] | None = None,
        short_side_px: int | None = 640,
        precision: Precision = "float32",
        compile: bool | str = False,
        **everything: Any,
    ) -> None:
        self.name = f"semantic-sam:{checkpoint}"
        self.levels = semantic_sam_levels(granularity) if levels is None else tuple(levels)
        if levels is not None and (granularity is not None or not levels or not set(levels) <= set(LEVELS)):
            raise InputError(
                f"{self.name}: levels are some of 1 to 6, and granularity takes their place, "
                f"got levels {list(levels)} and granularity {granularity}"
            )
        self._rules = Everything(**(_DEFAULTS | everything))
        if self._rules.crop_layers:
            raise InputError(f"{self.name}: it has no crops, got crop_layers {self._rules.crop_layers}")
        if short_side_px is not None and short_side_px < 1:
            raise InputError(f"{self.name}: short_side_px must be at least 1, got {short_side_px}")
        self._device, self._precision = pick_device(device), precision
        casting(self._device, precision)
        self._net = _load(checkpoint, self.name).to(self._device)
        compile_encoder(self._net.backbone, compile)
        self._short_side_px = short_side_px
        self._looked: tuple[Frame, _Looked] | None = None

    def segment(self, frame: Frame) -> Regions:
        """The masks of everything, largest first; see `Segmenter`."""
        import torch

        with torch.inference_mode():
            looked = self._look(frame)
            regions = regions_of_everything(self._everything(looked), looked.steps, self._rules)
            return with_parents(regions)

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """The mask of what a prompt points at; see `Prompted.prompted`.

        Each point on the thing is a click, all in one call, and gives a mask of each level. Of these the one
        is taken that has most of the prompt's points on the right side, and of equals the one that the
        network is surest of.

        The published networks know nothing but clicks. A box is asked about by nine of them inside it, and
        of the masks with most points on the right side the one is taken whose own box fits it best.
        """
        import torch

        from som_kernels import Resize, threshold_logits

        prompt.check(frame)
        h, w = frame.image.shape[:2]
        clicks = list(prompt.on)
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            inside = grid_points(_BOX_CLICKS, (1, 1)).tolist()
            clicks += [(x0 + x * (x1 - x0), y0 + y * (y1 - y0)) for x, y in inside]
        with torch.inference_mode():
            looked = self._look(frame)
            # A pixel's number is its left or top side for the network, whose clicks are shares of the sides.
            points = torch.tensor(clicks, device=self._device) / torch.tensor([w, h], device=self._device)
            logits, scores = self._ask(looked, points.float())
            logits = logits.flatten(0, 1)
            masks = threshold_logits(logits, resize=Resize.steps(logits.shape[1:], *looked.steps))
            fit = scores.flatten().float() if prompt.box is None else _box_iou(masks.boxes, prompt.box)
            whole = masks.unpack()
            right = torch.zeros_like(fit)
            for (x, y), on in zip(prompt.points, prompt.labels, strict=True):
                right += whole[:, int(y), int(x)] == bool(on)
            best = np.lexsort((-fit.cpu().numpy(), -right.cpu().numpy()))[0]
            mask: BoolArray = whole[best].cpu().numpy()
        return mask

    def _look(self, frame: Frame) -> _Looked:
        """Have the frame encoded, once."""
        import torch

        from som_agent.segmenters.networks.pictures import prepared

        if self._looked is None or self._looked[0] is not frame:
            size = frame.image.shape[:2]
            image = frame.image if self._short_side_px is None else _resized(frame.image, self._short_side_px)
            inner = image.shape[:2]
            x = prepared(torch.from_numpy(image.copy()).to(self._device))
            with casting(self._device, self._precision):
                maps = self._net.backbone(x)
            seen = self._net.understand({name: value.float() for name, value in maps.items()})
            padded = (x.shape[2], x.shape[3])
            steps = [(padded, inner)] if inner == size else [(padded, inner), (size, size)]
            self._looked = frame, _Looked(seen, inner, padded, steps)
        return self._looked[1]

    def _everything(self, looked: _Looked) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Logits, estimated IoU and level of the masks of each batch of points."""
        import torch

        points = self._rules.points(0, (1, 1)).float().to(self._device)
        levels = torch.tensor(self.levels, device=self._device) - 1
        for batch in torch.split(points, self._rules.points_per_batch):
            logits, scores = self._ask(looked, batch)
            yield logits.flatten(0, 1), scores.flatten(), levels.repeat(len(batch))

    def _ask(self, looked: _Looked, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Masks of clicks, `[P, 2]` in shares of the picture, in one call: `[P, L, h, w]` and `[P, L]`."""
        import torch

        from som_agent.segmenters.networks.semantic_sam import LEVEL_TOKENS, inner_prompts

        clicks = torch.cat([points, torch.full_like(points, _CLICK)], dim=1)
        tokens = torch.tensor([LEVEL_TOKENS[level - 1] for level in self.levels], device=self._device)
        prompts = inner_prompts(clicks, looked.inner, looked.padded)
        logits, scores, _ = self._net.masks(looked.seen, prompts[None], tokens)
        return logits[0], scores[0]


class _Looked(NamedTuple):
    """A frame as the network sees it, its size there without and with padding, and the way back."""

    seen: Seen
    inner: tuple[int, int]
    padded: tuple[int, int]
    steps: Steps


def _load(checkpoint: str | Path, name: str) -> SemanticSam:
    """The network of a checkpoint, on the CPU."""
    from som_agent.segmenters.networks.semantic_sam import SemanticSam, SemanticSamConfig

    state = load_state(checkpoint, name)
    try:
        config = SemanticSamConfig.of_weights(state)
    except (KeyError, ValueError, IndexError) as error:
        kind = looks_like(state)
        hint = f"; it looks like one of {kind}" if kind and kind != "Semantic-SAM" else ""
        raise SegmenterError(
            f"{name}: not a Semantic-SAM checkpoint, it has no weights {error}{hint}"
        ) from error
    with unfilled():
        net = SemanticSam(config)
    fill(net, state, name, ignore=("criterion.",))
    return net


def _resized(image: Image, short_side_px: int) -> Image:
    """A picture with a short side of so many pixels, as torchvision resizes pictures of Pillow."""
    from PIL import Image as Pillow

    h, w = image.shape[:2]
    scale = min(short_side_px / min(h, w), _LONG_SIDES * short_side_px / max(h, w))
    size = max(int(w * scale + 1e-6), 1), max(int(h * scale + 1e-6), 1)
    if size == (w, h):
        return image
    return np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC))


def _box_iou(boxes: torch.Tensor, box: Sequence[float]) -> torch.Tensor:
    """IoU of masks' boxes `[N, 4]` with a box, `[N] float32`."""
    import torch
    from torchvision.ops import box_iou

    other = torch.tensor([box], dtype=torch.float32, device=boxes.device)
    iou: torch.Tensor = box_iou(boxes.float(), other)[:, 0]
    return iou
