import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from som_agent.errors import InputError, SegmenterError
from som_agent.segmenters.classes import ClassSegmenter, task_of
from tests.segmenters import tiny_class_models as tiny
from tests.tiny_image_models import picture

torch.set_num_threads(1)
TASKS = ("instance", "panoptic", "semantic")
SEEDS = {"mask2former": 1, "maskformer": 1}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A segmenter of each family, loaded once; its task may be changed."""
    made = {}

    def segmenter(family, task, dial=None):
        if family not in made:
            folder = tiny.save(family, tmp_path_factory.mktemp(family), SEEDS.get(family, 0))
            made[family] = ClassSegmenter(str(folder), device="cpu")
        made[family].task, made[family]._dial = task, dial
        return made[family]

    return segmenter


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_family_does_its_tasks(loaded, family, task):
    if family == "rf_detr" and task != "instance":
        return
    segmenter, frame = loaded(family, task, 1.0), picture()
    regions, names = segmenter.classified(frame)
    assert regions.atoms.shape == frame.image.shape[:2]
    assert len(regions) == len(names) > 0
    assert segmenter.classes == tuple(f"class {k}" for k in range(5))
    assert set(names) <= set(segmenter.classes)
    assert (np.diff(regions.areas) <= 0).all()
    if task == "panoptic":
        assert regions.members.sum(axis=0).max() == 1, "each pixel once"
    if task == "semantic":
        whole = [name for name, parent in zip(names, regions.parents, strict=True) if parent < 0]
        assert len(whole) == len(set(whole)), "one region a class"


@pytest.mark.filterwarnings("ignore:The following named arguments")  # the pipeline gives EoMT too many
@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("mask2former", "panoptic"),
        ("mask2former", "semantic"),
        ("maskformer", "panoptic"),
        ("maskformer", "semantic"),
        ("eomt", "instance"),
        ("eomt_dinov3", "semantic"),
    ],
)
def test_the_masks_are_those_of_transformers_own_pipeline(loaded, family, task):
    segmenter, frame = loaded(family, task), picture()
    source = segmenter.name.removeprefix("hf:")
    pipeline = transformers.pipeline("image-segmentation", model=source, subtask=task, device="cpu")
    usual = {"mask2former": 0.5, "maskformer": 0.5}.get(family, 0.8)
    options = {} if task == "semantic" else {"threshold": usual, "overlap_mask_area_threshold": 0.8}
    truth = pipeline(Image.fromarray(frame.image), **options)
    regions, names = segmenter.classified(frame)
    assert len(truth) >= 2
    expected = {(entry["label"], (np.asarray(entry["mask"]) > 0).tobytes()) for entry in truth}
    assert {(name, regions.mask(k).tobytes()) for k, name in enumerate(names)} == expected


def test_rf_detr_gives_what_its_processor_gives(loaded):
    segmenter, frame = loaded("rf_detr", "instance"), picture()
    source = segmenter.name.removeprefix("hf:")
    processor = transformers.AutoImageProcessor.from_pretrained(source)
    model = transformers.RfDetrForInstanceSegmentation.from_pretrained(source).eval()
    with torch.inference_mode():
        output = model(**processor(images=Image.fromarray(frame.image), return_tensors="pt"))
    truth = processor.post_process_instance_segmentation(
        output, target_sizes=[frame.image.shape[:2]], return_binary_maps=True
    )[0]
    regions, names = segmenter.classified(frame)
    expected = sorted(
        (f"class {told['label_id']}", mask.numpy().tobytes())
        for mask, told in zip(truth["segmentation"], truth["segments_info"], strict=True)
    )
    assert sorted((name, regions.mask(k).tobytes()) for k, name in enumerate(names)) == expected


def test_finer_finds_more_and_links_it(loaded):
    frame = picture()
    found = [len(loaded("mask2former", "panoptic", dial).segment(frame)) for dial in (0, 0.5, 1)]
    assert found == sorted(found)
    assert found[0] < found[2]
    coarse = loaded("eomt", "semantic", 0).segment(frame)
    fine, names = loaded("eomt", "semantic", 1).classified(frame)
    assert len(fine) > len(coarse)
    children = np.flatnonzero(fine.parents >= 0)
    assert len(children)
    assert all(names[child] == names[fine.parents[child]] for child in children)


def test_stuff_is_one_segment_a_class(tmp_path):
    folder = tiny.save("maskformer", tmp_path, 1, count=133)
    segmenter = ClassSegmenter(str(folder), device="cpu", granularity=1)
    assert segmenter.task == "panoptic"
    with torch.no_grad():  # all classes but two kinds of stuff are out of the question
        head = segmenter._model.class_predictor
        head.bias.fill_(-1e4)
        head.bias[[3, 100, 101]] = 0
    _, names = segmenter.classified(picture())
    stuff = [name for name in names if name != "class 3"]
    assert stuff
    assert len(stuff) == len(set(stuff))


def test_words_in_the_name_tell_the_task(tmp_path):
    config = transformers.EomtConfig(num_labels=150)
    split = transformers.EomtImageProcessor(do_split_image=True)
    whole = transformers.EomtImageProcessor(do_split_image=False)
    assert task_of(config, whole, "tue-mps/ade20k_panoptic_eomt_large_640") == "panoptic"
    assert task_of(config, whole, "models/coco-Instance/v2") == "semantic", "the folder's own name counts"
    assert task_of(config, whole, "instance_of_panoptic") == "semantic", "two words tell nothing"
    assert task_of(transformers.EomtConfig(num_labels=7), split, "mine") == "semantic"
    assert task_of(transformers.EomtConfig(num_labels=7), whole, "mine") == "panoptic"
    assert task_of(transformers.EomtConfig(num_labels=80), whole, "mine") == "instance"
    assert task_of(transformers.OneFormerConfig(num_labels=150), whole, "semantic") == "panoptic"


@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 80), (65, 33)])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_odd_sizes(loaded, family, h, w):
    assert loaded(family, "instance").segment(picture(h, w)).atoms.shape == (h, w)


def test_nothing_sure_is_no_regions(loaded, monkeypatch):
    monkeypatch.setattr("som_agent.segmenters.classes.class_threshold", lambda dial: 1.1)
    for family in ("mask2former", "oneformer", "eomt", "rf_detr"):
        regions = loaded(family, "instance", 0).segment(picture())
        assert len(regions) == 0
        assert regions.atoms.shape == (36, 64)


def test_wrong_checkpoints_are_one_clear_line(loaded, tmp_path):
    good = loaded("rf_detr", "instance").name.removeprefix("hf:")
    boxes = shutil.copytree(good, tmp_path / "boxes")
    config = json.loads((boxes / "config.json").read_text())
    config["architectures"] = ["RfDetrForObjectDetection"]
    (boxes / "config.json").write_text(json.dumps(config))
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    for source, options, kind, words in [
        (boxes, {}, SegmenterError, "boxes alone"),
        (bert, {}, SegmenterError, "is a bert network"),
        (good, {"task": "panoptic"}, InputError, "no panoptic segmentation"),
        (good, {"task": "things"}, InputError, "known: instance, panoptic, semantic"),
        (good, {"granularity": 7}, InputError, "got 7"),
    ]:
        with pytest.raises(kind, match=words) as caught:
            ClassSegmenter(str(source), device="cpu", **options)
        assert "\n" not in str(caught.value)
