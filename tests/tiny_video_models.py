"""Tiny video checkpoints with random weights, saved as a user's are. Tests load this file by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

SIDE = 64
SIDE_3 = 56  # of SAM 3, whose patches are of 14 px


def prompts(hidden: int, side: int = SIDE, patch: int = 16) -> dict[str, Any]:
    """A prompt encoder's configuration, for `hidden` channels."""
    return {"hidden_size": hidden, "image_size": side, "patch_size": patch, "mask_input_channels": 4}


def decoder(hidden: int) -> dict[str, Any]:
    """A mask decoder's."""
    return {
        "hidden_size": hidden,
        "mlp_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "iou_head_depth": 2,
        "iou_head_hidden_dim": 16,
    }


def memory(hidden: int, maps: int) -> dict[str, Any]:
    """What a video network has beside a picture network, with `maps` channels of remembered maps."""
    return {
        "memory_attention_hidden_size": hidden,
        "memory_encoder_hidden_size": hidden,
        "mask_downsampler_embed_dim": hidden,
        "memory_fuser_embed_dim": hidden,
        "memory_encoder_output_channels": maps,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 16,
        "memory_fuser_intermediate_dim": 16,
        "memory_fuser_num_layers": 1,
    }


def _pyramid(hidden: int) -> dict[str, Any]:
    return {"backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": hidden}


def sam2_vision(hidden: int) -> dict[str, Any]:
    """The picture side of SAM 2: Hiera."""
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "blocks_per_stage": [1, 1, 2, 1],
        "window_size_per_stage": [4, 4, 2, 2],
        "global_attention_blocks": [3],
        "mlp_ratio": 2.0,
        "window_positional_embedding_background_size": [4, 4],
    }
    return {
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        **_pyramid(hidden),
    }


def edgetam_vision(hidden: int) -> dict[str, Any]:
    """The picture side of EdgeTAM: RepViT of timm, cut down."""
    backbone = {
        "model_type": "timm_wrapper",
        "architecture": "repvit_m0_9",
        "do_pooling": False,
        "num_classes": 1,
        "model_args": {
            "in_chans": 3,
            "features_only": True,
            "out_indices": [0, 1, 2, 3],
            "embed_dim": [8, 16, 24, 32],
            "depth": [1, 1, 1, 1],
        },
    }
    return {
        "model_type": "edgetam_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [32, 24, 16, 8],
        **_pyramid(hidden),
    }


def sam3_tracker_parts(hidden: int) -> dict[str, Any]:
    """The three parts of SAM 3's tracker that work on one picture."""
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE_3,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    return {
        "vision_config": {
            "model_type": "sam3_vision_model",
            "backbone_config": backbone,
            **_pyramid(hidden),
        },
        "prompt_encoder_config": prompts(hidden, SIDE_3, 14),
        "mask_decoder_config": decoder(hidden),
    }


def sam3_finder(vision: dict[str, Any], hidden: int, **text: Any) -> Any:
    """The configuration of SAM 3's finder; `text` goes to its text encoder."""
    small = {"hidden_size": hidden, "num_attention_heads": 2}
    layer = {**small, "num_layers": 1, "intermediate_size": 16}
    return transformers.Sam3Config(
        vision_config=vision,
        text_config={
            "model_type": "clip_text_model",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "projection_dim": 16,
            **text,
        },
        geometry_encoder_config=layer,
        detr_encoder_config=layer,
        detr_decoder_config={**layer, "num_queries": 4},
        mask_decoder_config=small,
    )


HIDDEN = 128
MEMORY = {
    **memory(HIDDEN, 64),
    # Short memories, so that a few frames reach past their end.
    "num_maskmem": 4,
    "max_object_pointers_in_encoder": 6,
}


def sam2_video(**options: Any) -> tuple[Any, Any]:
    """SAM 2 and SAM 2.1 differ in options only."""
    config = transformers.Sam2VideoConfig(
        vision_config=sam2_vision(HIDDEN),
        prompt_encoder_config=prompts(HIDDEN),
        mask_decoder_config=decoder(HIDDEN),
        image_size=SIDE,
        memory_attention_rope_feat_sizes=[4, 4],
        **{**MEMORY, **options},
    )
    return transformers.Sam2VideoModel(config), _processor(SIDE)


def sam2_small(**options: Any) -> tuple[Any, Any]:
    """The network of SAM 2.1 tiny, on pictures of 256 px."""
    return _sam2_as_published(256, **options)


def sam2_full(**options: Any) -> tuple[Any, Any]:
    """The same on pictures of 1024 px, as it was trained."""
    return _sam2_as_published(1024, **options)


def _sam2_as_published(side: int, **options: Any) -> tuple[Any, Any]:
    backbone = {"model_type": "sam2_hiera_det_model", "image_size": [side, side]}
    vision = {
        "backbone_config": backbone,
        "backbone_feature_sizes": [[side // 4] * 2, [side // 8] * 2, [side // 16] * 2],
    }
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"image_size": side},
        image_size=side,
        memory_attention_rope_feat_sizes=[side // 16] * 2,
        enable_temporal_pos_encoding_for_object_pointers=True,
        enable_occlusion_spatial_embedding=True,
        **options,
    )
    return transformers.Sam2VideoModel(config), _processor(side)


def edgetam_video(**options: Any) -> tuple[Any, Any]:
    """EdgeTAM, whose memories go through a perceiver."""
    perceiver = {
        "perceiver_resampler_num_latents": 4,
        "perceiver_resampler_num_latents_2d": 4,
        "perceiver_resampler_hidden_size": 64,
        "perceiver_resampler_mlp_intermediate_size": 16,
        "perceiver_resampler_attention_head_dim": 64,
        "perceiver_resampler_num_layers": 1,
    }
    config = transformers.EdgeTamVideoConfig(
        vision_config=edgetam_vision(HIDDEN),
        prompt_encoder_config=prompts(HIDDEN),
        mask_decoder_config=decoder(HIDDEN),
        image_size=SIDE,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_attention_rope_k_sizes=[2, 2],
        memory_attention_mlp_hidden_size=16,
        **{**perceiver, **{k: v for k, v in MEMORY.items() if "feed_forward" not in k}, **options},
    )
    return transformers.EdgeTamVideoModel(config), _processor(SIDE)


def sam3_tracker_video(**options: Any) -> tuple[Any, Any]:
    """The tracker of SAM 3 by itself."""
    config = transformers.Sam3TrackerVideoConfig(
        **sam3_tracker_parts(HIDDEN), image_size=SIDE_3, **{**MEMORY, **options}
    )
    return transformers.Sam3TrackerVideoModel(config), _processor(SIDE_3)


def sam3_video(**options: Any) -> tuple[Any, Any]:
    """A whole SAM 3: finder and tracker on one backbone, and a tokenizer that spells."""
    parts = sam3_tracker_parts(HIDDEN)
    letters = [letter + end for letter in "abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")]
    vocabulary = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])}
    finder = sam3_finder(
        parts["vision_config"],
        HIDDEN,
        vocab_size=len(vocabulary),
        max_position_embeddings=32,
        bos_token_id=0,
        eos_token_id=1,
    )
    tracker = transformers.Sam3TrackerVideoConfig(**parts, image_size=SIDE_3, **MEMORY)
    config = transformers.Sam3VideoConfig(
        detector_config=finder.to_dict(),
        tracker_config=tracker.to_dict(),
        low_res_mask_size=16,
        fill_hole_area=2,
        **options,
    )
    tracking = _processor(SIDE_3)
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
    processor = transformers.Sam3VideoProcessor(tracking.image_processor, tracking.video_processor, tokenizer)
    return transformers.Sam3VideoModel(config), processor


def _processor(side: int) -> Any:
    sizes = {"size": {"height": side, "width": side}, "mask_size": {"height": 16, "width": 16}}
    kind = "Sam3" if side == SIDE_3 else "Sam2"
    image = getattr(transformers, f"{kind}ImageProcessor")(**sizes)
    # Picture and video processor of SAM 3 share their numbers in its checkpoints, not in transformers.
    video = transformers.Sam2VideoVideoProcessor(
        size=sizes["size"], image_mean=image.image_mean, image_std=image.image_std
    )
    return getattr(transformers, f"Sam{'3Tracker' if side == SIDE_3 else '2'}VideoProcessor")(image, video)


FAMILIES = {
    "sam2_video": sam2_video,
    "sam2_small": sam2_small,
    "sam2_full": sam2_full,
    "edgetam_video": edgetam_video,
    "sam3_tracker_video": sam3_tracker_video,
    "sam3_video": sam3_video,
}


def save(family: str, folder: Path, seed: int = 0, **options: Any) -> Path:
    """Save a checkpoint whose answers depend on all that is remembered, with objects that are mostly seen."""
    torch.manual_seed(seed)
    model, processor = FAMILIES[family](**options)
    lively(model)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def lively(model: Any) -> None:
    """Weights of a trained network's size: every part of it has a say, and no object is lost by chance."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                loud = 2 if "memory_attention" in name or "perceiver" in name else 1
                torch.nn.init.normal_(weight, std=loud * max(weight[0].numel(), 1) ** -0.5)
            elif weight.abs().max() < 1e-3:
                torch.nn.init.normal_(weight, std=0.1)
        decoder = getattr(model, "tracker_model", model).mask_decoder
        head = decoder.pred_obj_score_head.proj_out
        head.weight.mul_(0.3)
        head.bias.fill_(2.0)
        if hasattr(model, "detector_model"):
            sure(model.detector_model)


def sure(finder: Any) -> None:
    """Let a finder of SAM 3 be sure of most of its queries, with masks of about half the picture."""
    finder.detr_decoder.presence_head.layer3.bias.fill_(5.0)
    finder.dot_product_scoring.query_proj.weight.mul_(-4)
    torch.nn.init.normal_(finder.detr_decoder.query_embed.weight, std=3)
    torch.nn.init.normal_(finder.mask_decoder.mask_embedder.layers[-1].bias)


def held(*roots: Any) -> tuple[int, int]:
    """Tensors that can be reached from objects, and how many bytes they hold."""
    seen: dict[int, int] = {}
    done: set[int] = set()
    queue = list(roots)
    while queue:
        thing = queue.pop()
        if id(thing) in done:
            continue
        done.add(id(thing))
        if isinstance(thing, torch.Tensor):
            storage = thing.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
        elif isinstance(thing, dict):
            queue.extend(thing.values())
        elif isinstance(thing, list | tuple | set):
            queue.extend(thing)
        elif hasattr(thing, "__dict__"):
            queue.extend(vars(thing).values())
    return len(seen), sum(seen.values())
