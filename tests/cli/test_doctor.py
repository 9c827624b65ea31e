import sys

from som_agent import __version__
from som_agent.segmenters import segmenter_names


def test_what_works_here(cli):
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    for word in ("python", "hierarchy", "labels:DIR", "sam:CHECKPOINT", "attributes", "openai", "GPU"):
        assert word in done.out
    lines = [line for line in done.out.splitlines() if line[:3] in {"ok ", "-- "}]
    assert len(lines) >= 8


def test_json(cli):
    told = cli("doctor", "--json").json
    assert list(told) == ["checks", "segmenters", "lmms"]
    for check in told["checks"]:
        assert list(check) == ["name", "works", "detail", "fix"]
        assert isinstance(check["works"], bool)
    by_name = {check["name"]: check for check in told["checks"]}
    assert by_name["python"]["detail"] == ".".join(map(str, sys.version_info[:3]))
    assert list(told["segmenters"]) == list(segmenter_names())
    assert "attributes" in told["lmms"]
    assert __version__


def test_a_missing_package_says_how_to_get_it(cli, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    missing = {"langchain_openai", "decord"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in missing else real(name, *rest)
    )
    done = cli("doctor")
    assert done.code == 0
    assert 'pip install "som-agent[openai]"' in done.out
    assert "PyAV" in done.out
