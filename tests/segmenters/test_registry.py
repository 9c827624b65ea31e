import subprocess
import sys

import numpy as np
import pytest

from som_agent.errors import InputError, SegmenterError
from som_agent.pretrained import pick_device
from som_agent.regions import Regions
from som_agent.segmenters import load_segmenter, segmenter_names


def test_names_have_a_phrase_each():
    names = segmenter_names()
    assert list(names) == [
        "hierarchy",
        "labels:DIR",
        "sam:CHECKPOINT",
        "semantic-sam:CHECKPOINT",
        "maskdino:CHECKPOINT",
        "hf:REPO_OR_DIR",
        "seem:CHECKPOINT",
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
