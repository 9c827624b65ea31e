"""Tiny networks with classes, random weights, saved as a user's are."""

import torch
import transformers
from transformers import CLIPTokenizer

SIDE = 64
QUERIES = 12


def _labels(count):
    names = {k: f"class {k}" for k in range(count)}
    return {"id2label": names, "label2id": {name: k for k, name in names.items()}}


def _swin():
    return {
        "model_type": "swin",
        "embed_dim": 8,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "window_size": 4,
        "image_size": SIDE,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }


def mask2former(count):
    config = transformers.Mask2FormerConfig(
        backbone_config=_swin(),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=QUERIES,
        **_labels(count),
    )
    size = {"shortest_edge": 48, "longest_edge": 96}
    processor = transformers.Mask2FormerImageProcessor(size=size, size_divisor=32)
    return transformers.Mask2FormerForUniversalSegmentation(config), processor


def maskformer(count):
    decoder = {
        "model_type": "detr",
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "num_queries": QUERIES,
    }
    config = transformers.MaskFormerConfig(
        backbone_config=_swin(),
        decoder_config=decoder,
        fpn_feature_size=32,
        mask_feature_size=32,
        **_labels(count),
    )
    size = {"shortest_edge": 48, "longest_edge": 96}
    processor = transformers.MaskFormerImageProcessor(size=size, size_divisor=32)
    return transformers.MaskFormerForInstanceSegmentation(config), processor


def oneformer(count):
    config = transformers.OneFormerConfig(
        backbone_config=_swin(),
        num_queries=QUERIES,
        task_seq_len=8,
        text_encoder_width=16,
        text_encoder_context_length=8,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=60,
        text_encoder_n_ctx=2,
        conv_dim=32,
        mask_dim=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        dim_feedforward=16,
        query_dec_layers=1,
        **_labels(count),
    )
    size = {"shortest_edge": 48, "longest_edge": 96}
    processor = transformers.OneFormerImageProcessor(size=size)
    # As in published checkpoints: a file that is in another repository.
    processor.class_info_file, processor.repo_path = "nowhere.json", "shi-labs/oneformer_demo"
    return transformers.OneFormerForUniversalSegmentation(config), processor


def tokenizer():
    words = ["<|startoftext|>", "<|endoftext|>", "the</w>", "task</w>", "is</w>", "panoptic</w>"]
    words += ["instance</w>", "semantic</w>"]
    return CLIPTokenizer(vocab={word: k for k, word in enumerate(words)}, merges=[])


def eomt(count, *, split=False):
    config = transformers.EomtConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=16,
        num_blocks=1,
        num_queries=QUERIES,
        num_register_tokens=0,
        mlp_ratio=2,
        **_labels(count),
    )
    size = {"shortest_edge": SIDE} if split else {"shortest_edge": SIDE, "longest_edge": SIDE}
    processor = transformers.EomtImageProcessor(size=size, do_split_image=split, do_pad=not split)
    return transformers.EomtForUniversalSegmentation(config), processor


def eomt_dinov3(count):
    config = transformers.EomtDinov3Config(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=16,
        num_blocks=1,
        num_queries=QUERIES,
        num_register_tokens=1,
        **_labels(count),
    )
    size = {"shortest_edge": SIDE, "longest_edge": SIDE}
    processor = transformers.EomtImageProcessor(size=size, do_split_image=False, do_pad=True)
    return transformers.EomtDinov3ForUniversalSegmentation(config), processor


def rf_detr(count):
    backbone = {
        "model_type": "rf_detr_dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "mlp_ratio": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "num_windows": 2,
        "out_features": ["stage1", "stage2"],
    }
    config = transformers.RfDetrConfig(
        backbone_config=backbone,
        d_model=16,
        decoder_layers=1,
        decoder_ffn_dim=16,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_n_points=2,
        num_queries=QUERIES,
        group_detr=1,
        intermediate_size=16,
        **_labels(count),
    )
    processor = transformers.RfDetrImageProcessor(size={"height": SIDE, "width": SIDE})
    return transformers.RfDetrForInstanceSegmentation(config), processor


FAMILIES = {
    "mask2former": mask2former,
    "maskformer": maskformer,
    "oneformer": oneformer,
    "eomt": eomt,
    "eomt_dinov3": eomt_dinov3,
    "rf_detr": rf_detr,
}
_CLASS_HEADS = ("class_predictor", "class_embed")
_MASK_HEADS = ("mask_embedder.2.0", "mask_embed.layers.2.0", "mask_head.fc3")


def save(family, folder, seed=0, count=5, **options):
    """Random weights, but queries that differ, heads that are sure of most of them, masks with hard edges."""
    torch.manual_seed(seed)
    model, processor = FAMILIES[family](count, **options)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                torch.nn.init.normal_(module.weight, std=0.2)
            if isinstance(module, torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=2)
            if name.endswith(_CLASS_HEADS) and isinstance(module, torch.nn.Linear):
                module.weight.mul_(20)
                module.bias.zero_()
            if name.endswith(_MASK_HEADS):
                module.weight.mul_(20)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    if family == "oneformer":
        tokenizer().save_pretrained(folder)
    return folder
