"""What LangChain asks of every tool, of every one of ours: its own two test suites."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from som_agent.bearings import Camera
from som_agent.video import write_video
from som_tools import AskVideoTool, VideoMarksToolkit
from som_tools.actions import ACTIONS
from som_tools.quota import Quota


class World:
    """A toolkit with a video that is open, and what to call its tools with."""

    def __init__(self, folder: Path) -> None:
        image = self.image = np.full((90, 160, 3), 200, np.uint8)
        image[20:60, 15:55], image[35:70, 80:115] = (210, 25, 25), (25, 50, 200)
        write_video(folder / "blocks.mp4", [image] * 3, 6)
        quota = Quota(sessions=100)
        self.toolkit = VideoMarksToolkit(roots=folder, out=folder / "out", quota=quota)
        self.tools = {tool.name: tool for tool in self.toolkit.get_tools()}
        self.tools["open_video"].invoke({"source": "blocks.mp4"})
        self.ask_video = AskVideoTool(roots=(folder,), lmm="attributes")

    def arguments(self, name: str) -> dict[str, Any]:
        """Arguments with which a tool succeeds now."""
        return EXAMPLES[name](self)

    def robot(self) -> str:
        """A session of its own, which may be closed."""
        camera = Camera(fx=150, fy=150, cx=80, cy=45, size=(160, 90))
        fed = self.toolkit.store.feed("robot", camera=camera)
        fed.step(self.image, 0.0)
        return fed.id


EXAMPLES: dict[str, Callable[[World], dict[str, Any]]] = {
    "open_video": lambda _: {"source": "blocks.mp4", "until_s": 0.2},
    "play": lambda _: {"session": "v1"},
    "look": lambda _: {"session": "v1", "image": True},
    "ask": lambda _: {"session": "v1", "question": "Which mark is red?"},
    "find": lambda _: {"session": "v1", "phrase": "blue thing"},
    "describe_mark": lambda _: {"session": "v1", "mark": "1"},
    "relate_marks": lambda _: {"session": "v1", "mark": "1", "other": "2"},
    "zoom": lambda _: {"session": "v1", "mark": "1"},
    "mark_object": lambda _: {"session": "v1", "mark": "1", "box": [15, 20, 55, 60]},
    "combine_marks": lambda _: {"session": "v1", "marks": ["1", "2"]},
    "export_masks": lambda _: {"session": "v1", "marks": ["1"], "form": "png", "start_s": 0.0},
    "sessions": lambda _: {},
    "close_session": lambda world: {"session": world.robot()},
    "watch": lambda _: {"session": "v1", "when": [{"kind": "appears"}], "since_s": 0.0},
    "locate_marks": lambda world: {"session": world.robot()},
    "ask_video": lambda _: {"video": "blocks.mp4", "question": "Which mark is red?"},
}
WORLD: list[World] = []


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # The suites ask for the tool outside of tests, where no fixture is to be had.
    WORLD[:] = [World(tmp_path_factory.mktemp("standard"))]
    yield
    WORLD.pop().toolkit.close()


def suites(name: str) -> dict[str, type]:
    """The two suites for a tool; each needs a class of its own."""

    def tool(_: Any) -> BaseTool:
        return WORLD[0].ask_video if name == "ask_video" else WORLD[0].tools[name]

    def arguments(_: Any) -> dict[str, Any]:
        return WORLD[0].arguments(name)

    given = {"tool_constructor": property(tool), "tool_invoke_params_example": property(arguments)}
    titled = name.title().replace("_", "")
    unit, whole = f"Test{titled}Unit", f"Test{titled}Integration"
    return {unit: type(unit, (ToolsUnitTests,), given), whole: type(whole, (ToolsIntegrationTests,), given)}


for _name in (*(action.name for action in ACTIONS), "ask_video"):
    globals().update(suites(_name))


@pytest.mark.parametrize("name", [*(action.name for action in ACTIONS), "ask_video"])
def test_the_examples_of_these_suites_succeed(name: str) -> None:
    """An error that a model reads would pass them without an artifact to look at."""
    tool = suites(name)[f"Test{name.title().replace('_', '')}Unit"]().tool_constructor  # type: ignore[attr-defined]
    arguments = WORLD[0].arguments(name)
    message = tool.invoke({"name": name, "args": arguments, "id": "c1", "type": "tool_call"})
    assert message.status == "success", message.content
    assert message.artifact
