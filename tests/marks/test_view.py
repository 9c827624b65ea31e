import pytest
from hypothesis import given
from hypothesis import strategies as st

from som_agent.errors import InputError
from som_agent.lmm.profiles import DEFAULT_PROFILE, PROFILES, profile_named
from som_agent.marks import View

sides = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("llava:som-llava-v1.5-13b-hf", "llava-1.5"),
        ("llava:/models/llava-1.5-7b-hf", "llava-1.5"),
        ("openai:gpt-4o", "gpt"),
        ("azure_openai:o3", "gpt"),
        ("anthropic:claude-sonnet-4-5", "claude"),
        ("google_genai:gemini-2.5-pro", "gemini"),
        ("ollama:qwen2.5-vl", "qwen"),
        ("openai:qwen2.5-vl-72b", "qwen"),
        ("ollama:llava-next", "default"),
        ("ollama:moondream", "default"),
    ],
)
def test_families(name, family):
    assert profile_named(name).view.name == family


@pytest.mark.parametrize(
    ("name", "source", "seen"),
    [
        ("llava-1.5", (1280, 720), (336, 189)),
        ("llava-1.5", (100, 50), (336, 168)),  # it enlarges, so the marks are drawn enlarged
        ("gpt-4o", (1920, 1080), (1365, 768)),
        ("gpt-4o", (8000, 1000), (2048, 256)),
        ("gpt-4o", (320, 240), (640, 480)),  # twice at most
        ("claude", (1920, 1080), (1430, 804)),
        ("moondream", (4000, 3000), (1024, 768)),
    ],
)
def test_sizes(name, source, seen):
    assert profile_named(name).view.size(source) == seen


@given(st.sampled_from([known.view for known in (*PROFILES.values(), DEFAULT_PROFILE)]), sides, sides)
def test_no_limit_is_passed(view, w, h):
    seen_w, seen_h = view.size((w, h))
    assert 1 <= max(seen_w, seen_h) <= view.long_px
    if view.short_px:
        assert min(seen_w, seen_h) <= view.short_px
    if view.pixels:
        assert seen_w * seen_h <= view.pixels * 1.01 + seen_w + seen_h
    assert max(seen_w, seen_h) <= view.enlarge * max(w, h) + 1
    if min(seen_w, seen_h) > 20:
        assert seen_w / seen_h == pytest.approx(w / h, rel=0.05)


@given(st.integers(16, 4000), sides, sides)
def test_a_side_in_pixels(px, w, h):
    assert max(View.of_side(px).size((w, h))) == px


@pytest.mark.parametrize("wrong", [{"long_px": 15}, {"long_px": 20_000}, {"long_px": 336, "marks": 0}])
def test_senseless_views(wrong):
    with pytest.raises(InputError):
        View("x", **wrong)
