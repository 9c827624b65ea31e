"""MaskDINO (arXiv 2206.02777): queries with boxes, each of which answers with a class and a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import nn

from som_agent.segmenters.networks.box_decoder import BoxDecoder, BoxDecoderConfig, box_proposals, refined
from som_agent.segmenters.networks.mlp import Mlp
from som_agent.segmenters.networks.pixel_decoder import PixelDecoder, PixelDecoderConfig, PixelMaps
from som_agent.segmenters.networks.positions import inverse_sigmoid
from som_agent.segmenters.networks.resnet import ResNet, ResNetConfig
from som_agent.segmenters.networks.swin import Swin, SwinConfig

__all__ = ["BoxStart", "MaskDino", "MaskDinoConfig", "Proposals", "QueryAnswers", "mask_boxes"]

BoxStart = Literal["no", "mask2box", "bitmask"]
"""Where the boxes of proposals start, in the authors' words: where they were proposed (`no`), or around the
proposals' first masks, up to the last pixel (`mask2box`) or one past it (`bitmask`)."""

_FAR = 1e8  # where an empty mask's first pixel is for `mask2box`


@dataclass(frozen=True)
class MaskDinoConfig:
    """Sizes and ways of a MaskDINO.

    Attributes:
        backbone: of the backbone.
        pixels: of the pixel decoder.
        decoder: of the query decoder.
        classes: that have a name.
        softmax: whether classes exclude each other and one more stands for nothing; else each is a question
            of its own.
        queries: how many there are.
        learned: whether queries are weights; else they are the best proposals of the encoder.
        box_start: see `BoxStart`; learned queries have boxes of their own.
    """

    backbone: ResNetConfig | SwinConfig = field(default_factory=ResNetConfig)
    pixels: PixelDecoderConfig = field(default_factory=PixelDecoderConfig)
    decoder: BoxDecoderConfig = field(default_factory=BoxDecoderConfig)
    classes: int = 80
    softmax: bool = False
    queries: int = 300
    learned: bool = False
    box_start: BoxStart = "no"

    @classmethod
    def of_weights(
        cls, state: Mapping[str, torch.Tensor], *, queries: int = 300, box_start: BoxStart = "no"
    ) -> MaskDinoConfig:
        """What a checkpoint's shapes say, and what they do not.

        Args:
            state: the checkpoint.
            queries: how many proposals are taken; learned queries are counted.
            box_start: see the class.

        Raises:
            KeyError: a name that every MaskDINO has is not there.
        """
        resnet = "backbone.stem.conv1.weight" in state
        backbone = ResNetConfig.of_weights(state) if resnet else SwinConfig.of_weights(state)
        pixels = PixelDecoderConfig.of_weights(state, backbone.channels)
        predictor = "sem_seg_head.predictor."
        layers = f"{predictor}decoder.layers."
        classes, dim = state[f"{predictor}label_enc.weight"].shape
        own = state.get(f"{predictor}query_feat.weight")
        return cls(
            backbone=backbone,
            pixels=pixels,
            decoder=BoxDecoderConfig(
                dim=dim,
                layers=len({key[len(layers) :].split(".")[0] for key in state if key.startswith(layers)}),
                hidden=state[f"{layers}0.linear1.weight"].shape[0],
                levels=pixels.levels,
            ),
            classes=classes,
            softmax=state[f"{predictor}class_embed.weight"].shape[0] == classes + 1,
            queries=queries if own is None else own.shape[0],
            learned=own is not None,
            box_start=box_start,
        )


class QueryAnswers(NamedTuple):
    """What the queries answer.

    Attributes:
        logits: of the classes, `[B, Q, classes]`, one more for nothing at the end where they exclude each
            other.
        masks: logits `[B, Q, h, w]` at a quarter of the padded picture's size.
        boxes: `[B, Q, 4]` as centre x, centre y, width, height in shares of the padded picture.
    """

    logits: torch.Tensor
    masks: torch.Tensor
    boxes: torch.Tensor


class Proposals(NamedTuple):
    """What the encoder proposes.

    Attributes:
        scores: highest class logit of every cell, `[B, S]`, coarsest level first where the maps run from the
            finest.
        indices: the best cells, best first, `[B, Q] int64`.
        content: `[B, Q, dim]`.
        boxes: `[B, Q, 4]` in 0..1.
    """

    scores: torch.Tensor
    indices: torch.Tensor
    content: torch.Tensor
    boxes: torch.Tensor


class MaskDino(nn.Module):
    """Pictures → classes, masks and boxes of queries."""

    def __init__(self, config: MaskDinoConfig) -> None:
        super().__init__()
        self.config = config
        of_resnet = isinstance(config.backbone, ResNetConfig)
        self.backbone = ResNet(config.backbone) if of_resnet else Swin(config.backbone)  # type: ignore[arg-type]
        self.sem_seg_head = _Head(config)
        # Of the loss: it takes no part, but the files have it.
        self.criterion = nn.Module()
        self.criterion.register_buffer("empty_weight", torch.ones(config.classes + 1))

    def look(self, images: torch.Tensor) -> PixelMaps:
        """Encode pictures `[B, 3, H, W]`, normalised and padded to multiples of 32."""
        return self.decode(self.backbone(images))

    def decode(self, maps: Mapping[str, torch.Tensor]) -> PixelMaps:
        """The pixel decoder's maps of the backbone's."""
        decoded: PixelMaps = self.sem_seg_head.pixel_decoder(maps)
        return decoded

    def answers(self, maps: PixelMaps) -> QueryAnswers:
        """What the queries answer to encoded pictures."""
        out: QueryAnswers = self.sem_seg_head.predictor(maps)
        return out

    def forward(self, images: torch.Tensor) -> QueryAnswers:
        """`look`, then `answers`."""
        return self.answers(self.look(images))


class _Head(nn.Module):
    def __init__(self, config: MaskDinoConfig) -> None:
        super().__init__()
        self.pixel_decoder = PixelDecoder(config.pixels, config.backbone.channels)
        self.predictor = _Predictor(config)


class _Predictor(nn.Module):
    def __init__(self, config: MaskDinoConfig) -> None:
        super().__init__()
        dim = config.decoder.dim
        self.config = config
        self.label_enc = nn.Embedding(config.classes, dim)  # of training; the files have it
        if config.learned:
            self.query_feat = nn.Embedding(config.queries, dim)
            self.query_embed = nn.Embedding(config.queries, 4)
        else:
            self.enc_output = nn.Linear(dim, dim)
            self.enc_output_norm = nn.LayerNorm(dim)
        self.class_embed = nn.Linear(dim, config.classes + config.softmax)
        self.mask_embed = Mlp(dim, dim, dim, config.pixels.mask_dim)
        self._bbox_embed = Mlp(dim, dim, dim, 4)
        self.bbox_embed = nn.ModuleList([self._bbox_embed] * config.decoder.layers)
        self.decoder = BoxDecoder(config.decoder, self._bbox_embed)
        self.decoder_norm = self.decoder.norm

    def forward(self, maps: PixelMaps) -> QueryAnswers:
        """See `MaskDino.answers`."""
        decoded = self.decoder(*self.start(maps), maps.levels[::-1])
        content = decoded.content[-1]
        # Heads read content that is normed twice, the last box comes of what is normed once.
        return QueryAnswers(
            self.class_logits(content),
            self.mask_logits(content, maps.mask_features),
            refined(decoded.boxes[-2], self._bbox_embed(content)),
        )

    def start(self, maps: PixelMaps) -> tuple[torch.Tensor, torch.Tensor]:
        """What the queries start as and where, `[B, Q, dim]` and `[B, Q, 4]`."""
        if self.config.learned:
            batch = len(maps.mask_features)
            content, boxes = self.query_feat.weight, self.query_embed.weight.sigmoid()
            return content.expand(batch, -1, -1), boxes.expand(batch, -1, -1)
        found = self.propose(maps)
        if self.config.box_start == "no":
            return found.content, found.boxes
        inside = self.mask_logits(found.content, maps.mask_features) > 0
        h, w = inside.shape[-2:]
        boxes = mask_boxes(inside, past_the_end=self.config.box_start == "bitmask")
        low, high = boxes[..., :2], boxes[..., 2:]
        boxes = torch.cat([(low + high) / 2, high - low], dim=-1) / boxes.new_tensor([w, h, w, h])
        return found.content, inverse_sigmoid(boxes).sigmoid()

    def propose(self, maps: PixelMaps) -> Proposals:
        """The cells that look most like some class."""
        levels = maps.levels[::-1]
        memory = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        memory, boxes = box_proposals(memory, [(level.shape[2], level.shape[3]) for level in levels])
        memory = self.enc_output_norm(self.enc_output(memory))
        scores = self.class_embed(memory).amax(dim=-1)
        indices = scores.topk(min(self.config.queries, scores.shape[1]), dim=1).indices
        content = memory.gather(1, indices[..., None].expand(-1, -1, memory.shape[-1]))
        boxes = boxes.gather(1, indices[..., None].expand(-1, -1, 4))
        return Proposals(scores, indices, content, (self._bbox_embed(content) + boxes).sigmoid())

    def class_logits(self, content: torch.Tensor) -> torch.Tensor:
        """Logits of the classes of queries `[B, Q, dim]`."""
        logits: torch.Tensor = self.class_embed(self.decoder_norm(content))
        return logits

    def mask_logits(self, content: torch.Tensor, mask_features: torch.Tensor) -> torch.Tensor:
        """Logits of the masks of queries, `[B, Q, h, w]`."""
        return torch.einsum("bqc,bchw->bqhw", self.mask_embed(self.decoder_norm(content)), mask_features)


def mask_boxes(masks: torch.Tensor, *, past_the_end: bool) -> torch.Tensor:
    """Boxes around masks `[..., h, w] bool`: `[..., 4] float32` as x0, y0, x1, y1.

    Args:
        masks: some may be empty: those have zeros, or x0 and y0 far away where boxes end at the last pixel.
        past_the_end: whether x1 and y1 are one past the last pixel of the mask, or that pixel's own.
    """
    low, high = [], []
    for axis in (-2, -1):  # over the rows for x, over the columns for y
        line = masks.any(dim=axis)
        cells, some = line.shape[-1], line.any(dim=-1)
        line = line.to(torch.uint8)
        first, back = line.argmax(dim=-1), line.flip(-1).argmax(dim=-1)
        low.append(first.float().masked_fill(~some, 0 if past_the_end else _FAR))
        high.append((cells - 1 - back + past_the_end).float().masked_fill(~some, 0))
    return torch.stack([*low, *high], dim=-1)
