import gzip
import json
import runpy
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from som_agent.errors import SegmenterError
from som_agent.segmenters.class_names import coco_panoptic
from som_agent.segmenters.networks.seem_text import LanguageEncoder, unit
from som_agent.segmenters.seem_words import (
    BACKGROUND,
    _assembled,
    _packaged,
    class_texts,
    listed_ids,
    templates,
    tokenizer,
)
from tests.segmenters.networks.rule import PARITY, compare, tensor_by_rule, vectors

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def known():
    """Texts and their ids as the authors' tokenizer gives them."""
    file = PARITY / "seem" / "clip_token_ids.json"
    if not file.is_file():
        pytest.skip("no parity vectors")
    listed = json.loads(file.read_text())
    return dict(zip(listed["strings"], listed["ids"], strict=True))


def test_classes_are_read_as_the_authors_read_them(known):
    names = [*coco_panoptic(), BACKGROUND]
    assert list(known)[: len(names)] == names
    for name in [*names, "A photo of a cat.", "a person"]:
        assert listed_ids(name) == known[name], name


def test_there_are_81_texts_for_a_class():
    texts = class_texts("door-stuff")
    assert len(set(texts)) == len(templates()) == 81
    assert {"door.", "itap of my door.", "the plushie door.", "a door in a video game."} <= set(texts)
    assert class_texts("sky-other-merged")[0] == "sky."
    assert class_texts("wall-brick", prompted=False) == ["wall-brick"]
    for name in (*coco_panoptic(), BACKGROUND):
        for text in class_texts(name):
            assert listed_ids(text)[-1] == 49407


def test_vectors_of_the_templates_equal_those_of_the_authors():
    expected = vectors("seem", "tiny_eval_96x128")["class_text_embeddings_prompted"]
    prefix = "sem_seg_head.predictor.lang_encoder."
    with torch.inference_mode():
        language = LanguageEncoder(48, 4, 2, 64)
        state = {
            name: value
            if value.ndim == 0
            else torch.from_numpy(tensor_by_rule(prefix + name, tuple(value.shape)))
            for name, value in language.state_dict().items()
        }
        language.load_state_dict(state)
        for k in (0, 57, 86, 119, 133):  # a thing, one of two words, -stuff, -other-merged, background
            texts = [listed_ids(text) for text in class_texts([*coco_panoptic(), BACKGROUND][k])]
            ids = torch.tensor([row + [0] * (20 - len(row)) for row in texts])
            mean = unit(language.texts(ids)).mean(dim=0)
            compare(mean / mean.norm(), expected[k], 1e-6)


def test_words_that_are_not_listed():
    with pytest.raises(SegmenterError, match="'kraken' in 'a photo of a kraken' is none of them"):
        listed_ids("a photo of a kraken")


@pytest.mark.skipif(find_spec("open_clip") is None, reason="needs open_clip_torch's vocabulary")
def test_any_text_is_read_as_the_authors_read_it(known, tmp_path):
    tokenize = tokenizer()
    for text, ids in known.items():
        own = tokenize(text)
        assert own[:76] + own[-1:] * (len(own) > 76) == ids, text
    for text in [text for name in coco_panoptic()[::7] for text in class_texts(name)[::5]]:
        assert tokenize(text) == listed_ids(text)
    published = runpy.run_path(str(_packaged().with_name("zero_shot_metadata.py")))
    named = {template("{}") for template in published["OPENAI_IMAGENET_TEMPLATES"]}
    assert named | {"{}."} == set(templates())


@pytest.mark.skipif(find_spec("open_clip") is None, reason="needs open_clip_torch's vocabulary")
def test_a_folder_of_transformers_serves_as_well(tmp_path):
    _assembled(_packaged()).save_pretrained(tmp_path)
    assert tokenizer(tmp_path)("two dogs, a café") == tokenizer()("two dogs, a café")


def test_files_that_hold_no_vocabulary(tmp_path):
    with pytest.raises(SegmenterError, match="cannot be read as CLIP's vocabulary"):
        tokenizer(tmp_path / "none.gz")
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"#version\na b\n" * 900)[:-20])
    with pytest.raises(SegmenterError, match="cannot be read as CLIP's vocabulary"):
        tokenizer(tmp_path / "torn.gz")
    (tmp_path / "short.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(SegmenterError, match="it has no 48894 merges"):
        tokenizer(tmp_path / "short.txt")
    rng = np.random.default_rng(0)
    pairs = {f"{a} {b}" for a, b in rng.integers(1000, 9999, (60000, 2)).tolist()}
    (tmp_path / "other.txt").write_text("#\n" + "\n".join(sorted(pairs)))
    with pytest.raises(SegmenterError, match="another vocabulary than CLIP's"):
        tokenizer(tmp_path / "other.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SegmenterError):
        tokenizer(tmp_path / "folder")
