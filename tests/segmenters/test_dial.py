import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import SegmenterError
from som_agent.segmenters import load_prompted, load_segmenter
from som_agent.segmenters.dial import chosen, parts_of
from som_agent.segmenters.granularity import stage
from som_agent.segmenters.prompts import Prompt
from tests.segmenters.test_sam import picture, tiny_sam
from tests.segmenters.tiny import quicken

torch.set_num_threads(1)
ALL = {"seem": "a", "semantic-sam": "b", "sam": "c"}


@given(st.floats(0, 1))
def test_with_all_three_it_is_soms_slider(granularity):
    assert chosen(1 + 2 * granularity, ALL) == stage(granularity)


@pytest.mark.parametrize(
    ("given_", "at", "expected"),
    [
        (["seem", "sam"], 1.9, "seem"),
        (["seem", "sam"], 2.1, "sam"),
        (["seem", "sam"], 2.0, "sam"),
        (["semantic-sam", "sam"], 1.0, "semantic-sam"),
        (["semantic-sam", "sam"], 2.5, "semantic-sam"),
        (["seem", "semantic-sam"], 3.0, "semantic-sam"),
        (["sam"], 1.0, "sam"),
    ],
)
def test_the_nearest_stands_in(given_, at, expected):
    assert chosen(at, dict.fromkeys(given_, "file")) == expected


def test_how_files_are_written():
    assert parts_of("seem=x/a, b.pt,sam=c=d.pth") == {"seem": "x/a, b.pt", "sam": "c=d.pth"}
    for argument, words in [
        ("a.pth", "'a.pth' is no file"),
        ("sam=", "'sam=' is no file"),
        ("sam=a,hf=b", "'hf=b' is no file"),
        ("sam=a,sam=b", "two files for sam"),
    ]:
        with pytest.raises(SegmenterError, match=words):
            load_segmenter(f"dial:{argument}")


def asked(monkeypatch):
    """What is made for the dial."""
    calls = []

    def made(spec, **options):
        calls.append((spec, options))

    monkeypatch.setattr("som_agent.segmenters.registry.made", made)
    return calls


def test_what_is_made_where(tmp_path, monkeypatch):
    from som_agent.segmenters.dial import DialSegmenter

    calls = asked(monkeypatch)
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    argument = f"seem={tmp_path}/a,semantic-sam={tmp_path}/b,sam={tmp_path}/c"
    for granularity in (0, 0.25, 0.5, None, 0.75, 1):
        DialSegmenter(argument, device="cpu", granularity=granularity)
    assert [(spec.replace(f"{tmp_path}/", ""), options["granularity"]) for spec, options in calls] == [
        ("seem:a", None),
        ("semantic-sam:b", 0),
        ("semantic-sam:b", 0.5),
        ("semantic-sam:b", 0.5),
        ("semantic-sam:b", 1),
        ("sam:c", None),
    ]
    with pytest.raises(SegmenterError, match=r"no file .*none.* for seem"):
        DialSegmenter(f"seem={tmp_path}/none,sam={tmp_path}/c", device="cpu", granularity=1)


def test_sam_alone_through_the_users_path(tmp_path):
    torch.save(tiny_sam().state_dict(), tmp_path / "tiny.pth")
    segmenter = load_segmenter(f"dial:sam={tmp_path}/tiny.pth", device="cpu", granularity=1)
    quicken(segmenter, 4)
    inner = load_segmenter(f"sam:{tmp_path}/tiny.pth", device="cpu")
    quicken(inner, 4)
    assert segmenter.name == f"dial:sam={tmp_path}/tiny.pth"
    regions, expected = segmenter.segment(picture()), inner.segment(picture())
    assert len(regions) > 1
    np.testing.assert_array_equal(regions.members, expected.members)
    prompt = Prompt([(20, 11)])
    np.testing.assert_array_equal(
        load_prompted(segmenter).prompted(picture(), prompt), inner.prompted(picture(), prompt)
    )
