import json
import subprocess
import sys

import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import pick_device
from som_agent.regions import Regions
from som_agent.segmenters import load_finder, load_prompted, load_segmenter, segmenter_names
from som_agent.segmenters.entries import ABILITIES, REGISTRY


def test_names_have_a_phrase_each():
    names = segmenter_names()
    assert list(names) == [
        "hierarchy",
        "labels:DIR",
        "sam:CHECKPOINT",
        "semantic-sam:CHECKPOINT",
        "maskdino:CHECKPOINT",
        "seem:CHECKPOINT",
        "dial:seem=FILE,semantic-sam=FILE,sam=FILE",
        "hf:REPO_OR_DIR",
    ]
    assert all(names.values())


@pytest.mark.parametrize("spec", ["heirarchy", "", "HF:x", "labelsdir"])
def test_unknown_name_lists_the_known(spec):
    with pytest.raises(SegmenterError) as caught:
        load_segmenter(spec)
    message = str(caught.value)
    assert "\n" not in message
    assert repr(spec) in message
    for form, phrase in segmenter_names().items():
        assert f"{form} ({phrase})" in message


@pytest.mark.parametrize(
    ("spec", "form"),
    [
        ("labels", "labels:DIR"),
        ("labels:", "labels:DIR"),
        ("sam:", "sam:CHECKPOINT"),
        ("hf:", "hf:REPO_OR_DIR"),
    ],
)
def test_missing_argument_says_how_to_write_it(spec, form):
    with pytest.raises(SegmenterError, match=f"write {form}"):
        load_segmenter(spec)


def test_superfluous_argument():
    with pytest.raises(SegmenterError, match="takes no argument"):
        load_segmenter("hierarchy:9")


def test_ready_segmenter_is_handed_back():
    class Everything:
        name = "everything"

        def segment(self, frame):
            return Regions.from_labels(np.ones(frame.image.shape[:2], np.int32))

    segmenter = Everything()
    assert load_segmenter(segmenter) is segmenter
    with pytest.raises(SegmenterError, match="not int"):
        load_segmenter(3)


def test_registry_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from som_agent.segmenters import load_segmenter, segmenter_names\n"
        "segmenter_names()\n"
        "heavy = {'torch', 'transformers', 'higra', 'segment_anything', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_device_that_is_not_there(name):
    with pytest.raises(InputError, match="cannot be used here") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_device_by_name():
    assert pick_device("cpu").type == "cpu"
    assert pick_device(None).type in {"cpu", "cuda", "mps"}


def test_what_cannot_do_it_says_what_can(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(SegmenterError, match="takes no points or boxes; these do: hierarchy; sam:CHECKPOINT"):
        load_prompted(f"labels:{tmp_path}")
    with pytest.raises(SegmenterError, match="has no granularity; these have: hierarchy, sam:CHECKPOINT"):
        load_segmenter(f"labels:{tmp_path}", granularity=0.5)
    with pytest.raises(SegmenterError, match="is loaded already: its granularity is its own"):
        load_segmenter(load_segmenter("hierarchy"), granularity=0.5)
    with pytest.raises(InputError, match="from 0"):
        load_segmenter("hierarchy", granularity=-1)
    for kind, words in [
        ("grounding-dino", "is Grounding DINO: it finds what phrases name and nothing by itself; .*--finder"),
        ("sam3", "is SAM 3 detector: it finds what phrases name"),
        ("segformer", "is a segformer network; these work: SAM, "),
    ]:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(SegmenterError, match=words) as caught:
            load_segmenter(f"hf:{tmp_path}", device="cpu")
        assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    with pytest.raises(SegmenterError, match=r"finds nothing by phrases; these do: .*DINO"):
        load_finder(f"hf:{tmp_path}", device="cpu")
    with pytest.raises(SegmenterError, match="unknown finder 'sam:x'; these find by phrases: "):
        load_finder("sam:x")


def test_every_row_says_enough():
    titles = [(entry.name, family.title) for entry in REGISTRY for family in entry.families]
    assert len(titles) == len(set(titles))
    kinds = [kind for entry in REGISTRY for family in entry.families for kind in family.types]
    assert len(kinds) == len(set(kinds)), "a model type belongs to one family"
    for entry in REGISTRY:
        for family in entry.families:
            assert family.make or family.can == ("text",)
            assert bool(family.types) == (entry.name == "hf")
            assert set(family.can) <= set(ABILITIES)
            if family.weights is not None:
                assert 0 < family.weights.smallest_mb <= family.weights.largest_mb
