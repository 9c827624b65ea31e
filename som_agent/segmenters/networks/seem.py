"""SEEM (Zou et al. 2023, arXiv 2304.06718): the whole network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from som_agent.segmenters.networks.focalnet import FOCAL_L, FOCAL_T, FocalConfig, FocalNet
from som_agent.segmenters.networks.seem_decoder import SeemDecoder
from som_agent.segmenters.networks.seem_pixels import PixelDecoder
from som_agent.segmenters.networks.seem_queries import Decoded, StrokeQueries, StrokeTokens
from som_agent.segmenters.networks.seem_text import LanguageEncoder, unit

__all__ = ["SEEM_L", "SEEM_T", "Seem", "SeemConfig", "Seen"]

_QUERIES_PER_STROKE = 3
_MEMORIES = 32


@dataclass(frozen=True)
class SeemConfig:
    """Sizes of a SEEM. The defaults are those that both published ones have.

    Attributes:
        backbone: sizes of the FocalNet.
        width: features of maps and tokens.
        mask_width: features of the map that masks are read off.
        dim: features of the texts' vectors.
        hidden: features inside the perceptrons.
        encoder_layers: of the pixel decoder's transformer.
        decoder_layers: of the decoder.
        queries: how many object queries.
        heads: of all attention but that of the reader of words.
        text_width: features inside the reader of words.
        text_heads: of its attention.
        text_layers: how many it has.
        classes: how many classes it was trained on.
        criterion: whether the weights of the training's loss are in the file; nothing uses them.
    """

    backbone: FocalConfig
    width: int = 512
    mask_width: int = 512
    dim: int = 512
    hidden: int = 2048
    encoder_layers: int = 6
    decoder_layers: int = 9
    queries: int = 101
    heads: int = 8
    text_width: int = 512
    text_heads: int = 8
    text_layers: int = 12
    classes: int = 133
    criterion: bool = True

    @classmethod
    def of_weights(cls, state: Mapping[str, torch.Tensor]) -> SeemConfig:
        """The sizes of the network whose weights these are; heads leave no trace in them.

        Raises:
            KeyError: they are not of a SEEM.
        """
        decoder, pixels = "sem_seg_head.predictor", "sem_seg_head.pixel_decoder"
        layer = f"{pixels}.transformer.encoder.layers"
        text = f"{decoder}.lang_encoder.lang_encoder"
        empty = state.get("criterion.empty_weight")
        return cls(
            backbone=FocalConfig.of_weights(state, "backbone."),
            width=state[f"{decoder}.query_feat.weight"].shape[1],
            mask_width=state[f"{pixels}.mask_features.weight"].shape[0],
            dim=state[f"{decoder}.class_embed"].shape[1],
            hidden=state[f"{decoder}.transformer_ffn_layers.0.linear1.weight"].shape[0],
            encoder_layers=_count(state, layer),
            decoder_layers=_count(state, f"{decoder}.transformer_ffn_layers"),
            queries=state[f"{decoder}.query_feat.weight"].shape[0],
            text_width=state[f"{decoder}.lang_encoder.lang_proj"].shape[0],
            text_layers=_count(state, f"{text}.resblocks"),
            classes=cls.classes if empty is None else len(empty) - 1,
            criterion=empty is not None,
        )


SEEM_T = SeemConfig(FOCAL_T)
SEEM_L = SeemConfig(FOCAL_L)


@dataclass(frozen=True)
class Seen:
    """What the network saw in a picture, before any question: maps `[1, C, h, w]`.

    Attributes:
        levels: of stride 32, 16 and 8.
        mask_features: of stride 4.
    """

    levels: Sequence[torch.Tensor]
    mask_features: torch.Tensor


class Seem(nn.Module):
    """Look at a picture once, then ask for its objects, for what strokes mean, and for what phrases name."""

    dilation_kernel: torch.Tensor

    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FocalNet(config.backbone)
        self.sem_seg_head = _Head(config)
        self.register_buffer("dilation_kernel", torch.ones(1, 1, 3, 3))
        if config.criterion:
            self.criterion = nn.Module()
            self.criterion.register_buffer("empty_weight", torch.ones(config.classes + 1))

    @property
    def decoder(self) -> SeemDecoder:
        """What asks."""
        return self.sem_seg_head.predictor

    @property
    def language(self) -> LanguageEncoder:
        """What reads words."""
        return self.decoder.lang_encoder

    def look(self, pixels: torch.Tensor) -> Seen:
        """See a picture, `[1, 3, H, W]`, normalised; H and W are multiples of 32."""
        return Seen(*self.sem_seg_head.pixel_decoder(self.backbone(pixels)))

    def decode(
        self, seen: Seen, *, strokes: StrokeQueries | None = None, phrases: torch.Tensor | None = None
    ) -> Decoded:
        """Ask; see `SeemDecoder.forward`."""
        decoded: Decoded = self.decoder(seen.levels, seen.mask_features, strokes=strokes, phrases=phrases)
        return decoded

    def read_strokes(self, seen: Seen, on: torch.Tensor, off: torch.Tensor, count: int) -> StrokeTokens:
        """What is under strokes; see `SeemDecoder.read_strokes`."""
        return self.decoder.read_strokes(seen.levels, seen.mask_features, on, off, count)

    def stroke_queries(
        self,
        tokens: StrokeTokens,
        *,
        queries: torch.Tensor | None = None,
        previous: torch.Tensor | None = None,
        memories: torch.Tensor | None = None,
    ) -> StrokeQueries:
        """Strokes to be answered, with fixed choices where upstream draws at random.

        Args:
            tokens: what is under the strokes.
            queries: as in `StrokeQueries`; None spreads them over the object queries.
            previous: as in `StrokeQueries`.
            memories: as in `StrokeQueries`; None gives each stroke as many.
        """
        count, device = len(tokens.means), tokens.means.device
        if queries is None:
            step = max(1, self.config.queries // _QUERIES_PER_STROKE)
            queries = (torch.arange(_QUERIES_PER_STROKE, device=device) * step).repeat(count)
        if previous is not None and memories is None:
            shared = torch.arange(_MEMORIES, device=device) * count // _MEMORIES
            memories = shared.expand(self.config.decoder_layers, -1)
        return StrokeQueries(tokens, queries, previous, memories)

    def class_vectors(self, groups: Sequence[Sequence[Sequence[int]]], *, batch: int = 512) -> torch.Tensor:
        """A unit vector for each class, `[classes, dim] float32`: the mean of those of its texts.

        Args:
            groups: for each class its texts, each as ids up to and including the end token.
            batch: texts read at once.
        """
        texts = sorted((len(ids), i, tuple(ids)) for i, group in enumerate(groups) for ids in group)
        device = self.dilation_kernel.device
        sums = torch.zeros(len(groups), self.config.dim, device=device)
        for start in range(0, len(texts), batch):
            part = texts[start : start + batch]
            longest = part[-1][0]
            ids = torch.tensor([[*ids, *[0] * (longest - n)] for n, _, ids in part], device=device)
            owner = torch.tensor([i for _, i, _ in part], device=device)
            sums.index_add_(0, owner, unit(self.language.texts(ids).float()))
        return nn.functional.normalize(sums, dim=-1)


class _Head(nn.Module):
    def __init__(self, config: SeemConfig) -> None:
        super().__init__()
        self.pixel_decoder = PixelDecoder(
            config.backbone.widths,
            config.width,
            config.mask_width,
            layers=config.encoder_layers,
            hidden=config.hidden,
            heads=config.heads,
        )
        self.predictor = SeemDecoder(
            config.width,
            config.mask_width,
            config.dim,
            queries=config.queries,
            layers=config.decoder_layers,
            hidden=config.hidden,
            heads=config.heads,
            language=LanguageEncoder(config.text_width, config.text_heads, config.text_layers, config.dim),
        )


def _count(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    """How many numbered parts follow `prefix`."""
    start = len(prefix) + 1
    return len({key[start:].split(".", 1)[0] for key in state if key.startswith(prefix + ".")})
