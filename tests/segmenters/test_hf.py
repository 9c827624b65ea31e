import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
import transformers

from som_agent.errors import MissingExtraError, SegmenterError
from som_agent.segmenters import load_segmenter
from som_agent.segmenters.hf import HfSegmenter
from tests.tiny_image_models import FAMILIES, SIDE, picture, sam3_video, save

torch.set_num_threads(1)


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
    segmenter._rules = dataclasses.replace(segmenter._rules, points_per_side=5)
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
