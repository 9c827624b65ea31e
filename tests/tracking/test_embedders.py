"""Embedding models, tiny and of chance but real: loaded as a user's are, and held against transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError, TrackingError
from som_agent.tracking.embedders import HfEmbedder, crop, load_embedder

SIDE = 28
LAYERS = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TOWER = {**LAYERS, "image_size": SIDE, "patch_size": 14}
TEXT = {**LAYERS, "vocab_size": 32, "max_position_embeddings": 8}


def dinov2():
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=14
    )
    # Its true processor: the shorter side becomes 8/7 of what the network sees, of which the middle is cut.
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": SIDE * 8 // 7}, crop_size={"height": SIDE, "width": SIDE}
    )
    return transformers.Dinov2Model(config), processor


def dinov3():
    config = transformers.DINOv3ViTConfig(**TOWER, num_register_tokens=2)
    processor = transformers.DINOv3ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    return transformers.DINOv3ViTModel(config), processor


def clip_processor():
    return transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )


def clip():
    config = transformers.CLIPConfig(vision_config=TOWER, text_config=TEXT, projection_dim=12)
    return transformers.CLIPModel(config), clip_processor()


def clip_tower():
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**TOWER)), clip_processor()


def siglip():
    config = transformers.SiglipConfig(vision_config=TOWER, text_config=TEXT)
    processor = transformers.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    return transformers.SiglipModel(config), processor


FAMILIES = {
    "dinov2": (dinov2, 16, lambda model, pixels: model(pixel_values=pixels).last_hidden_state[:, 0]),
    "dinov3": (dinov3, 16, lambda model, pixels: model(pixel_values=pixels).last_hidden_state[:, 0]),
    "clip": (
        clip,
        12,
        lambda model, pixels: model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output),
    ),
    "clip_tower": (clip_tower, 16, lambda model, pixels: model(pixel_values=pixels).pooler_output),
    "siglip": (
        siglip,
        16,
        lambda model, pixels: model.vision_model.head(
            model.vision_model(pixel_values=pixels).last_hidden_state
        ),
    ),
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Folders as `save_pretrained` writes them, by family."""
    folders = {}

    def checkpoint(family):
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            model, processor = FAMILIES[family][0]()
            for parameter in model.parameters():  # fresh ones are so small that all pictures look the same
                torch.nn.init.normal_(parameter, std=0.3)
            model.save_pretrained(folders[family])
            processor.save_pretrained(folders[family])
        return str(folders[family])

    return checkpoint


@pytest.fixture(scope="module")
def scene():
    """A picture of noise and three masks: a box, a flat one with a hole, and one in the corner."""
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    masks = np.zeros((3, 60, 90), bool)
    masks[0, 5:25, 10:30] = True
    masks[1, 30:40, 20:80] = True
    masks[1, 33:36, 40:50] = False
    masks[2, 52:60, 0:6] = True
    return image, masks


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_what_transformers_makes_of_the_same_crop(family, checkpoints, scene):
    embedder = load_embedder(f"hf:{checkpoints(family)}", device="cpu")
    image, masks = scene
    units = embedder.embed(image, masks)
    _, length, direct = FAMILIES[family]
    assert embedder.name == f"hf:{checkpoints(family)}"
    assert (units.shape, units.dtype) == ((3, length), np.float32)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1.0, rtol=1e-5)
    model = transformers.AutoModel.from_pretrained(checkpoints(family)).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoints(family))
    fill = np.rint(np.array(processor.image_mean) * 255)
    # The first object is 20 x 20 with 2 px around it, the second 60 x 10 in the middle of 72 x 72.
    first, second = (np.zeros((side, side, 3)) + fill for side in (24, 72))
    first[2:22, 2:22] = image[5:25, 10:30]
    second[31:41, 6:66] = np.where(masks[1, 30:40, 20:80, None], image[30:40, 20:80], fill)
    for own, square in zip(units, (first, second), strict=False):
        pixels = processor(images=square.astype(np.uint8), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            expected = direct(model, pixels)[0]
        np.testing.assert_allclose(own, expected / expected.norm(), atol=1e-5)
    assert np.linalg.norm(units[0] - units[1]) > 0.01, "it tells them apart"


@pytest.mark.parametrize("family", ["dinov2", "clip"])
def test_neither_the_others_of_a_batch_nor_the_ground_make_a_difference(family, checkpoints, scene):
    embedder = HfEmbedder(checkpoints(family), device="cpu")
    image, masks = scene
    together = embedder.embed(image, masks)
    alone = np.concatenate([embedder.embed(image, mask[None]) for mask in masks])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(image, masks[::-1]), together[::-1], atol=1e-5)
    painted = np.where(masks.any(axis=0)[..., None], image, 0).astype(np.uint8)
    np.testing.assert_array_equal(embedder.embed(painted, masks), together)
    assert embedder.embed(image, masks[:0]).shape == (0, together.shape[1])


def test_nothing_of_an_object_is_cut_off_by_the_processor_of_dinov2(checkpoints):
    """One white pixel in a corner of a black object makes a difference."""
    embedder = HfEmbedder(checkpoints("dinov2"), device="cpu")
    image = np.zeros((200, 200, 3), np.uint8)
    mask = np.zeros((1, 200, 200), bool)
    mask[0, 20:180, 20:180] = True
    plain = embedder.embed(image, mask)
    image[20:26, 20:26] = 255
    assert np.abs(embedder.embed(image, mask) - plain).max() > 1e-4


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_crop_is_the_object_and_nothing_else(height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 250, (height, width, 3), np.uint8)
    mask = rng.random((height, width)) < 0.4
    mask[rng.integers(height), rng.integers(width)] = True
    fill = np.array([255, 254, 253], np.uint8)
    square = crop(image, mask, fill)
    assert square.shape[0] == square.shape[1]
    rest = (square == fill).all(axis=2)
    np.testing.assert_array_equal(square[~rest], image[mask])  # all of it, in its order
    rows, columns = np.flatnonzero((~rest).any(axis=1)), np.flatnonzero((~rest).any(axis=0))
    for own in (rows, columns):
        before, after = own[0], len(square) - 1 - own[-1]
        assert min(before, after) >= 0.07 * len(square), "a sixteenth of it may be cut off"
    for own in (rows, columns):
        assert abs(own[0] - (len(square) - 1 - own[-1])) <= 1, "it is in the middle"


def test_a_ready_one_is_handed_back(checkpoints):
    embedder = HfEmbedder(checkpoints("dinov2"), device="cpu")
    assert load_embedder(embedder) is embedder


@pytest.mark.parametrize("spec", ["dinov2", "hf:", "sam:x"])
def test_unknown_names(spec):
    with pytest.raises(TrackingError, match=r"unknown embedder .*known: hf:REPO_OR_DIR"):
        load_embedder(spec)


def test_bad_sources_are_one_clear_line(tmp_path, checkpoints, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    good = Path(checkpoints("dinov2"))
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    empty = tmp_path / "empty"
    empty.mkdir()
    cut = shutil.copytree(good, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((good / "model.safetensors").read_bytes()[:500])
    no_processor = shutil.copytree(good, tmp_path / "no_processor")
    (no_processor / "preprocessor_config.json").unlink()
    other = shutil.copytree(good, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    # A network of pictures, of which nobody trained one vector to stand for the whole.
    masked = tmp_path / "masked"
    mae = transformers.ViTMAEConfig(
        **TOWER, decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2
    )
    transformers.ViTMAEModel(mae).save_pretrained(masked)
    transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(masked)
    cases = {
        str(tmp_path / "none"): "there is no folder",
        str(empty): "holds no transformers model",
        str(bert): "is a bert network, which embeds no pictures",
        str(cut): "cannot load",
        str(no_processor): "cannot load",
        str(other): "do not fit its configuration",
        str(masked): "gives no embedding of a picture",
    }
    for source, expected in cases.items():
        with pytest.raises(TrackingError, match=expected) as caught:
            load_embedder(f"hf:{source}", device="cpu")
        assert source in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there(checkpoints):
    with pytest.raises(InputError, match="cuda:99"):
        HfEmbedder(checkpoints("dinov2"), device="cuda:99")


def test_weights_that_make_no_direction_are_told(checkpoints, scene):
    embedder = HfEmbedder(checkpoints("dinov2"), device="cpu")
    with torch.no_grad():
        embedder._model.layernorm.weight.zero_()
        embedder._model.layernorm.bias.zero_()
    with pytest.raises(TrackingError, match="without direction"):
        embedder.embed(*scene)
