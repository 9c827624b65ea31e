from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.tools import BaseTool

from som_tools import VideoMarksToolkit
from tests.tools.langchain.scripted import Colours


@pytest.fixture
def toolkit(root: Path, tmp_path: Path) -> Iterator[VideoMarksToolkit]:
    with VideoMarksToolkit(roots=root, out=tmp_path / "out", segmenter=Colours()) as toolkit:
        yield toolkit


@pytest.fixture
def tools(toolkit: VideoMarksToolkit) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in toolkit.get_tools()}
