"""One frame for many objects in one pass through a video network of transformers.

transformers (seen in 5.24) runs its networks object by object, each with a memory of its own: as many passes
as there are objects. Here objects whose memories are equally long go through the same parts together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["Carried", "carry_together"]

_AT_ONCE = 16
"""Objects in one pass at most: a network for 1024 px takes some 100 MB for each."""
_OUT_OF_SIGHT = -1024.0
"""What all logits of an object are where the network says that it is not there."""


@dataclass(frozen=True)
class Carried:
    """Objects in a frame, in the order of their sessions.

    Attributes:
        logits: of their masks, as small as the network gives them, `[N, h, w]`.
        sure: logits of being seen at all, `[N]`.
    """

    logits: torch.Tensor
    sure: torch.Tensor


@dataclass(frozen=True)
class _Recalled:
    """What one object's memory hands to the network's attention.

    Attributes:
        tokens: `[T, 1, c]`, those of the memory maps first.
        positions: where and when each token is from, `[T, 1, c]`.
        maps: how many memory maps.
        pointers: how many of the tokens belong to object pointers.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    maps: int
    pointers: int


def carry_together(model: Any, sessions: Sequence[Any], frame: int, pixels: torch.Tensor) -> Carried:
    """Carry objects into a frame, and remember them there.

    Args:
        model: `Sam2VideoModel`, `EdgeTamVideoModel` or `Sam3TrackerVideoModel`.
        sessions: an inference session for each object, at least one, each holding one object that was given
            before; all share one cache of features.
        frame: number of the frame; it counts up one by one.
        pixels: the frame as the processor gives it, `[1, 3, side, side]`.
    """
    import torch

    sessions[0].add_new_frame(pixels, frame)
    features, positions = model._prepare_vision_features(sessions[0], frame, 1)
    alike: dict[tuple[int, ...], list[tuple[int, _Recalled]]] = defaultdict(list)
    for i, session in enumerate(sessions):
        recalled = _recall(model, session, frame)
        alike[len(recalled.tokens), recalled.maps, recalled.pointers].append((i, recalled))
    found: list[tuple[torch.Tensor, torch.Tensor]] = [(features[-1], features[-1])] * len(sessions)
    for group in alike.values():
        for start in range(0, len(group), _AT_ONCE):
            chunk = group[start : start + _AT_ONCE]
            seen = _attend(model, features, positions, [recalled for _, recalled in chunk])
            logits, sure, pointers = _decode(model, features, seen)
            _remember(model, features, [sessions[i] for i, _ in chunk], frame, (logits, sure, pointers))
            for k, (i, _) in enumerate(chunk):
                found[i] = logits[k], sure[k]
    return Carried(torch.stack([one for one, _ in found]), torch.stack([two for _, two in found]).flatten())


def _recall(model: Any, session: Any, frame: int) -> _Recalled:
    import torch

    device = session.inference_device
    outputs = model._gather_memory_frame_outputs(session, 0, frame)
    tokens, positions = model._build_memory_attention_inputs(outputs, device)
    maps = len(tokens)
    ages, pointers, longest = model._get_object_pointers(session, 0, frame, None, device, streaming=True)
    pointer_tokens, pointer_positions = model._process_object_pointers(
        ages, pointers, longest, 1, model.hidden_dim, device
    )
    return _Recalled(
        torch.cat([*tokens, pointer_tokens]).to(session.dtype),
        torch.cat([*positions, pointer_positions]),
        maps,
        len(pointer_tokens),
    )


def _attend(
    model: Any, features: Sequence[torch.Tensor], positions: Sequence[torch.Tensor], recalled: list[_Recalled]
) -> torch.Tensor:
    """The coarsest features in the light of each object's memory, `[N, c, h, w]`."""
    import torch

    n, (h, w) = len(recalled), model.backbone_feature_sizes[-1]
    # The attention of EdgeTAM must be told how many maps its keys are.
    counted = {"num_spatial_memory_tokens": recalled[0].maps} if hasattr(model, "spatial_perceiver") else {}
    attended = model.memory_attention(
        current_vision_features=features[-1].expand(-1, n, -1),
        current_vision_position_embeddings=positions[-1],
        memory=torch.cat([one.tokens for one in recalled], dim=1),
        memory_posision_embeddings=torch.cat([one.positions for one in recalled], dim=1),
        num_object_pointer_tokens=recalled[0].pointers,
        **counted,
    )
    seen: torch.Tensor = attended.reshape(n, h, w, -1).permute(0, 3, 1, 2)
    return seen


def _decode(
    model: Any, features: Sequence[torch.Tensor], seen: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of the masks `[N, h, w]`, of being seen `[N, 1, 1]`, and object pointers `[N, 1, c]`."""
    import torch

    n = len(seen)
    fine = [
        one.permute(1, 2, 0).reshape(1, -1, *size).expand(n, -1, -1, -1)
        for one, size in zip(features[:-1], model.backbone_feature_sizes[:-1], strict=True)
    ]
    no_point = torch.zeros(n, 1, 1, 2, dtype=seen.dtype, device=seen.device)
    no_label = torch.full((n, 1, 1), -1, dtype=torch.int32, device=seen.device)
    sparse, dense = model.prompt_encoder(no_point, no_label, None, None)
    several = model._use_multimask(False, None)
    masks, ious, tokens, sure = model.mask_decoder(
        image_embeddings=seen,
        image_positional_embeddings=model.get_image_wide_positional_embeddings().expand(n, -1, -1, -1),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=several,
        high_resolution_features=fine,
    )
    every, best = torch.arange(n, device=seen.device), ious[:, 0].argmax(dim=1)
    there = sure > 0
    logits = torch.where(there, masks[every, 0, best], _OUT_OF_SIGHT)
    token = tokens[every, :, best] if tokens.shape[2] > 1 else tokens[:, :, 0]
    pointers = torch.where(there, model.object_pointer_proj(token), model.no_object_pointer)
    return logits, sure, pointers


def _remember(
    model: Any,
    features: Sequence[torch.Tensor],
    sessions: Sequence[Any],
    frame: int,
    found: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """Put what was found into each object's memory, as one more tracked frame."""
    from torch.nn.functional import interpolate

    logits, sure, pointers = found
    side = (model.image_size, model.image_size)
    large = interpolate(logits[:, None].float(), side, mode="bilinear", align_corners=False).to(logits.dtype)
    # The memory encoder of EdgeTAM takes one object at a time.
    step = 1 if hasattr(model, "spatial_perceiver") else len(sessions)
    for start in range(0, len(sessions), step):
        some = slice(start, start + step)
        maps, positions = model._encode_new_memory(
            features[-1].expand(-1, step, -1), large[some], sure[some], is_mask_from_pts=False
        )
        for k, session in enumerate(sessions[some]):
            own = slice(k, k + 1)
            session.output_dict_per_obj[0]["non_cond_frame_outputs"][frame] = {
                "maskmem_features": maps[:, own] if step > 1 else maps,
                "maskmem_pos_enc": positions[:, own] if step > 1 else positions,
                "object_pointer": pointers[start + k : start + k + 1],
            }
