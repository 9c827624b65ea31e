"""The code of docs/agents.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from tests.tools.langchain.scripted import Scripted, call

PAGE = Path(__file__).parents[3] / "docs" / "agents.md"


def test_the_code_of_the_page_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "cups.mp4").write_bytes((root / "blocks.mp4").read_bytes())
    done = AIMessage("The red one.")
    opens = [
        AIMessage("", tool_calls=[call("open_video", source=source, live=live)])
        for source, live in (("cups.mp4", False), ("blocks.mp4", False), ("cups.mp4", True))
    ]
    model = Scripted(responses=[message for one in opens for message in (one, done)])
    monkeypatch.chdir(root.parent)
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda _: model)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["state"]["messages"][-1].content == "The red one."
    said = capsys.readouterr().out
    assert "is red" in said
    assert re.search(r"blocks.mp4: \d", said)
