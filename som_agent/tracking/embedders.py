"""Models that turn a picture of an object into a vector: alike objects have vectors of alike directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from som_agent.errors import TrackingError, first_line
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.regions import BoolArray, FloatArray
from som_agent.video.frame import Image

if TYPE_CHECKING:
    import torch

__all__ = ["Embedder", "HfEmbedder", "crop", "load_embedder"]

MARGIN = 0.1
"""Ground around an object, as a share of its longer side: the image processor of DINOv2 cuts the outer
sixteenth off on each side of what it is given, and nothing of the object may lie there."""


class Embedder(Protocol):
    """Objects of a picture → a vector each."""

    @property
    def name(self) -> str:
        """How it was asked for."""
        ...

    def embed(self, image: Image, masks: BoolArray) -> FloatArray:
        """Embed objects, each on its own: what else is in the picture makes no difference.

        Args:
            image: `[h, w, 3] uint8` RGB.
            masks: `[N, h, w] bool`, none of them empty.

        Returns:
            `[N, D] float32`, of length 1 each.
        """
        ...


def load_embedder(spec: str | Embedder, *, device: str | None = None) -> Embedder:
    """The embedder of a name; a ready one is handed back as it is.

    Args:
        spec: `hf:REPO_OR_DIR`, or an object with `name` and `embed`.
        device: where a network runs, `cuda:0` for example; None takes the first GPU or the CPU.

    Raises:
        TrackingError: an unknown name, or files that cannot be used.
        InputError: a device that is not there.
    """
    if not isinstance(spec, str):
        return spec
    if spec.startswith("hf:") and len(spec) > len("hf:"):
        return HfEmbedder(spec.removeprefix("hf:"), device=device)
    raise TrackingError(
        f"unknown embedder {spec!r}; known: hf:REPO_OR_DIR (DINOv2, DINOv3, CLIP or SigLIP of transformers)"
    )


class HfEmbedder:
    """A vision network of transformers: DINOv2, DINOv3, CLIP, SigLIP and others of their make.

    Of each network the one vector is taken that its authors trained to stand for a whole picture: the class
    token after the last norm of DINOv2 (Oquab et al., 2023) and DINOv3 (Siméoni et al., 2025), the projected
    image features of CLIP (Radford et al., ICML 2021) and SigLIP (Zhai et al., ICCV 2023), whose vision
    towers alone give what comes before the projection. CNOS (Nguyen et al., ICCVW 2023) tells objects
    apart by the class token of DINOv2 and the cosine, on crops of which the rest is blotted out, as here.
    A mean of the patches under the mask would need the grid of each network and its processor, and CLIP was
    never trained for it.

    Args:
        source: a folder written by `save_pretrained` (network and image processor), or `ORG/NAME` of the hub.
        device: where it runs; None takes the first GPU or the CPU.

    Raises:
        TrackingError: nothing of that name, damaged files, or a network that gives no such vector.
        InputError: a device that is not there.
    """

    def __init__(self, source: str, *, device: str | None = None) -> None:
        from transformers import MODEL_MAPPING, AutoConfig, AutoImageProcessor, AutoModel

        self.name = f"hf:{source}"
        where = local_or_hub(source, TrackingError)
        config = load_pretrained(AutoConfig, where, TrackingError)
        kind = MODEL_MAPPING.get(type(config), None)
        self._projects = hasattr(kind, "get_image_features")
        if not self._projects and getattr(kind, "main_input_name", None) != "pixel_values":
            raise TrackingError(
                f"{self.name} is a {config.model_type} network, which embeds no pictures; "
                "DINOv2, DINOv3, CLIP and SigLIP do"
            )
        self.device = pick_device(device)
        self._processor = load_pretrained(AutoImageProcessor, where, TrackingError)
        model = load_pretrained(AutoModel, where, TrackingError, output_loading_info=True)
        self._model = model.eval().to(self.device)
        mean = getattr(self._processor, "image_mean", None) or [0.5]
        # What the network sees as 0: neither bright nor dark, and of no colour.
        self.fill = np.broadcast_to(np.rint(255 * np.asarray(mean)).astype(np.uint8), 3)
        self._try()

    def embed(self, image: Image, masks: BoolArray) -> FloatArray:
        """See `Embedder`. All objects of a call go through the network at once."""
        if not len(masks):
            return np.zeros((0, self._length), np.float32)
        vectors = self._vectors([crop(image, mask, self.fill) for mask in masks])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths == 0).any():
            raise TrackingError(f"{self.name} made a vector without direction of a crop")
        return np.asarray(vectors / lengths, np.float32)

    def _vectors(self, crops: list[Image]) -> FloatArray:
        """`[N, D] float32`, of any length."""
        import torch

        inputs = self._processor(images=crops, input_data_format="channels_last", return_tensors="pt")
        given = {name: self._put(value) for name, value in inputs.items()}
        with torch.inference_mode():
            output: Any = self._model.get_image_features(**given) if self._projects else self._model(**given)
        pooled = output.pooler_output
        return np.asarray(pooled.flatten(1).float().cpu().numpy(), np.float32)

    def _put(self, value: torch.Tensor) -> torch.Tensor:
        return value.to(self.device, self._model.dtype if value.is_floating_point() else None)

    def _try(self) -> None:
        """Embed a grey square: what cannot work must show before a video is under way."""
        try:
            vectors = self._vectors([np.full((32, 32, 3), 127, np.uint8)])
        except (
            Exception
        ) as cause:  # networks of any kind can fail in any way; nothing is hidden, it is chained
            raise TrackingError(
                f"{self.name} gives no embedding of a picture: {first_line(cause)}"
            ) from cause
        self._length = vectors.shape[1]


def crop(image: Image, mask: BoolArray, fill: Image) -> Image:
    """An object alone, in the middle of a square with a little margin, `[s, s, 3] uint8`.

    Square, because image processors cut the ends of long pictures off. All that is not the object has one
    colour: neither what hides it nor the ground that it left may speak for it.

    Args:
        image: `[h, w, 3] uint8` RGB.
        mask: the object, `[h, w] bool`, not empty.
        fill: colour of the rest, `[3] uint8`.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    own, picture = mask[box], image[box]
    h, w = own.shape
    side = max(h, w) + 2 * int(np.ceil(MARGIN * max(h, w)))
    y, x = (side - h) // 2, (side - w) // 2
    square = np.empty((side, side, 3), np.uint8)
    square[:] = fill
    square[y : y + h, x : x + w][own] = picture[own]
    return square
