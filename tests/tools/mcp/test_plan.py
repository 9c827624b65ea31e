"""One plan of five steps by an agent over MCP: a model that reads every result before it goes on."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

from som_agent.settings import Settings
from som_tools.access import Access
from som_tools.actions import ACTIONS
from som_tools.call import Call
from som_tools.sessions import SessionStore

STEPS = ["open_video", "find", "ask", "watch", "export_masks"]
ZONE = [115, 0, 160, 90]


def next_call(texts: list[str]) -> tuple[str, dict[str, Any]] | None:
    """What the plan does after these results; everything that it needs to know, it reads from them."""
    if not texts:
        return "open_video", {"source": "blocks.mp4", "until_s": 0.4}
    session = re.search(r"\bv\d+\b", texts[0])
    assert session, texts[0]
    own = {"session": session[0]}
    if len(texts) == 1:
        return "find", {**own, "phrase": "blue"}
    found = re.search(r"^\[(\d+)\] blue", texts[1], re.MULTILINE)
    assert found, texts[1]
    mark = found[1]
    if len(texts) == 2:
        return "ask", {**own, "question": f"What is left of [{mark}]?"}
    if len(texts) == 3:
        assert re.search(r"\[\d+\]", texts[2]), texts[2]
        when = {"kind": "enters", "mark": mark, "zone": ZONE}
        return "watch", {**own, "when": [when], "until_s": 2.0, "once": True}
    if len(texts) == 4:
        assert re.match(r"1 event\b", texts[3]), texts[3]
        return "export_masks", {**own, "marks": [mark]}
    return None


class Planner(FakeMessagesListChatModel):
    """Follows the plan, as a model does that reads only text."""

    def bind_tools(self, tools: Any, **_: Any) -> Planner:
        assert {tool.name for tool in tools} >= set(STEPS)
        return self

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        results = [message for message in messages if isinstance(message, ToolMessage)]
        assert all(message.status == "success" for message in results), results
        texts = [message.text for message in results]
        step = next_call(texts)
        said = AIMessage(f"done: {texts[-1]}") if step is None else AIMessage("")
        if step is not None:
            call = {"name": step[0], "args": step[1], "id": f"call {len(texts)}", "type": "tool_call"}
            said = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=said)])


def directly(store: SessionStore) -> list[tuple[str, dict[str, Any]]]:
    """The same plan without any server."""
    actions = {action.name: action for action in ACTIONS}
    done: list[tuple[str, dict[str, Any]]] = []
    call = Call("directly")
    while (step := next_call([text for text, _ in done])) is not None:
        action = actions[step[0]]
        outcome = action.run(store, action.form(**step[1]), call)
        done.append((outcome.text, outcome.data))
    store.close_all("directly")
    return done


async def over_mcp(connection: dict[str, Any]) -> tuple[list[ToolMessage], list[Any], AIMessage]:
    """The results of the tools, what was told of progress, and what the agent said at last."""
    told = []

    async def on_progress(progress: float, total: float | None, message: str | None, context: Any) -> None:
        told.append((context.tool_name, progress, total, message))

    client = MultiServerMCPClient({"som": connection})
    async with client.session("som") as session:
        tools = await load_mcp_tools(session, callbacks=Callbacks(on_progress=on_progress))
        agent = create_agent(Planner(responses=[]), tools)
        state = await agent.ainvoke({"messages": [HumanMessage("Where does the blue thing go?")]})
        look = next(tool for tool in tools if tool.name == "look")
        call = {"name": "look", "args": {"session": "v1", "image": True}, "id": "0", "type": "tool_call"}
        seen = await look.ainvoke(call)
        assert [block["type"] for block in seen.content] == ["text", "image"]
        missed = await look.ainvoke({**call, "args": {"session": "v9"}})
        assert missed.status == "error"
        assert "no session 'v9'" in missed.text
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    return results, told, state["messages"][-1]


def comparable(value: Any) -> Any:
    """Without ids of sessions, which are never given twice."""
    if isinstance(value, dict):
        return {key: comparable(part) for key, part in value.items() if key != "session"}
    return [comparable(part) for part in value] if isinstance(value, list | tuple) else value


def check(results: list[ToolMessage], told: list[Any], last: AIMessage, plain: Any) -> None:
    assert [message.name for message in results] == STEPS
    data = [message.artifact["structured_content"] for message in results]
    assert [comparable(part) for part in data] == [comparable(part) for _, part in plain]
    marks = data[0]["marks_given"]
    found = data[1]["marks"][0]["mark"]
    assert found in marks
    assert {mark["mark"] for mark in data[2]["marks"]} <= set(marks)
    (event,) = data[3]["events"]
    assert [mark["mark"] for mark in event["marks"]] == [found]
    assert [mask["mark"] for mask in data[4]["masks"]] == [found]
    assert f"[{found}]" in last.text
    watching = [part for part in told if part[0] == "open_video"]
    assert watching[0][1:3] == (1, 12)
    assert "blocks.mp4" in watching[0][3]


async def test_over_stdio(root, environment):
    store = SessionStore(Access.to(root), settings=Settings(size=160))
    plain = directly(store)
    connection = {
        "transport": "stdio",
        "command": sys.executable,
        "args": ["-m", "som_tools.mcp", "--root", str(root), "--size", "160"],
        "env": environment,
    }
    check(*await over_mcp(connection), plain)


async def test_over_http(serve, store):
    with serve() as served:
        connection = {"transport": "streamable_http", "url": served.url, "headers": served.bearer}
        results = await over_mcp(connection)
        check(*results, directly(store))


async def test_without_a_token_the_agent_gets_nowhere(serve):
    with serve() as served:
        connection = {"transport": "streamable_http", "url": served.url}
        with pytest.raises(ExceptionGroup):
            await over_mcp(connection)
