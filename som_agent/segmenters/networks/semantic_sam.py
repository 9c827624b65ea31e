"""Semantic-SAM (Li et al. 2023): points → masks at six granularities.

The variant trained on SA-1B alone, the one that is published. Its language heads are in the checkpoint files
but take no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import nn

from som_agent.segmenters.networks.box_decoder import BoxDecoder, BoxDecoderConfig, Memory, refined
from som_agent.segmenters.networks.mlp import Mlp
from som_agent.segmenters.networks.pixel_decoder import PixelDecoder, PixelDecoderConfig
from som_agent.segmenters.networks.positions import inverse_sigmoid
from som_agent.segmenters.networks.swin import SWIN_L, SWIN_T, Swin, SwinConfig

__all__ = [
    "LEVEL_TOKENS",
    "SEMANTIC_SAM_L",
    "SEMANTIC_SAM_T",
    "PromptMasks",
    "Seen",
    "SemanticSam",
    "SemanticSamConfig",
    "inner_prompts",
]

LEVEL_TOKENS = (3, 2, 0, 4, 1, 5)
"""The mask token of each granularity level, levels 1 (coarsest) to 6 (finest) in the authors' numbers."""


@dataclass(frozen=True)
class SemanticSamConfig:
    """Sizes of a Semantic-SAM.

    Attributes:
        backbone: of the backbone.
        pixels: of the pixel decoder.
        prompts: of the prompt decoder.
        language_dim: of the language embeddings, which take no part.
        tokens: masks for each prompt.
    """

    backbone: SwinConfig
    pixels: PixelDecoderConfig = field(default_factory=PixelDecoderConfig)
    prompts: BoxDecoderConfig = field(default_factory=BoxDecoderConfig)
    language_dim: int = 512
    tokens: int = 6

    @classmethod
    def of_weights(cls, state: Mapping[str, torch.Tensor]) -> SemanticSamConfig:
        """The sizes that a checkpoint's shapes say.

        Raises:
            KeyError: a name that every Semantic-SAM has is not there.
        """
        backbone = SwinConfig.of_weights(state)
        pixels = PixelDecoderConfig.of_weights(state, backbone.channels)
        predictor = "sem_seg_head.predictor."
        layers = f"{predictor}decoder.layers."
        tokens, dim = state[f"{predictor}mask_tokens.weight"].shape
        return cls(
            backbone=backbone,
            pixels=pixels,
            prompts=BoxDecoderConfig(
                dim=dim,
                layers=len({key[len(layers) :].split(".")[0] for key in state if key.startswith(layers)}),
                hidden=state[f"{layers}0.linear1.weight"].shape[0],
                levels=pixels.levels,
            ),
            language_dim=state[f"{predictor}lang_mapper"].shape[0],
            tokens=tokens,
        )


SEMANTIC_SAM_T = SemanticSamConfig(SWIN_T)
SEMANTIC_SAM_L = SemanticSamConfig(SWIN_L)


class Seen(NamedTuple):
    """What the network knows of pictures before it is asked about them.

    Attributes:
        mask_features: `[B, mask_dim, H / 4, W / 4]`.
        levels: of the pixel decoder, `[B, dim, h, w]` each, finest first.
        memory: what prompts look at: the levels, coarsest first.
    """

    mask_features: torch.Tensor
    levels: list[torch.Tensor]
    memory: Memory


class PromptMasks(NamedTuple):
    """Masks of prompts, of all tokens.

    Attributes:
        logits: `[B, P, tokens, h, w]` at a quarter of the padded picture's size.
        ious: the network's estimate of each mask's IoU, `[B, P, tokens]`; a regression, it may leave 0..1.
        boxes: `[B, P, tokens, 4]` as centre x, centre y, width, height in shares of the padded picture.
    """

    logits: torch.Tensor
    ious: torch.Tensor
    boxes: torch.Tensor


def inner_prompts(prompts: torch.Tensor, size: tuple[int, int], padded: tuple[int, int]) -> torch.Tensor:
    """Prompts in shares of a picture, `[..., 4]`, in shares of that picture padded to another size."""
    y, x = size[0] / padded[0], size[1] / padded[1]
    return prompts * torch.tensor([x, y, x, y], dtype=prompts.dtype, device=prompts.device)


class SemanticSam(nn.Module):
    """Pictures and prompts → masks. A picture is looked at once, for any number of calls with prompts."""

    def __init__(self, config: SemanticSamConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Swin(config.backbone)
        self.sem_seg_head = _Head(config)

    def look(self, images: torch.Tensor) -> Seen:
        """Encode pictures `[B, 3, H, W]`, normalised and padded to multiples of 32."""
        return self.understand(self.backbone(images))

    def understand(self, maps: Mapping[str, torch.Tensor]) -> Seen:
        """What comes after the backbone, for those who run that in another precision."""
        pixels = self.sem_seg_head.pixel_decoder(maps)
        memory = self.sem_seg_head.predictor.decoder.remember(pixels.levels[::-1])
        return Seen(pixels.mask_features, pixels.levels, memory)

    def masks(self, seen: Seen, prompts: torch.Tensor, tokens: torch.Tensor | None = None) -> PromptMasks:
        """Masks of prompts. All prompts of one call attend to each other.

        Args:
            seen: the pictures.
            prompts: `[B, P, 4]` as centre x, centre y, width, height in shares of the padded picture; a
                click has a width and height of 0.005 before the shares are taken.
            tokens: which masks are wanted, `[L] int64`; None gives those of all tokens.
        """
        out: PromptMasks = self.sem_seg_head.predictor(seen, prompts, tokens)
        return out


class _Head(nn.Module):
    """Here for the names alone."""

    def __init__(self, config: SemanticSamConfig) -> None:
        super().__init__()
        self.pixel_decoder = PixelDecoder(config.pixels, config.backbone.channels)
        self.predictor = _Predictor(config)


class _Predictor(nn.Module):
    def __init__(self, config: SemanticSamConfig) -> None:
        super().__init__()
        dim = config.prompts.dim
        self.tokens = config.tokens
        # For language alone; they are in the files.
        self.lang_mapper = nn.Parameter(torch.zeros(config.language_dim, dim))
        self.class_embed = nn.Parameter(torch.zeros(dim, config.language_dim))
        self.class_embed_part = nn.Parameter(torch.zeros(dim, config.language_dim))
        self.label_enc = nn.Embedding(2, dim)
        self.pb_embedding = nn.Embedding(2, dim)
        self.mask_tokens = nn.Embedding(config.tokens, dim)
        self._bbox_embed = Mlp(dim, dim, dim, 4)
        self.bbox_embed = nn.ModuleList([self._bbox_embed] * config.prompts.layers)
        self.decoder = BoxDecoder(config.prompts, self._bbox_embed)
        self.decoder_norm = self.decoder.norm
        self.mask_embed = Mlp(dim, dim, dim, config.pixels.mask_dim)
        self.iou_prediction_head = Mlp(dim, dim, dim, 1)

    def forward(self, seen: Seen, prompts: torch.Tensor, tokens: torch.Tensor | None = None) -> PromptMasks:
        """See `SemanticSam.masks`."""
        batch, count, _ = prompts.shape
        content = self.label_enc.weight[0] + self.pb_embedding.weight[0] + self.mask_tokens.weight
        content = content.repeat(count, 1).expand(batch, -1, -1)
        boxes = inverse_sigmoid(prompts).sigmoid().repeat_interleave(self.tokens, dim=1)
        decoded = self.decoder.decode(content, boxes, seen.memory)
        return self.heads(decoded.content[-1], decoded.boxes[-2], seen.mask_features, tokens)

    def heads(
        self,
        content: torch.Tensor,
        boxes: torch.Tensor,
        mask_features: torch.Tensor,
        tokens: torch.Tensor | None = None,
    ) -> PromptMasks:
        """Read masks off what a layer gives (normed once already) and the boxes that went into it."""
        batch, count, dim = content.shape
        shape = (batch, count // self.tokens, self.tokens)
        content, boxes = self.decoder_norm(content).view(*shape, dim), boxes.view(*shape, 4)
        if tokens is not None:
            content, boxes = content[:, :, tokens], boxes[:, :, tokens]
        logits = torch.einsum("bptc,bchw->bpthw", self.mask_embed(content), mask_features)
        ious = self.iou_prediction_head(content)[..., 0]
        return PromptMasks(logits, ious, refined(boxes, self._bbox_embed(content)))
