"""Tiny promptable networks with random weights, saved as a user's are, and a picture for them."""

import numpy as np
import torch
import transformers

from som_agent.video.frame import Frame
from tests.tiny_video_models import (
    SIDE,
    SIDE_3,
    decoder,
    edgetam_vision,
    memory,
    prompts,
    sam2_vision,
    sam3_finder,
    sam3_tracker_parts,
)

HIDDEN = 32


def sam(kind="Sam", **options):
    """SAM and SAM-HQ; the options are their mask decoder's."""
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "output_channels": HIDDEN,
        "mlp_ratio": 2.0,
        "window_size": 4,
        "global_attn_indexes": [1],
        "num_pos_feats": 16,
    }
    config = getattr(transformers, f"{kind}Config")(
        vision_config=vision,
        prompt_encoder_config=prompts(HIDDEN, patch=8),
        mask_decoder_config={**decoder(HIDDEN), **options},
    )
    processor = transformers.SamImageProcessor(
        size={"longest_edge": SIDE},
        pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    return getattr(transformers, f"{kind}Model")(config), processor


def sam2(kind="Sam2", **options):
    """The picture network of SAM 2."""
    config = getattr(transformers, f"{kind}Config")(
        vision_config=sam2_vision(HIDDEN),
        prompt_encoder_config=prompts(HIDDEN),
        mask_decoder_config=decoder(HIDDEN),
        **options,
    )
    return getattr(transformers, f"{kind}Model")(config), _square_processor("Sam2ImageProcessor", SIDE)


def sam2_video():
    """A video network of SAM 2, which holds a picture network."""
    return sam2("Sam2Video", image_size=SIDE, **memory(HIDDEN, 8))


def sam3_tracker():
    """The picture network of SAM 3's tracker."""
    config = transformers.Sam3TrackerConfig(**sam3_tracker_parts(HIDDEN))
    return transformers.Sam3TrackerModel(config), _square_processor("Sam3ImageProcessor", SIDE_3)


def sam3_video():
    """A whole SAM 3, as the hub has it: its tracker, on the detector's backbone, is the picture network."""
    tracker, processor = sam3_tracker()
    parts = tracker.config.to_dict()
    detector = sam3_finder(parts["vision_config"], HIDDEN, vocab_size=50)
    whole = transformers.Sam3TrackerVideoConfig(
        vision_config=parts["vision_config"],
        prompt_encoder_config=parts["prompt_encoder_config"],
        mask_decoder_config=parts["mask_decoder_config"],
        image_size=SIDE_3,
        **memory(HIDDEN, 8),
    )
    config = transformers.Sam3VideoConfig(detector_config=detector.to_dict(), tracker_config=whole.to_dict())
    return transformers.Sam3VideoModel(config), processor


def edgetam():
    """The picture network of EdgeTAM."""
    config = transformers.EdgeTamConfig(
        vision_config=edgetam_vision(HIDDEN),
        prompt_encoder_config=prompts(HIDDEN),
        mask_decoder_config=decoder(HIDDEN),
    )
    return transformers.EdgeTamModel(config), _square_processor("Sam2ImageProcessor", SIDE)


def _square_processor(kind, side):
    return getattr(transformers, kind)(
        size={"height": side, "width": side}, mask_size={"height": 16, "width": 16}
    )


FAMILIES = {
    "sam": sam,
    "sam_hq": lambda: sam("SamHQ", vit_dim=16),
    "sam2": sam2,
    "sam2_video": sam2_video,
    "sam3_tracker": sam3_tracker,
    "sam3_video": sam3_video,
}


def save(family, folder, seed=0):
    """Random weights, but sure of all masks, which have hard edges and stay small (see test_sam.py)."""
    torch.manual_seed(seed)
    model, processor = (edgetam if family == "edgetam" else FAMILIES[family])()
    head = getattr(model, "tracker_model", model).mask_decoder
    with torch.no_grad():
        last = head.iou_prediction_head.proj_out
        last.weight.mul_(0.01)
        last.bias.fill_(0.95 if family in ("sam", "sam_hq") else 3)  # the later ones take a sigmoid
        upscale = head.upscale_conv2
        torch.nn.init.normal_(upscale.weight)
        upscale.weight[:, 0] = 0
        upscale.bias.zero_()[0] = 1
        torch.nn.init.normal_(head.mask_tokens.weight, std=3)
        for mlp in head.output_hypernetworks_mlps:
            for layer in [mlp.proj_in, *mlp.layers, mlp.proj_out]:
                torch.nn.init.normal_(layer.weight, std=2)
            mlp.proj_out.weight.mul_(100)[0] = 0
            mlp.proj_out.bias[0] = -160_000
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def picture(h=36, w=64):
    y, x = np.mgrid[:h, :w]
    image = np.stack([x * 255 // w, y * 255 // h, (x // 9 + y // 9) % 2 * 200], axis=-1).astype(np.uint8)
    return Frame(image, 0, 0.0)
