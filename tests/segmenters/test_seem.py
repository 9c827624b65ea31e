from dataclasses import replace

import numpy as np
import pytest
import torch

from som_agent.errors import InputError, MissingExtraError, SegmenterError
from som_agent.segmenters import load_finder, load_prompted, load_segmenter
from som_agent.segmenters.networks.seem import Seem
from som_agent.segmenters.panoptic import class_maps, enlarge, instances, merge_panoptic
from som_agent.segmenters.prompts import Prompt
from som_agent.segmenters.seem import SeemSegmenter
from som_agent.segmenters.seem_looks import inner_size, stroke_points
from som_agent.segmenters.seem_words import END, START
from som_agent.video.frame import Frame
from tests.segmenters.networks.rule import compare, fill_by_rule, state_by_rule, vectors
from tests.segmenters.networks.test_seem import TINY_T

torch.set_num_threads(1)

TINY = replace(TINY_T, text_heads=8)  # which a checkpoint does not say
EVERYTHING = {"threshold": 0.0, "overlap": 0.3}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny network as the official files are: a flat table of weights."""
    path = tmp_path_factory.mktemp("seem") / "seem_tiny.pt"
    torch.save(state_by_rule(Seem(TINY)), path)
    return path


@pytest.fixture(scope="module")
def segmenter(checkpoint):
    return SeemSegmenter(checkpoint, device="cpu", short_side_px=96, templates=False, **EVERYTHING)


def frame(image, index=0):
    return Frame(image, index, float(index))


def photo(shared_data, size):
    import cv2

    path = sorted((shared_data / "images").rglob("*.jpg"))[0]
    return frame(cv2.resize(cv2.imread(str(path))[..., ::-1], size, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(
    ("case", "source", "backbone"),
    [
        ("tiny_eval_96x128", (96, 128), {}),
        ("tiny_eval_90x118_to_135x177", (90, 118), {}),
        ("tiny_focalL_96x128", (96, 128), {"levels": (4, 4, 4, 4), "depthwise": False}),
    ],
)
def test_readings_of_the_answers_equal_the_vectors(case, source, backbone):
    vectors_ = vectors("seem", case)
    threshold, overlap = vectors_["panoptic_thresholds_object_overlap"]
    expected = vectors_["panoptic_seg"]
    masks = torch.from_numpy(vectors_["pred_masks"][0])
    chances = torch.from_numpy(vectors_["pred_logits"][0]).softmax(dim=1)
    resize = enlarge(masks.shape[1:], (96, 128), source, expected.shape, last="bicubic")
    scores, classes = chances.max(dim=1)
    kept = (classes < 133) & (scores > threshold)
    found = merge_panoptic(
        scores[kept], classes[kept], masks[kept], resize, things=range(80), overlap=overlap
    )
    assert (found.labels != expected).sum() <= 3
    segments = [(part.id, part.is_thing, part.category) for part in found.segments]
    assert segments == [tuple(row) for row in vectors_["panoptic_id_isthing_cat"].tolist()]

    best = instances(chances[:, :-1], masks, resize, count=12, things=range(80))
    order, wanted = np.argsort(-best.scores.numpy()), np.argsort(-vectors_["inst_scores"])
    np.testing.assert_allclose(best.scores.numpy()[order], vectors_["inst_scores"][wanted], atol=1e-5)
    np.testing.assert_array_equal(best.classes.numpy()[order], vectors_["inst_classes"][wanted])
    packed = vectors_["inst_masks_packed"][wanted]
    unpacked = np.unpackbits(packed, axis=1)[:, : expected.size].reshape(-1, *expected.shape)
    assert (best.masks.numpy()[order] != unpacked).sum() <= 10

    maps = class_maps(chances[:, :-1], masks, resize)
    for name in ("sem_seg_cls19", "sem_seg_cls33"):
        if name in vectors_:
            compare(maps[:: int(name[11:])], vectors_[name], 1e-4)


def test_the_whole_way_equals_the_vectors(segmenter):
    case = vectors("seem", "tiny_eval_96x128")
    old = segmenter._vectors
    segmenter._vectors = torch.from_numpy(case["class_text_embeddings"])
    regions, names = segmenter.classified(frame(case["image_u8"]))
    segmenter._vectors = old
    expected, rows = case["panoptic_seg"], case["panoptic_id_isthing_cat"]
    areas = np.bincount(expected.ravel(), minlength=len(rows) + 1)[1:]
    order = np.argsort(-areas, kind="stable")
    assert len(regions) == len(rows)
    for i, k in enumerate(order):
        assert (regions.mask(i) != (expected == rows[k, 0])).sum() <= 3
        assert names[i] == segmenter.classes[rows[k, 2]]


def test_regions_of_a_photo_keep_the_contract(segmenter, shared_data):
    seen = photo(shared_data, (150, 100))
    regions, names = segmenter.classified(seen)
    assert len(regions) == len(names) > 1
    assert regions.atoms.shape == (100, 150)
    assert (regions.areas > 0).all()
    assert (np.diff(regions.areas) <= 0).all()
    assert ((regions.scores >= 0) & (regions.scores <= 1)).all()
    assert (regions.members.sum(axis=0) <= 1).all()  # panoptic: no pixel twice
    again = segmenter.segment(frame(seen.image.copy()))
    np.testing.assert_array_equal(again.atoms, regions.atoms)
    np.testing.assert_array_equal(again.scores, regions.scores)


def test_names_load_it(checkpoint):
    name = f"seem:{checkpoint}"
    for load in (load_segmenter, load_finder):
        loaded = load(name, device="cpu")
        assert isinstance(loaded, SeemSegmenter)
        assert loaded.name == name
    assert load_prompted(loaded) is loaded
    assert len(loaded.classes) == 133


def test_the_dial_is_how_sure_it_must_be(checkpoint, monkeypatch):
    monkeypatch.setattr("som_agent.segmenters.seem._load", lambda *_: torch.nn.Identity())
    sure = {
        dial: SeemSegmenter(checkpoint, device="cpu", granularity=dial)._threshold for dial in (0, 0.5, 1)
    }
    assert sure == {0: pytest.approx(0.95), 0.5: pytest.approx(0.5), 1: pytest.approx(0.05)}
    assert SeemSegmenter(checkpoint, device="cpu")._threshold == 0.8


def test_clicks_and_strokes(segmenter, shared_data):
    seen = photo(shared_data, (150, 100))
    click = segmenter.prompted(seen, Prompt([(60, 40)]))
    assert click.shape == (100, 150)
    assert click.dtype == bool
    np.testing.assert_array_equal(click, segmenter.prompted(frame(seen.image.copy()), Prompt([(60, 40)])))
    corrected = segmenter.prompted(seen, Prompt([(60, 40), (120, 80)], [1, 0]))
    assert (corrected != click).any()
    boxed = segmenter.prompted(seen, Prompt(box=(20, 10, 70, 60)))
    assert not boxed[60:].any()
    assert not boxed[:, :20].any()
    corner = segmenter.prompted(seen, Prompt(box=(149.6, 99.6, 150, 100)))
    assert corner.sum() <= 1
    stroke = np.zeros((100, 150), bool)
    stroke[40, 50:70] = True
    assert segmenter.stroked(seen, stroke).shape == (100, 150)
    assert (segmenter.stroked(seen, stroke) != segmenter.stroked(seen, stroke, ~stroke)).any()
    single = np.zeros((100, 150), bool)
    single[7, 9] = True
    segmenter.stroked(seen, single)
    with pytest.raises(InputError, match="nothing set"):
        segmenter.stroked(seen, np.zeros((100, 150), bool))
    with pytest.raises(InputError, match="150x100 px, got an array"):
        segmenter.stroked(seen, np.ones((10, 15), bool))


def test_a_click_is_nine_pixels_of_what_the_network_sees(segmenter, shared_data):
    looked = segmenter._look(photo(shared_data, (150, 100)))
    assert (looked.inner, looked.padded) == ((96, 144), (96, 160))
    grow = segmenter._network.dilation_kernel
    y, x = looked.clicks([(75, 50)], grow).nonzero().unbind(1)
    assert (y.min(), y.max(), x.min(), x.max(), len(y)) == (47, 49, 71, 73, 9)
    assert looked.clicks([(149.9, 99.9)], grow).sum() == 4
    assert not looked.clicks([(149.9, 99.9)], grow)[:, 144:].any()
    assert not looked.clicks([], grow).any()


def test_strokes_equal_the_vectors_through_the_segmenter(segmenter, monkeypatch):
    """One stroke at a time is what the segmenter asks: the same as the network asked by hand."""
    case = vectors("seem", "tiny_stroke_96x128")
    first = case["pos_masks"][0]
    with torch.inference_mode():
        looked = segmenter._look(frame(case["image_u8"]))
        tokens = segmenter._read(looked, looked.stroke(first), None)
    compare(tokens.means[None], case["r1_last_predictions_pos_spatial"][:, :1], 1e-4)
    assert [len(level) for level in tokens.tokens] == [86] * 3


def test_a_reference_finds_itself(segmenter, shared_data):
    seen = photo(shared_data, (150, 100))
    mask = np.zeros((100, 150), bool)
    mask[20:60, 30:80] = True
    reference = segmenter.reference(seen, mask)
    assert len(reference.tokens.tokens[0]) == 512  # of a large one an even choice
    elsewhere = frame(seen.image[:, ::-1].copy(), 1)
    regions = segmenter.alike(elsewhere, reference)
    assert len(regions) <= 1
    assert regions.atoms.shape == (100, 150)
    # In the picture itself it is what a stroke of that mask gives.
    own = segmenter.alike(seen, reference)
    expected = segmenter.stroked(seen, mask)
    assert len(own) == int(expected.any())
    if len(own):
        np.testing.assert_array_equal(own.mask(0), expected)
    with pytest.raises(InputError):
        segmenter.reference(seen, ~mask & mask)


def letters(text):
    """A stand-in for CLIP's vocabulary: an id a letter."""
    return [START, *(ord(letter) for letter in text), END]


def test_phrases(segmenter, shared_data, monkeypatch):
    monkeypatch.setattr(segmenter, "_tokenize", letters)
    seen = photo(shared_data, (150, 100))
    phrases = ["red cup", "a dog", "sky"]
    found = segmenter.find(seen, phrases)
    assert sorted(found.phrases) == sorted(phrases)
    assert (np.diff(found.regions.scores) <= 0).all()
    assert found.regions.atoms.shape == (100, 150)
    with pytest.raises(InputError, match="one phrase or more"):
        segmenter.find(seen, ["cup", " "])
    with pytest.raises(InputError, match="at most 75 pieces of words, got 76"):
        segmenter.find(seen, ["x" * 76])


def test_phrases_equal_the_vectors(tmp_path, monkeypatch):
    """With the four heads that the reader of words has in the vectors, which its weights do not say."""
    case = vectors("seem", "tiny_grounding_96x128")
    network = fill_by_rule(Seem(replace(TINY, text_heads=4)))
    monkeypatch.setattr("som_agent.segmenters.seem._load", lambda *_: network)
    segmenter = SeemSegmenter("tiny", device="cpu", short_side_px=96)
    phrases = ("the red cat on the left", "a person")
    ids = [
        row[mask.astype(bool)].tolist()
        for row, mask in zip(case["token_ids"], case["attention_mask"], strict=True)
    ]
    monkeypatch.setattr(segmenter, "_tokenize", dict(zip(phrases, ids, strict=True)).__getitem__)
    found = segmenter.find(frame(case["image_u8"]), phrases)
    for i, phrase in enumerate(found.phrases):
        expected = case["grounding_mask"][phrases.index(phrase)] > 0
        assert (found.regions.mask(i) != expected).sum() <= 3


def test_phrases_need_a_vocabulary(checkpoint, shared_data, monkeypatch):
    monkeypatch.setattr("som_agent.segmenters.seem_words.find_spec", lambda name: None)
    segmenter = SeemSegmenter(checkpoint, device="cpu", short_side_px=64, **EVERYTHING)
    with pytest.raises(MissingExtraError, match=r"som-agent\[seem\]"):
        segmenter.find(photo(shared_data, (60, 40)), ["a cat"])


def test_other_classes(checkpoint, shared_data, monkeypatch):
    monkeypatch.setattr("som_agent.segmenters.seem.tokenizer", lambda source: letters)
    mine = SeemSegmenter(
        checkpoint, device="cpu", short_side_px=64, classes=["cup", "bowl"], templates=False, **EVERYTHING
    )
    _, names = mine.classified(photo(shared_data, (96, 64)))
    assert set(names) <= {"cup", "bowl"}
    assert mine._vectors.shape == (3, 64)


@pytest.mark.parametrize(
    "options", [{"threshold": 2}, {"overlap": -1}, {"short_side_px": 0}, {"granularity": 3}, {"classes": []}]
)
def test_options_out_of_range(checkpoint, options):
    with pytest.raises(InputError):
        SeemSegmenter(checkpoint, device="cpu", **options)


def test_files_of_other_networks(checkpoint, tmp_path):
    with pytest.raises(SegmenterError, match="no file"):
        load_segmenter(f"seem:{tmp_path / 'none.pt'}")
    state = torch.load(checkpoint, weights_only=True)
    torch.save({"layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pt")
    with pytest.raises(SegmenterError, match=r"not a SEEM checkpoint.*a ResNet"):
        load_segmenter(f"seem:{tmp_path / 'resnet.pt'}")
    lacking = {key: value for key, value in state.items() if "decoder_norm" not in key}
    torch.save(lacking, tmp_path / "lacking.pt")
    with pytest.raises(SegmenterError, match=r"2 are missing, first 'sem_seg_head.predictor.decoder_norm"):
        load_segmenter(f"seem:{tmp_path / 'lacking.pt'}")
    for key in ("criterion.empty_weight", "dilation_kernel"):  # they are only for training, or constants
        state.pop(key)
    torch.save({"model": state}, tmp_path / "demo.pt")
    assert len(load_segmenter(f"seem:{tmp_path / 'demo.pt'}", device="cpu").classes) == 133


@pytest.mark.parametrize(
    ("size", "expected"),
    [((480, 640), (640, 853)), ((640, 480), (853, 640)), ((90, 118), (640, 839)), ((50, 50), (640, 640))],
)
def test_sizes_are_those_of_set_of_mark(size, expected):
    assert inner_size(size, 640) == expected


def test_long_strips_stay_bounded():
    assert inner_size((10, 1000), 640) == (25, 2560)
    assert inner_size((1, 10000), 640) == (1, 2560)


def test_large_strokes_are_thinned_evenly():
    points = stroke_points(torch.ones(64, 32, dtype=torch.bool))
    assert len(points) == 512
    assert points[0].tolist() == [0, 0, 0]
    assert points[1].tolist() == [0, 4 / 32, 0]
    assert stroke_points(torch.zeros(4, 4, dtype=torch.bool)).shape == (0, 3)
