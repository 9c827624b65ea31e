import asyncio
from typing import Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_openai import ChatOpenAI

from som_agent.errors import InputError
from som_agent.lmm.pictures import read_image_block
from som_tools import VideoMarksToolkit
from som_tools.langchain import NewestMarkedFrame, ToolImagesToUser
from som_tools.langchain.lifting import LEFT_OUT, fewer_images, lifted, shown_sharp
from som_tools.langchain.middleware import takes_images, takes_tool_images
from tests.tools.langchain.scripted import Scripted, call

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
TOOL_IMAGE = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
USER_IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


def look(id_: str, images: int = 1) -> ToolMessage:
    content = [{"type": "text", "text": f"At {id_}"}, *[TOOL_IMAGE] * images]
    return ToolMessage(content, tool_call_id=id_, name="look", artifact={"id": id_})


def asks(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[call("look", id_, session="v1") for id_ in ids])


def images_of(message: Any) -> int:
    if isinstance(message.content, str):
        return 0
    return sum(block["type"] in ("image", "image_url") for block in message.content)


def gpt(**settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o", api_key="none", **settings)


CONVERSATION = [HumanMessage("Look."), asks("a", "b"), look("a"), look("b", 2), AIMessage("Well."), look("c")]


def test_images_go_into_a_message_of_the_user_after_the_tools() -> None:
    shown = lifted(CONVERSATION)
    kinds = [message.type for message in shown]
    assert kinds == ["human", "ai", "tool", "tool", "human", "ai", "tool", "human"]
    assert [images_of(message) for message in shown] == [0, 0, 0, 0, 3, 0, 0, 1]
    told = [block["text"] for block in shown[4].content if block["type"] == "text"]
    assert told == [f"Result of the tool look (call {id_}), as a picture:" for id_ in "ab"]
    assert shown[2].content == [{"type": "text", "text": "At a"}]
    assert shown[2].artifact == {"id": "a"}
    assert [images_of(message) for message in CONVERSATION] == [0, 0, 1, 2, 0, 1]  # as it was


def test_a_result_that_is_only_a_picture_leaves_a_word_behind() -> None:
    shown = lifted([asks("a"), ToolMessage([TOOL_IMAGE], tool_call_id="a")])
    assert shown[1].content == "The result is a picture: see the next message of the user."
    assert images_of(shown[2]) == 1


def test_the_oldest_images_of_tools_are_left_out() -> None:
    shown = fewer_images(CONVERSATION, 2)
    assert [images_of(message) for message in shown] == [0, 0, 0, 1, 0, 1]
    assert shown[2].content[1] == {"type": "text", "text": LEFT_OUT}
    assert shown[3].content[1]["text"] == LEFT_OUT
    assert shown[3].content[2] == TOOL_IMAGE
    assert images_of(CONVERSATION[3]) == 2  # as it was
    assert fewer_images(CONVERSATION, 4) == CONVERSATION


def test_images_of_the_user_are_counted_and_kept() -> None:
    asked = HumanMessage([{"type": "text", "text": "Find this."}, USER_IMAGE])
    shown = fewer_images([asked, *CONVERSATION], 2)
    assert [images_of(message) for message in shown] == [1, 0, 0, 0, 0, 0, 1]
    assert images_of(fewer_images([asked], 0)[0]) == 0


@pytest.mark.parametrize(
    "block",
    [
        TOOL_IMAGE,
        {"type": "image", "url": f"data:image/png;base64,{PIXEL}"},
        {"type": "image", "data": PIXEL, "source_type": "base64", "mime_type": "image/png"},
        USER_IMAGE,
        {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"},
    ],
)
def test_every_form_becomes_the_one_that_keeps_the_detail(block: dict[str, Any]) -> None:
    sharp = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "high"}}
    assert shown_sharp(block) == sharp


def test_an_uploaded_file_is_left_as_it_is() -> None:
    assert shown_sharp({"type": "image", "file_id": "f1"}) == {"type": "image", "file_id": "f1"}


def test_who_takes_pictures() -> None:
    assert not takes_tool_images(gpt())  # though LangChain's table says so
    assert takes_tool_images(gpt(use_responses_api=True))
    assert not takes_tool_images(Scripted(responses=[]))
    assert takes_tool_images(Scripted(responses=[], profile={"image_tool_message": True}))
    assert takes_images(gpt())
    assert takes_images(Scripted(responses=[]))  # nothing is known of it
    assert not takes_images(ChatOpenAI(model="gpt-3.5-turbo", api_key="none"))


def test_what_openai_is_sent() -> None:
    """`detail` is kept in a message of the user; in that of a tool it would be, but OpenAI refuses it."""
    payload = gpt()._get_request_payload(ToolImagesToUser().shown(CONVERSATION, gpt()))
    roles = [message["role"] for message in payload["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user", "assistant", "tool", "user"]
    assert "image" not in str([m["content"] for m in payload["messages"] if m["role"] == "tool"])
    images = [part["image_url"] for part in payload["messages"][4]["content"] if part["type"] == "image_url"]
    assert [image["detail"] for image in images] == ["high"] * 3
    assert images[0]["url"] == f"data:image/png;base64,{PIXEL}"


def test_what_openai_is_sent_through_responses() -> None:
    model = gpt(use_responses_api=True)
    payload = model._get_request_payload(ToolImagesToUser().shown(CONVERSATION, model))
    outputs = [item for item in payload["input"] if item.get("type") == "function_call_output"]
    assert [part["type"] for part in outputs[1]["output"]] == ["input_text", "input_image", "input_image"]


class Told:
    """Stands in for the rest of a request."""

    def __init__(self, *middleware: Any, model: Scripted | None = None) -> None:
        self.model = model or Scripted(responses=[asks("c1"), AIMessage("Seen.")])
        self.middleware = middleware

    def run(self, tools: list[BaseTool], *, asynchronous: bool = False) -> dict[str, Any]:
        agent = create_agent(self.model, tools, middleware=self.middleware, system_prompt="Watch.")
        given = {"messages": [HumanMessage("Look.")]}
        return asyncio.run(agent.ainvoke(given)) if asynchronous else agent.invoke(given)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_agent_gets_the_pictures_and_its_state_keeps_them(
    toolkit: VideoMarksToolkit, asynchronous: bool
) -> None:
    tools = toolkit.get_tools()
    tools[0].invoke({"source": "blocks.mp4"})
    looks = AIMessage("", tool_calls=[call("look", f"c{k}", session="v1", image=True) for k in range(3)])
    told = Told(ToolImagesToUser(pictures=2), model=Scripted(responses=[looks, AIMessage("Seen.")]))
    state = told.run(tools, asynchronous=asynchronous)
    assert [images_of(message) for message in state["messages"]] == [0, 0, 1, 1, 1, 0]
    kinds = [(message.type, images_of(message)) for message in told.model.seen[1]]
    assert kinds == [("system", 0), ("human", 0), ("ai", 0), *[("tool", 0)] * 3, ("human", 2)]
    picture = next(block for block in told.model.seen[1][-1].content if block["type"] == "image_url")
    image = read_image_block(picture)
    assert image is not None
    assert image.shape == (180, 320, 3)


def test_lifting_can_be_forced_and_forbidden() -> None:
    model = Scripted(responses=[], profile={"image_tool_message": True})
    assert images_of(ToolImagesToUser().shown(CONVERSATION, model)[2]) == 1
    assert images_of(ToolImagesToUser(lift=True).shown(CONVERSATION, model)[2]) == 0
    assert images_of(ToolImagesToUser(lift=False).shown(CONVERSATION, gpt())[2]) == 1


def test_a_model_without_eyes_gets_words() -> None:
    blind = Scripted(responses=[], profile={"image_inputs": False})
    shown = ToolImagesToUser().shown([HumanMessage([USER_IMAGE]), *CONVERSATION], blind)
    assert sum(images_of(message) for message in shown) == 0
    assert str(shown).count(LEFT_OUT) == 5
    assert sum(map(images_of, ToolImagesToUser(images=True).shown(CONVERSATION, blind))) == 4


def picture(shift: int = 0) -> np.ndarray:
    image = np.full((90, 160, 3), 200, np.uint8)
    image[20:60, 15 + shift : 55 + shift] = (210, 25, 25)
    return image


@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_call_sees_the_newest_frame_and_no_older_one(
    toolkit: VideoMarksToolkit, asynchronous: bool
) -> None:
    fed = toolkit.store.feed("robot")
    fed.step(picture(), 0.0)

    class Steps(Scripted):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            fed.step(picture(40), 2.0)
            return super()._generate(*args, **kwargs)

    look = AIMessage("", tool_calls=[call("look", session=fed.id)])
    told = Told(NewestMarkedFrame(toolkit), model=Steps(responses=[look, AIMessage("Seen.")]))
    state = told.run(toolkit.get_tools(), asynchronous=asynchronous)
    first, second = told.model.seen
    assert [message.type for message in first] == ["system", "human", "human"]
    assert [message.type for message in second] == ["system", "human", "ai", "tool", "human"]
    assert "sees now" in first[-1].content[0]["text"]
    assert "0.00 s; visible marks: 1.\n[1] red, x 15 to 55" in first[-1].content[0]["text"]
    assert "2.00 s; visible marks: 1.\n[1] red, x 55 to 95" in second[-1].content[0]["text"]
    assert [images_of(message) for message in second] == [0, 0, 0, 0, 1]
    assert second[-1].content[1]["image_url"]["detail"] == "high"
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]


def test_pictures_are_shared_out_over_sessions(toolkit: VideoMarksToolkit) -> None:
    for k in range(3):
        toolkit.store.feed(f"camera {k}").step(picture(k), 0.0)
    empty = toolkit.store.feed("dark")
    toolkit.get_tools()[0].invoke({"source": "blocks.mp4"})  # stored: not shown
    message = NewestMarkedFrame(toolkit, pictures=2).message(gpt())
    assert message is not None
    kinds = [block["type"] for block in message.content]
    assert kinds == ["text", "text", "text", "image_url", "text"]
    assert f"session {empty.id} sees now" in message.content[-1]["text"]
    assert "no frame has come yet" in message.content[-1]["text"]
    for some in (NewestMarkedFrame(toolkit, pictures=0), NewestMarkedFrame(toolkit, images=False)):
        assert images_of(some.message(gpt())) == 0


def test_an_end_is_told(toolkit: VideoMarksToolkit) -> None:
    opened = toolkit.store.feed("camera")
    opened.step(picture(), 0.0)
    opened.problem = "the cable\nwas pulled"
    opened.close()
    message = NewestMarkedFrame(toolkit).message(gpt())
    assert message is not None
    assert "No more frames come: the cable�was pulled." in message.content[0]["text"]


def test_one_session_can_be_named(toolkit: VideoMarksToolkit) -> None:
    toolkit.store.feed("camera").step(picture(), 0.0)
    toolkit.get_tools()[0].invoke({"source": "blocks.mp4"})
    message = NewestMarkedFrame(toolkit.store, "v2", long_px=200).message(gpt())
    assert message is not None
    assert "session v2 sees now" in message.content[0]["text"]
    image = read_image_block(message.content[1])
    assert image is not None
    assert image.shape == (112, 200, 3)
    assert NewestMarkedFrame(toolkit.store, "v7").message(gpt()) is None


def test_a_model_without_eyes_reads_what_is_seen(toolkit: VideoMarksToolkit) -> None:
    toolkit.store.feed("camera").step(picture(), 0.0)
    blind = Scripted(responses=[], profile={"image_inputs": False})
    message = NewestMarkedFrame(toolkit).message(blind)
    assert message is not None
    assert images_of(message) == 0
    assert "[1] red" in message.content[0]["text"]


def test_it_sees_only_the_sessions_of_its_owner(toolkit: VideoMarksToolkit) -> None:
    toolkit.store.feed("camera", owner="a").step(picture(), 0.0)
    assert NewestMarkedFrame(toolkit).message(gpt()) is None
    assert NewestMarkedFrame(VideoMarksToolkit(toolkit.store, owner="a")).message(gpt()) is not None


@pytest.mark.parametrize("order", [1, -1])
def test_both_go_together_in_either_order(toolkit: VideoMarksToolkit, order: int) -> None:
    fed = toolkit.store.feed("robot")
    fed.step(picture(), 0.0)
    looks = AIMessage("", tool_calls=[call("look", session=fed.id, image=True)])
    both = [ToolImagesToUser(), NewestMarkedFrame(toolkit)][::order]
    told = Told(*both, model=Scripted(responses=[looks, AIMessage("Seen.")]))
    told.run(toolkit.get_tools())
    kinds = [(message.type, images_of(message)) for message in told.model.seen[1]]
    assert kinds[:3] == [("system", 0), ("human", 0), ("ai", 0)]
    assert kinds[3:] == [("tool", 0), ("human", 1), ("human", 1)]
    assert isinstance(told.model.seen[1][0], SystemMessage)
    assert "sees now" in told.model.seen[1][-1].content[0]["text"]


def test_nonsense_is_named(toolkit: VideoMarksToolkit) -> None:
    with pytest.raises(InputError, match="pictures must be at least 0, got -1"):
        ToolImagesToUser(pictures=-1)
    with pytest.raises(InputError, match="pictures must be at least 0, got -2"):
        NewestMarkedFrame(toolkit, pictures=-2)
