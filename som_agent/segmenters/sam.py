"""Segment Anything (2023) through its own package, from its own checkpoint files.

The package builds three sizes of the network and must be told which. The weights say it themselves, so any
size loads by the same path: the published ViT-B, ViT-L and ViT-H, a distilled one, or a tiny one of a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import SegmenterError
from som_agent.pretrained import pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.segmenters.crops import Crop, crops
from som_agent.segmenters.everything import View, regions_of_views
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.rules import Everything
from som_agent.segmenters.running import Precision, casting, compile_encoder, input_dtype
from som_agent.segmenters.weights import load_state
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

__all__ = ["SamSegmenter"]

_DECODER_HEADS = 8  # of every published model; heads leave no trace in the shapes of the decoder's weights
_PIXEL_MEAN = [123.675, 116.28, 103.53]
_PIXEL_STD = [58.395, 57.12, 57.375]


class SamSegmenter:
    """Everything mode of Segment Anything: a grid of points, the masks that it is sure of, no duplicates.

    Args:
        checkpoint: a file of weights as the authors publish them (`sam_vit_b_01ec64.pth`).
        device: where it runs; None takes the first GPU or the CPU.
        precision: what the network multiplies in. `float32` gives the original's masks.
        compile: whether the image encoder is compiled at its first frame; see `compile_encoder`.
        everything: the rules of everything mode, `points_per_side=16` for example; see `Everything`.

    Raises:
        SegmenterError: the file is missing, damaged or of another network.
        InputError: a device that is not there, or an option out of its range.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        precision: Precision = "float32",
        compile: bool | str = False,
        **everything: Any,
    ) -> None:
        from segment_anything import SamPredictor

        self.name = f"sam:{checkpoint}"
        self._rules = Everything(**everything)
        self._device, self._precision = pick_device(device), precision
        casting(self._device, precision)
        weights = load_state(checkpoint, self.name)
        self._predictor = SamPredictor(_build(weights, self.name).to(self._device))
        compile_encoder(self._predictor.model.image_encoder, compile)
        self._looked: Frame | None = None

    def segment(self, frame: Frame) -> Regions:
        """The masks of everything, largest first; see `Segmenter`."""
        import torch

        with torch.inference_mode():
            views = map(self._view, crops(frame, self._rules))
            return regions_of_views(views, frame.image.shape[:2], self._rules)

    def prompted(self, frame: Frame, prompt: Prompt) -> BoolArray:
        """The mask of what a prompt points at; see `Prompted.prompted`.

        One point alone may mean a thing or its part: of three masks the one is taken that the network is
        surest of.
        """
        import torch

        prompt.check(frame)
        with torch.inference_mode():
            self._look(frame)
            with casting(self._device, self._precision):
                masks, scores, _ = self._predictor.predict_torch(
                    *self._points(prompt),
                    self._box(prompt),
                    multimask_output=prompt.box is None and len(prompt.points) == 1,
                )
            mask: BoolArray = masks[0, scores[0].argmax()].cpu().numpy()
        return mask

    def _points(self, prompt: Prompt) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Its points as the network sees them, `[1, n, 2]`, and their labels, `[1, n]`."""
        import torch

        if not prompt.points:
            return None, None
        predictor = self._predictor
        points = predictor.transform.apply_coords(np.array(prompt.points), predictor.original_size)
        labels = torch.tensor(prompt.labels, device=self._device)
        return torch.as_tensor(points, dtype=torch.float32, device=self._device)[None], labels[None]

    def _box(self, prompt: Prompt) -> torch.Tensor | None:
        """Its box as the network sees it, `[1, 4]`."""
        import torch

        if prompt.box is None:
            return None
        predictor = self._predictor
        box = predictor.transform.apply_boxes(np.array(prompt.box), predictor.original_size)
        return torch.as_tensor(box, dtype=torch.float32, device=self._device)

    def _look(self, frame: Frame) -> None:
        """Have the frame encoded, once."""
        if self._looked is not frame:
            with casting(self._device, self._precision):
                self._predictor.set_image(np.ascontiguousarray(frame.image))
            self._looked = frame

    def _view(self, crop: Crop) -> View:
        """What the network answers at the points of a crop."""
        self._look(crop.frame)
        predictor, size = self._predictor, crop.frame.image.shape[:2]
        padded = (predictor.model.image_encoder.img_size,) * 2
        steps = ((padded, predictor.input_size), (size, size))
        return View(crop.box, self._proposals(crop.layer), steps)

    def _proposals(self, layer: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Logits and estimated IoU of the masks of each batch of points of the picture that was set."""
        import torch

        predictor, model = self._predictor, self._predictor.model
        embedding, position = predictor.get_image_embedding(), model.prompt_encoder.get_dense_pe()
        points = self._rules.points(layer, predictor.input_size)
        points = points.to(embedding.device, input_dtype(embedding.device))
        for batch in torch.split(points, self._rules.points_per_batch):
            labels = torch.ones(len(batch), 1, dtype=torch.int64, device=batch.device)
            with casting(self._device, self._precision):
                sparse, dense = model.prompt_encoder((batch[:, None], labels), boxes=None, masks=None)
                logits, scores = model.mask_decoder(
                    image_embeddings=embedding,
                    image_pe=position,
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=True,
                )
            yield logits.flatten(0, 1), scores.flatten()


def _build(weights: dict[str, torch.Tensor], name: str) -> Any:
    """The network that the weights belong to, `segment_anything.modeling.Sam` in evaluation mode."""
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
    from torch import nn

    try:
        encoder = _image_encoder(weights)
        embed_dim = weights["image_encoder.neck.0.weight"].shape[0]
        grid = weights["image_encoder.pos_embed"].shape[1]
        decoder = "mask_decoder.transformer.layers"
        attention = weights[f"{decoder}.0.cross_attn_token_to_image.q_proj.weight"]
        model = Sam(
            image_encoder=encoder,
            prompt_encoder=PromptEncoder(
                embed_dim=embed_dim,
                image_embedding_size=(grid, grid),
                input_image_size=(encoder.img_size, encoder.img_size),
                mask_in_chans=weights["prompt_encoder.mask_downscaling.3.weight"].shape[0],
            ),
            mask_decoder=MaskDecoder(
                num_multimask_outputs=weights["mask_decoder.mask_tokens.weight"].shape[0] - 1,
                transformer=TwoWayTransformer(
                    depth=_count(weights, decoder),
                    embedding_dim=embed_dim,
                    mlp_dim=weights[f"{decoder}.0.mlp.lin1.weight"].shape[0],
                    num_heads=_DECODER_HEADS,
                    attention_downsample_rate=embed_dim // attention.shape[0],
                ),
                transformer_dim=embed_dim,
                iou_head_depth=_count(weights, "mask_decoder.iou_prediction_head.layers"),
                iou_head_hidden_dim=weights["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
            ),
            pixel_mean=_PIXEL_MEAN,
            pixel_std=_PIXEL_STD,
        )
        model.load_state_dict(weights, strict=True)
    except KeyError as error:
        raise SegmenterError(
            f"{name}: not a Segment Anything checkpoint, it has no weights {error}"
        ) from error
    except (RuntimeError, ValueError, AssertionError, IndexError, ZeroDivisionError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise SegmenterError(
            f"{name}: not a Segment Anything checkpoint ({' '.join(lines[:2])[:200]})"
        ) from error
    assert isinstance(model, nn.Module)
    return model.eval()


def _image_encoder(weights: dict[str, torch.Tensor]) -> Any:
    """The vision transformer, its dimensions read off the shapes of its weights."""
    import torch
    from segment_anything.modeling import ImageEncoderViT

    root = "image_encoder"
    _, grid, _, width = weights[f"{root}.pos_embed"].shape
    patch = weights[f"{root}.patch_embed.proj.weight"].shape[-1]
    depth = _count(weights, f"{root}.blocks")
    # A block's table of relative positions covers its window, or the whole grid where attention is global.
    tables = [weights[f"{root}.blocks.{i}.attn.rel_pos_h"] for i in range(depth)]
    reach = [(len(table) + 1) // 2 for table in tables]
    windows = sorted({size for size in reach if size != grid})
    if len(windows) > 1:
        raise ValueError(f"attention windows of several sizes: {windows}")
    return ImageEncoderViT(
        img_size=grid * patch,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=width // tables[0].shape[1],
        mlp_ratio=weights[f"{root}.blocks.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=weights[f"{root}.neck.0.weight"].shape[0],
        qkv_bias=f"{root}.blocks.0.attn.qkv.bias" in weights,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=windows[0] if windows else 0,
        global_attn_indexes=tuple(i for i, size in enumerate(reach) if size == grid),
    )


def _count(weights: dict[str, torch.Tensor], prefix: str) -> int:
    """How many numbered layers follow `prefix`."""
    start = len(prefix) + 1
    return len({key[start:].split(".", 1)[0] for key in weights if key.startswith(prefix + ".")})
