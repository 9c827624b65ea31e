import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from torchvision.ops import batched_nms

from som_agent.errors import InputError, SegmenterError
from som_agent.segmenters import load_finder, load_prompted, load_segmenter
from som_agent.segmenters.hierarchy import HierarchySegmenter
from som_agent.segmenters.text import DinoFinder, Sam3Finder
from som_agent.video.frame import Frame
from tests import tiny_video_models as tiny

torch.set_num_threads(1)


WORDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
WORDS |= {word: 200 + i for i, word in enumerate(["red", "blue", "cup", "dog", "a", "table", "##s"])}


def dino():
    """Grounding DINO knows the numbers of its full stop and of the two ends of a text."""
    by_number = {number: word for word, number in WORDS.items()}
    tokenizer = transformers.BertTokenizer(vocab={by_number.get(i, f"[unused{i}]"): i for i in range(1030)})
    small = {"ffn_dim": 16, "attention_heads": 2, "n_points": 2}
    config = transformers.GroundingDinoConfig(
        backbone_config={
            "model_type": "swin",
            "embed_dim": 8,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "window_size": 4,
            "image_size": 64,
            "out_indices": [2, 3, 4],
        },
        text_config={
            "model_type": "bert",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "vocab_size": 1030,
            "max_position_embeddings": 64,
        },
        num_queries=12,
        d_model=64,
        max_text_len=32,
        encoder_layers=1,
        decoder_layers=2,
        **{f"encoder_{name}": value for name, value in small.items()},
        **{f"decoder_{name}": value for name, value in small.items()},
    )
    processor = transformers.GroundingDinoProcessor(
        transformers.GroundingDinoImageProcessor(size={"shortest_edge": 48, "longest_edge": 80}), tokenizer
    )
    return transformers.GroundingDinoForObjectDetection(config), processor


@pytest.fixture(scope="module")
def dino_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(1)
    for part in dino():
        part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sam3_folder(tmp_path_factory):
    return tiny.save("sam3_video", tmp_path_factory.mktemp("sam3"), seed=1)


@pytest.fixture(scope="module")
def finders(dino_folder, sam3_folder):
    """Both, sure of nothing."""
    return (
        DinoFinder(str(dino_folder), Boxes(), device="cpu", threshold=1.0),
        Sam3Finder(str(sam3_folder), device="cpu", threshold=1.0),
    )


def picture(h=36, w=64):
    y, x = np.mgrid[:h, :w]
    image = np.stack([x * 255 // w, y * 255 // h, (x // 9 + y // 9) % 2 * 200], axis=-1).astype(np.uint8)
    return Frame(image, 0, 0.0)


class Boxes:
    """Masks that are the boxes; what is left of the middle stays empty."""

    name = "boxes"

    def __init__(self):
        self.asked = []

    def prompted(self, frame, prompt):
        prompt.check(frame)
        self.asked.append(prompt.box)
        mask = np.zeros(frame.image.shape[:2], bool)
        x0, y0, x1, y1 = np.round(prompt.box).astype(int)
        if x0 > 20:
            mask[y0:y1, x0:x1] = True
        return mask


PHRASES = ["Red cups", "dog", "a blue  table."]


def test_dino_finds_boxes_and_the_segmenter_their_masks(dino_folder):
    masks = Boxes()
    finder = load_finder(f"hf:{dino_folder}", masks=masks, device="cpu")
    assert isinstance(finder, DinoFinder)
    assert finder.name == f"hf:{dino_folder}"
    found = finder.find(picture(), PHRASES)

    model, processor = finder._model, finder._processor
    text = "red cups. dog. a blue table."
    inputs = processor(images=picture().image, text=text, return_tensors="pt")
    assert inputs["input_ids"][0].tolist() == [101, 200, 202, 206, 1012, 203, 1012, 204, 201, 205, 1012, 102]
    with torch.inference_mode():
        output = model(**inputs)
    (theirs,) = processor.post_process_grounded_object_detection(
        output, threshold=-1, text_threshold=1, target_sizes=[(36, 64)]
    )
    words = output.logits[0].sigmoid()
    scores = torch.stack([words[:, a:b].max(dim=1).values for a, b in ((1, 4), (5, 6), (7, 10))], dim=1)
    boxes = theirs["boxes"].clamp(torch.zeros(4), torch.tensor([64, 36, 64, 36]))
    best, phrase = scores.max(dim=1)
    sure = (best > 0.35).nonzero()[:, 0]
    kept = sure[batched_nms(boxes[sure], best[sure], phrase[sure], 0.8)]
    assert 3 <= len(kept) < len(boxes)
    np.testing.assert_allclose(np.array(masks.asked), boxes[kept].numpy(), atol=1e-4)
    there = [k for k in kept.tolist() if boxes[k, 0].round() > 20]
    assert 2 <= len(there) < len(kept)
    np.testing.assert_allclose(found.regions.scores, best[there].numpy(), atol=1e-6)
    assert found.phrases == tuple(PHRASES[k] for k in phrase[there])
    assert len(set(found.phrases)) > 1
    assert (np.diff(found.regions.scores) <= 0).all()
    for i, k in enumerate(there):
        np.testing.assert_array_equal(found.regions.boxes[i], boxes[k].round().int().numpy())


def test_masks_of_boxes_come_from_any_prompted_segmenter(dino_folder):
    finder = load_finder(f"hf:{dino_folder}", device="cpu")
    assert isinstance(finder.masks, HierarchySegmenter)
    found = finder.find(picture(90, 120), PHRASES)
    assert len(found.regions) == len(found.phrases) > 0
    assert found.regions.atoms.shape == (90, 120)
    assert set(found.phrases) <= set(PHRASES)


def test_sam3_finds_masks(sam3_folder):
    finder = load_finder(f"hf:{sam3_folder}", device="cpu")
    assert isinstance(finder, Sam3Finder)
    phrases = ["red cup", "dog"]
    frame = picture()
    found = finder.find(frame, phrases)
    expected = []
    for phrase in phrases:
        inputs = finder._processor(images=frame.image, text=phrase, return_tensors="pt")
        with torch.inference_mode():
            output = finder._model(
                pixel_values=inputs["pixel_values"],
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
            )
        (theirs,) = finder._processor.post_process_instance_segmentation(
            output, threshold=0.5, target_sizes=[(36, 64)]
        )
        expected += [
            (score.item(), phrase, mask.bool().numpy())
            for score, mask in zip(theirs["scores"], theirs["masks"], strict=True)
            if mask.any()
        ]
    expected.sort(key=lambda one: -one[0])
    assert len(found.regions) == len(expected) >= 3
    assert found.phrases == tuple(phrase for _, phrase, _ in expected)
    assert set(found.phrases) == set(phrases)
    for i, (score, _, mask) in enumerate(expected):
        assert found.regions.scores[i] == pytest.approx(score, abs=1e-5)
        assert (found.regions.mask(i) != mask).sum() <= 1


def test_nothing_sure_is_no_regions(finders):
    for finder in finders:
        found = finder.find(picture(), ["dog"])
        assert found.phrases == ()
        assert found.regions.atoms.shape == (36, 64)


@pytest.mark.parametrize("phrases", [[], [""], ["dog", " . "], "dog"])
def test_no_phrases_is_one_clear_line(finders, phrases):
    for finder in finders:
        with pytest.raises(InputError, match="one phrase or more") as caught:
            finder.find(picture(), phrases)
        assert "\n" not in str(caught.value)


def test_more_than_can_be_read_is_one_clear_line(finders):
    with pytest.raises(InputError, match="30 phrases are 62 tokens, it reads at most 32"):
        finders[0].find(picture(), ["dog"] * 30)


def test_bad_names_are_one_clear_line(tmp_path, dino_folder):
    bert = tmp_path / "bert"
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(bert)
    other = shutil.copytree(dino_folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "encoder_layers": 2}))
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.json").write_text("[]")
    cases = [
        ("dino", {}, "unknown finder 'dino'; these find by phrases: .*Grounding DINO"),
        ("hf:", {}, "lacks its argument"),
        (f"hf:{tmp_path / 'none'}", {}, "there is no folder"),
        (f"hf:{bert}", {}, "is a bert network; these work: .*Grounding DINO"),
        (f"hf:{other}", {}, "do not fit its configuration"),
        (f"hf:{dino_folder}", {"masks": f"labels:{labels}"}, "takes no points or boxes"),
        (f"hf:{dino_folder}", {"masks": object()}, "'object' takes no points or boxes"),
        (f"hf:{dino_folder}", {"masks": "magic"}, "unknown segmenter 'magic'"),
    ]
    for spec, options, message in cases:
        with pytest.raises(SegmenterError, match=message) as caught:
            load_finder(spec, device="cpu", **options)
        assert "\n" not in str(caught.value)


def test_ready_objects_are_handed_back(finders):
    masks = Boxes()
    assert load_prompted(masks) is masks
    assert load_prompted("hierarchy").name == load_segmenter("hierarchy").name
    assert load_finder(finders[0]) is finders[0]
