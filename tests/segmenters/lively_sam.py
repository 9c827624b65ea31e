"""Tiny SAMs of random weights, in both packages, that find many different things of all sizes.

Weights of chance alone give masks that are empty, full, or all alike, and scores that are no shares. So what
the layers put out is brought to a mean and a deviation, on one picture: a few per cent of the logits are
above the cutoff, others in each map, and the scores are 0.85 ± 0.1.
"""

import math
from functools import partial

import numpy as np
import torch
import transformers
from segment_anything import SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from tests.tiny_video_models import decoder, prompts

GRID, PATCH, WIDTH, HIDDEN = 16, 8, 24, 128
SIDE = GRID * PATCH
STEEP, RARE = 25.0, 1.8  # deviation of the logits; how many of them the cutoff lies above the mean


def lively_sam(image, seed=0, grid=GRID):
    """A `segment_anything` network brought to its means on `image`; its maps have sides of 4 x `grid`."""
    torch.manual_seed(seed)
    side = grid * PATCH
    model = Sam(
        ImageEncoderViT(
            img_size=side,
            patch_size=PATCH,
            embed_dim=WIDTH,
            depth=2,
            num_heads=3,
            mlp_ratio=2,
            out_chans=HIDDEN,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=5,
            global_attn_indexes=(1,),
        ),
        PromptEncoder(HIDDEN, (grid, grid), (side, side), 4),
        MaskDecoder(
            transformer_dim=HIDDEN,
            transformer=TwoWayTransformer(depth=1, embedding_dim=HIDDEN, num_heads=8, mlp_dim=16),
            iou_head_depth=2,
            iou_head_hidden_dim=12,
        ),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    ).eval()
    predictor = SamPredictor(model)
    predictor.set_image(image)

    def answers():
        points = torch.as_tensor(_points(predictor.input_size))[:, None]
        sparse, dense = model.prompt_encoder((points, torch.ones(len(points), 1)), None, None)
        return model.mask_decoder(
            image_embeddings=predictor.get_image_embedding(),
            image_pe=model.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )

    with torch.no_grad():
        model.image_encoder.pos_embed.copy_(_smooth(grid, WIDTH))
        predictor.set_image(image)
        _enliven(model.mask_decoder, model.mask_decoder.output_upscaling[3], answers)
    return model


def lively_transformers_sam(image, folder, seed=0):
    """The same of `transformers`, saved in `folder`."""
    torch.manual_seed(seed)
    vision = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": SIDE,
        "patch_size": PATCH,
        "output_channels": HIDDEN,
        "mlp_ratio": 2.0,
        "window_size": 5,
        "global_attn_indexes": [1],
        "num_pos_feats": HIDDEN // 2,
    }
    config = transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompts(HIDDEN, SIDE, PATCH),
        mask_decoder_config=decoder(HIDDEN),
    )
    processor = transformers.SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
    )
    model = transformers.SamModel(config).eval()
    with torch.no_grad():
        embed = model.vision_encoder.pos_embed
        embed.copy_(_smooth(*embed.shape[2:]))
        pixels = processor(images=image, return_tensors="pt")
        features = model.get_image_embeddings(pixels["pixel_values"])
        points = torch.as_tensor(_points(pixels["reshaped_input_sizes"][0].tolist()))[None, :, None]

        def answers():
            output = model(image_embeddings=features, input_points=points, multimask_output=True)
            return output.pred_masks[0], output.iou_scores[0]

        _enliven(model.mask_decoder, model.mask_decoder.upscale_conv2, answers)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _enliven(decoder, upscale, answers):
    torch.nn.init.normal_(decoder.mask_tokens.weight, std=0.1)
    mlps = [_layers(mlp) for mlp in decoder.output_hypernetworks_mlps]
    scorer = _layers(decoder.iou_prediction_head)
    for layer in [layer for mlp in [*mlps, scorer] for layer in mlp]:
        torch.nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.weight.shape[1]))
    # One channel of the features is a constant, by which the cutoff is set.
    upscale.weight[:, 0] = 0
    upscale.bias.zero_()[0] = 1
    seen = {}
    hooks = [
        mlp[-1].register_forward_hook(lambda layer, _, out: seen.update({layer: out.flatten(0, -2)}))
        for mlp in mlps
    ]
    _, scores = answers()
    for hook in hooks:
        hook.remove()
    for layer, out in seen.items():
        _bring(layer, out.mean(0), out.std(0), 0, 1)
        layer.weight[0] = layer.bias[0] = 0
    spread = answers()[0].std()
    for mlp in mlps:
        mlp[-1].weight.mul_(STEEP / spread)
        mlp[-1].bias.mul_(STEEP / spread)
        mlp[-1].bias[0] = -RARE * STEEP / torch.nn.functional.gelu(torch.tensor(1.0))
    _bring(scorer[-1], scores.mean(), scores.std(), 0.85, 0.1)


def _bring(layer, mean, deviation, to_mean, to_deviation):
    """Change a linear layer so that what it put out has another mean and deviation."""
    factor = to_deviation / deviation.clamp(min=1e-6)
    layer.bias.copy_((layer.bias - mean) * factor + to_mean)
    layer.weight.mul_(factor.reshape(-1, 1))


def _layers(mlp):
    return [mlp.proj_in, *mlp.layers, mlp.proj_out] if hasattr(mlp, "proj_in") else list(mlp.layers)


def _points(size, per_side=12):
    steps = (np.arange(per_side, dtype=np.float32) + 0.5) / per_side
    return np.stack(np.meshgrid(steps * size[1], steps * size[0]), axis=-1).reshape(-1, 2)


def _smooth(grid, width, terms=6):
    """Sums of a few slow waves, `[1, grid, grid, width]`."""
    y = torch.linspace(0, 1, grid)
    turns, phases = 6 * math.pi * torch.rand(width, terms, 2), 2 * math.pi * torch.rand(width, terms)
    waves = torch.cos(
        turns[..., 0, None, None] * y[:, None] + turns[..., 1, None, None] * y + phases[..., None, None]
    )
    return waves.sum(1).permute(1, 2, 0)[None] / math.sqrt(terms / 2)
