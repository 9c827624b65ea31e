import json
from pathlib import Path
from typing import Any

import pytest

from som_agent.evaluation.prompt_cost import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    assert main([str(argument) for argument in arguments]) == 0
    found = json.loads(capsys.readouterr().out)["questions"]
    assert isinstance(found, list)
    return found


def test_what_is_shown_and_what_it_costs(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(capsys, scene, "--pictures", 2, "--json")
    assert {cost["model"] for cost in found} == {"gpt", "llava-1.5"}
    assert all(cost["shown"] == cost["needed"] for cost in found)
    assert any(cost["needed"] for cost in found)
    for cost in found:
        assert cost["frames"] == cost["pictures"]
        assert cost["frames"] in (1, 2), "one where the question names a moment"
        if cost["model"] == "llava-1.5":
            assert cost["pictures"] * 576 < cost["tokens"] < cost["pictures"] * 576 + 1000


def test_what_is_not_shown_is_listed(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = json.loads(scene.read_text())
    truth["questions"] = [{"question": "Which is there?", "kind": "color", "objects": [1, 77]}]
    scene.write_text(json.dumps(truth))
    assert main([str(scene), "--lmm", "gpt-4o"]) == 0
    out = capsys.readouterr().out
    assert "0.0%" in out
    assert "1 of 2 shown for 'Which is there?'" in out


def test_bad_input(tmp_path: Path, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "no.json")]) == 2
    assert main([str(scene), "--pictures", "0"]) == 2
    assert "frames is 0" in capsys.readouterr().err
