"""docs/segmenters.md is what the table says, and the table what the networks are."""

from pathlib import Path

from transformers.models.auto.modeling_auto import MODEL_FOR_MASK_GENERATION_MAPPING_NAMES

from som_agent.segmenters.__main__ import page
from som_agent.segmenters.classes import CLASS_TYPES
from som_agent.segmenters.entries import REGISTRY
from som_agent.segmenters.text import DINO_TYPES, SAM3_TYPES

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_the_table():
    """`python -m som_agent.segmenters > docs/segmenters.md` mends it."""
    assert (ROOT / "docs" / "segmenters.md").read_text(encoding="utf-8") == page()


def types(ability, make=None):
    return {
        kind
        for entry in REGISTRY
        for family in entry.families
        if ability in family.can and make in (None, family.make)
        for kind in family.types
    }


def test_the_families_are_those_that_load():
    assert types("automatic", "hf.HfSegmenter") == set(MODEL_FOR_MASK_GENERATION_MAPPING_NAMES)
    assert types("classes") == set(CLASS_TYPES)
    assert types("text") == {*DINO_TYPES, *SAM3_TYPES}
