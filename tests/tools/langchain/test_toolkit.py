import os
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

import som_tools
from som_agent.errors import InputError
from som_tools import VideoMarksToolkit
from som_tools.access import Access
from som_tools.actions import ACTIONS
from som_tools.call import Call
from som_tools.sessions import SessionStore
from tests.tools.langchain.scripted import Colours


def test_there_is_a_tool_for_every_action(toolkit: VideoMarksToolkit) -> None:
    tools = toolkit.get_tools()
    assert [tool.name for tool in tools] == [action.name for action in ACTIONS]
    for tool, action in zip(tools, ACTIONS, strict=True):
        assert tool.description == action.description
        schema = tool.tool_call_schema.model_json_schema()  # type: ignore[union-attr]
        assert set(schema["properties"]) == set(action.form.model_fields)
        assert all(field["description"] for field in schema["properties"].values())


def test_openai_is_told_of_the_tools_and_nothing_else(root: Path) -> None:
    plain, pausing = VideoMarksToolkit(roots=root), VideoMarksToolkit(roots=root, interrupts=True)
    told = [convert_to_openai_tool(tool) for tool in plain.get_tools()]
    assert told == [convert_to_openai_tool(tool) for tool in pausing.get_tools()]
    assert len(told) == len(ACTIONS)
    assert "runtime" not in str(told)


def test_tools_can_be_left_out(root: Path) -> None:
    few = VideoMarksToolkit(roots=root, include=("ask", "open_video"))
    assert [tool.name for tool in few.get_tools()] == ["open_video", "ask"]
    most = VideoMarksToolkit(roots=root, exclude=("ask",))
    assert len(most.get_tools()) == len(ACTIONS) - 1
    with pytest.raises(InputError, match="unknown tool 'fly'; known: open_video, "):
        VideoMarksToolkit(roots=root, include=("fly",))
    with pytest.raises(InputError, match="no tool is left"):
        VideoMarksToolkit(roots=root, include=("ask",), exclude=("ask",))


def test_it_takes_a_store_or_what_makes_one(root: Path) -> None:
    store = SessionStore(Access.to(root))
    assert VideoMarksToolkit(store).store is store
    with pytest.raises(InputError, match="has its own roots, lmm: leave them out"):
        VideoMarksToolkit(store, roots=root, lmm="attributes")
    with pytest.raises(InputError, match="is no folder"):
        VideoMarksToolkit(roots=root / "none")


def test_owners_that_share_a_store_do_not_see_each_other(root: Path) -> None:
    store = SessionStore(Access.to(root), segmenter=Colours())
    ours, theirs = VideoMarksToolkit(store, owner="a"), VideoMarksToolkit(store, owner="b")
    tools = {tool.name: tool for tool in ours.get_tools()}
    tools["open_video"].invoke({"source": "blocks.mp4"})
    (look,) = [tool for tool in theirs.get_tools() if tool.name == "look"]
    assert "there is no session 'v1'" in look.invoke({"session": "v1"})
    theirs.close()
    assert len(store.all(Call("a"))) == 1
    ours.close()
    assert not store.all(Call("a"))


def test_it_closes_its_sessions(root: Path) -> None:
    with VideoMarksToolkit(roots=root, segmenter=Colours()) as toolkit:
        toolkit.get_tools()[0].invoke({"source": "blocks.mp4"})
        (opened,) = toolkit.store.all(Call())
        assert opened.id == "v1"
    assert not toolkit.store.all(Call())


def test_the_package_offers_what_people_plug_in() -> None:
    assert som_tools.__all__ == ["AskVideoTool", "VideoMarksToolkit"]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        som_tools.Nothing  # noqa: B018


def test_importing_the_package_is_light() -> None:
    code = "import sys, som_tools; sys.exit('langchain_core' in sys.modules or 'cv2' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
