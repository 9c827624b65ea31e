"""The mask generator of segment-anything without its networks: stand-ins hand out maps made before."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from torch import nn

from bench.sam_inputs import SQUARE

__all__ = ["generator"]


class _Encoder(nn.Module):
    """Says what size of picture it would take."""

    img_size = SQUARE


class _Prompts(nn.Module):
    """Hands the points on, so that the decoder knows how many they are."""

    def forward(self, points: tuple[torch.Tensor, torch.Tensor], **_: Any) -> tuple[torch.Tensor, None]:
        return points[0], None

    def get_dense_pe(self) -> None:
        """Nothing needs it."""


class _Decoder(nn.Module):
    """The next maps and scores for each batch of points."""

    def __init__(self, logits: torch.Tensor, scores: torch.Tensor) -> None:
        super().__init__()
        self.logits, self.scores = logits.unflatten(0, (-1, 3)), scores.unflatten(0, (-1, 3))
        self.begin = 0

    def forward(
        self, *, sparse_prompt_embeddings: torch.Tensor, **_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        part = slice(self.begin, self.begin + len(sparse_prompt_embeddings))
        self.begin = part.stop
        return self.logits[part], self.scores[part]


class _Predictor(SamPredictor):
    """Does nothing with a picture but remember its size."""

    def set_image(self, image: np.ndarray[Any, Any], image_format: str = "RGB") -> None:
        self.reset_image()
        self.original_size = image.shape[:2]
        self.input_size = self.transform.get_preprocess_shape(*self.original_size, SQUARE)
        self.model.mask_decoder.begin = 0
        self.is_image_set = True


def generator(logits: torch.Tensor, scores: torch.Tensor, min_area: int) -> SamAutomaticMaskGenerator:
    """A generator whose network answers with these maps `[N, 256, 256]` and scores `[N]`, three a point."""
    model = Sam(_Encoder(), _Prompts(), _Decoder(logits, scores))
    per_side = round((len(logits) / 3) ** 0.5)
    made = SamAutomaticMaskGenerator(model, points_per_side=per_side, min_mask_region_area=min_area)
    made.predictor = _Predictor(model)
    return made
