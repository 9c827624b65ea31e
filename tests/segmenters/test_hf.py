import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from som_agent.errors import MissingExtraError, SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.hf import HfSegmenter
from som_agent.video.frame import Frame

torch.set_num_threads(1)

SIDE = 64
DECODER = {
    "mlp_dim": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "iou_head_depth": 2,
    "iou_head_hidden_dim": 16,
}
MEMORY = {
    "memory_attention_hidden_size": 32,
    "memory_encoder_hidden_size": 32,
    "mask_downsampler_embed_dim": 32,
    "memory_fuser_embed_dim": 32,
    "memory_encoder_output_channels": 8,
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 16,
    "memory_fuser_intermediate_dim": 16,
    "memory_fuser_num_layers": 1,
}


def sam(kind="Sam", **decoder):
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "output_channels": 32,
        "mlp_ratio": 2.0,
        "window_size": 4,
        "global_attn_indexes": [1],
        "num_pos_feats": 16,
    }
    prompt = {"hidden_size": 32, "image_size": SIDE, "patch_size": 8, "mask_input_channels": 4}
    config = getattr(transformers, f"{kind}Config")(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config={"hidden_size": 32, **DECODER, **decoder},
    )
    processor = transformers.SamImageProcessor(
        size={"longest_edge": SIDE},
        pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    return getattr(transformers, f"{kind}Model")(config), processor


def sam2(kind="Sam2", **options):
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
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    }
    config = getattr(transformers, f"{kind}Config")(
        vision_config=vision,
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": SIDE,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={"hidden_size": 32, **DECODER},
        **options,
    )
    return getattr(transformers, f"{kind}Model")(config), _square_processor("Sam2ImageProcessor", SIDE)


def sam2_video():
    return sam2(
        "Sam2Video",
        image_size=SIDE,
        **MEMORY,
    )


def sam3_tracker():
    side = 56
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": side,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }
    config = transformers.Sam3TrackerConfig(
        vision_config=vision,
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": side,
            "patch_size": 14,
            "mask_input_channels": 4,
        },
        mask_decoder_config={"hidden_size": 32, **DECODER},
    )
    return transformers.Sam3TrackerModel(config), _square_processor("Sam3ImageProcessor", side)


def sam3_video():
    """A whole SAM 3, as the hub has it: its tracker, on the detector's backbone, is the picture network."""
    tracker, processor = sam3_tracker()
    parts = tracker.config.to_dict()
    small = {"hidden_size": 32, "num_attention_heads": 2}
    detector = transformers.Sam3Config(
        vision_config=parts["vision_config"],
        text_config={
            "model_type": "clip_text_model",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "projection_dim": 16,
            "vocab_size": 50,
        },
        geometry_encoder_config={**small, "num_layers": 1, "intermediate_size": 16},
        detr_encoder_config={**small, "num_layers": 1, "intermediate_size": 16},
        detr_decoder_config={**small, "num_layers": 1, "intermediate_size": 16, "num_queries": 4},
        mask_decoder_config=small,
    )
    whole = transformers.Sam3TrackerVideoConfig(
        vision_config=parts["vision_config"],
        prompt_encoder_config=parts["prompt_encoder_config"],
        mask_decoder_config=parts["mask_decoder_config"],
        image_size=56,
        **MEMORY,
    )
    config = transformers.Sam3VideoConfig(detector_config=detector.to_dict(), tracker_config=whole.to_dict())
    return transformers.Sam3VideoModel(config), processor


def edgetam():
    """EdgeTAM's RepViT comes from timm, its smallest one untrained."""
    timm_config = {
        "model_type": "timm_wrapper",
        "architecture": "repvit_m0_9",
        "do_pooling": False,
        "num_classes": 1,
        "model_args": {"in_chans": 3, "features_only": True, "out_indices": (0, 1, 2, 3)},
    }
    vision = {
        "model_type": "edgetam_vision_model",
        "backbone_config": timm_config,
        "backbone_channel_list": [384, 192, 96, 48],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    }
    config = transformers.EdgeTamConfig(
        vision_config=vision,
        prompt_encoder_config={
            "hidden_size": 32,
            "image_size": SIDE,
            "patch_size": 16,
            "mask_input_channels": 4,
        },
        mask_decoder_config={"hidden_size": 32, **DECODER},
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
    decoder = getattr(model, "tracker_model", model).mask_decoder
    with torch.no_grad():
        last = decoder.iou_prediction_head.proj_out
        last.weight.mul_(0.01)
        last.bias.fill_(0.95 if family in ("sam", "sam_hq") else 3)  # the later ones take a sigmoid
        upscale = decoder.upscale_conv2
        torch.nn.init.normal_(upscale.weight)
        upscale.weight[:, 0] = 0
        upscale.bias.zero_()[0] = 1
        torch.nn.init.normal_(decoder.mask_tokens.weight, std=3)
        for mlp in decoder.output_hypernetworks_mlps:
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


def assert_contract(segmenter, frame):
    one, two = segmenter.segment(frame), segmenter.segment(frame)
    assert one.atoms.shape == frame.image.shape[:2]
    assert len(one) > 0
    assert one.areas.min() > 0
    assert (np.diff(one.areas) <= 0).all()
    assert ((one.scores > 0.9) & (one.scores <= 1)).all()
    np.testing.assert_array_equal(one.atoms, two.atoms)
    np.testing.assert_array_equal(one.members, two.members)


@pytest.fixture(scope="module")
def sam_folder(tmp_path_factory):
    return save("sam", tmp_path_factory.mktemp("sam"))


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_loads_and_segments(tmp_path, family):
    segmenter = load_segmenter(f"hf:{save(family, tmp_path)}", device="cpu")
    assert segmenter.name == f"hf:{tmp_path}"
    segmenter._points_per_side = 5
    assert_contract(segmenter, picture())


def test_the_tracker_of_a_whole_sam3_keeps_its_weights(tmp_path):
    torch.manual_seed(0)
    whole, processor = sam3_video()
    whole.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    weights = HfSegmenter(str(tmp_path), device="cpu")._model.state_dict()
    stored = {
        **whole.tracker_model.state_dict(),
        **{f"vision_encoder.neck.{n}": v for n, v in whole.tracker_neck.state_dict().items()},
        **{
            f"vision_encoder.backbone.{n}": v
            for n, v in whole.detector_model.vision_encoder.backbone.state_dict().items()
        },
    }
    for name, value in weights.items():
        torch.testing.assert_close(value, stored[name], rtol=0, atol=0)


def test_edgetam(tmp_path):
    pytest.importorskip("timm", reason="EdgeTAM's backbone is timm's")
    assert_contract(HfSegmenter(str(save("edgetam", tmp_path)), device="cpu", points_per_side=3), picture())


def test_same_masks_as_the_pipeline_of_transformers_where_that_is_right(sam_folder):
    frame = picture(200, 256)
    pipeline = transformers.pipeline("mask-generation", model=str(sam_folder), device="cpu")
    from PIL import Image

    truth = pipeline(Image.fromarray(frame.image), points_per_crop=5)["masks"]
    regions = HfSegmenter(str(sam_folder), device="cpu", points_per_side=5, points_per_batch=7).segment(frame)
    masks = {regions.mask(i).tobytes() for i in range(len(regions))}
    assert len(truth) >= 2
    assert masks == {np.asarray(mask).astype(bool).tobytes() for mask in truth}


@pytest.mark.parametrize(("family", "lowest"), [("sam", 0.9 * 36), ("sam2", 0.9 * SIDE)])
def test_points_cover_the_whole_of_a_wide_picture(tmp_path, family, lowest):
    """SAM pads 36 rows to 64, SAM 2 stretches them."""
    segmenter = HfSegmenter(str(save(family, tmp_path)), device="cpu", points_per_side=5)
    seen = []
    segmenter._model.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(kwargs["input_points"]), with_kwargs=True
    )
    segmenter.segment(picture(36, 64))
    points = torch.cat(seen, dim=1)[0, :, 0]
    assert points.shape == (25, 2)
    assert points[:, 1].max() == pytest.approx(lowest, abs=0.5)
    assert points[:, 0].max() == pytest.approx(0.9 * SIDE, abs=0.5)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 50), (65, 33)])
def test_odd_sizes(sam_folder, h, w):
    regions = HfSegmenter(str(sam_folder), device="cpu", points_per_side=2).segment(picture(h, w))
    assert regions.atoms.shape == (h, w)


def test_nothing_sure_is_no_regions(sam_folder):
    segmenter = HfSegmenter(str(sam_folder), device="cpu", points_per_side=2, pred_iou_thresh=1.5)
    regions = segmenter.segment(picture())
    assert len(regions) == 0
    assert regions.atoms.shape == (36, 64)


def test_bad_sources_are_one_clear_line(tmp_path, sam_folder, monkeypatch):
    # A name that could be a repository is looked up; offline that fails without touching the network.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    empty = tmp_path / "empty"
    empty.mkdir()
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    cut = shutil.copytree(sam_folder, tmp_path / "cut")
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    no_weights = shutil.copytree(sam_folder, tmp_path / "no_weights")
    (no_weights / "model.safetensors").unlink()
    no_processor = shutil.copytree(sam_folder, tmp_path / "no_processor")
    (no_processor / "preprocessor_config.json").unlink()
    other = shutil.copytree(sam_folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 5
    (other / "config.json").write_text(json.dumps(config))
    broken = shutil.copytree(sam_folder, tmp_path / "broken")
    (broken / "config.json").write_text("{")
    cases = {
        str(tmp_path / "none"): "there is no folder",
        "nowhere": "written ORG/NAME",
        "no-such-org/no-such-model": "no-such-org/no-such-model",
        str(empty): "no config.json",
        str(sam_folder / "config.json"): "is a file",
        str(bert): "is a bert network; mask generation works with",
        str(cut): "cannot load",
        str(no_weights): "cannot load",
        str(no_processor): "cannot load",
        str(other): "do not fit its configuration",
        str(broken): "cannot load",
    }
    for source, expected in cases.items():
        with pytest.raises(SegmenterError, match=expected) as caught:
            load_segmenter(f"hf:{source}", device="cpu")
        assert source in str(caught.value)
        assert "\n" not in str(caught.value)


def test_edgetam_without_timm_says_so(sam_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(sam_folder, tmp_path / "edgetam")
    (folder / "config.json").write_text(json.dumps({"model_type": "edgetam"}))
    monkeypatch.setattr("transformers.utils.is_timm_available", lambda: False)
    with pytest.raises(MissingExtraError, match=r'pip install "som-agent\[edgetam\]"') as caught:
        load_segmenter(f"hf:{folder}", device="cpu")
    assert f"hf:{folder}" in str(caught.value)
    assert "\n" not in str(caught.value)
