"""A chat model that says what it is given, and a small scene to ask it about."""

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from som_agent.lmm.pictures import read_image_block
from som_agent.regions import Regions
from som_agent.session import Session

SIDE_PX = 160


class Scripted(BaseChatModel):
    """Gives its replies one after another: texts, messages, exceptions, or functions of the prompt."""

    replies: list = Field(default_factory=list)
    told: list = Field(default_factory=list)

    @property
    def _llm_type(self):
        return "scripted"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.told.append(messages)
        reply = self.replies.pop(0)
        if callable(reply):
            reply = reply(messages)
        if isinstance(reply, Exception):
            raise reply
        message = reply if isinstance(reply, AIMessage) else AIMessage(reply)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def pictures(self, call):
        """The pictures of a call."""
        blocks = [b for m in self.told[call] if isinstance(m.content, list) for b in m.content]
        return [image for block in blocks if (image := read_image_block(block)) is not None]

    def texts(self, call):
        """All texts of a call."""
        contents = [m.content for m in self.told[call]]
        return [
            text
            for content in contents
            for text in (
                [content]
                if isinstance(content, str)
                else [block["text"] for block in content if block["type"] == "text"]
            )
        ]


class Squares:
    """A segmenter of three squares; the second goes away after the frame with this number."""

    name = "squares"

    def __init__(self, second_until=10**6):
        self.second_until = second_until

    def segment(self, frame):
        return Regions.from_labels(self.labels(frame.image.shape[:2], frame.index))

    def labels(self, shape, index):
        labels = np.zeros(shape, np.int32)
        for k, left in enumerate((10, 60, 110)):
            if k != 1 or index <= self.second_until:
                labels[40:80, left : left + 40] = k + 1
        return labels


def watched(frames=5, second_until=10**6):
    """A session that has seen the squares, red, green and blue, at 10 frames a second."""
    squares = Squares(second_until)
    session = Session(squares)
    for index in range(frames):
        session.step(picture(squares, index), time=index / 10)
    return session


def picture(squares, index):
    """The frame with this number."""
    colors = np.array([[90, 90, 90], [200, 30, 30], [30, 160, 30], [30, 30, 200]], np.uint8)
    return colors[squares.labels((120, SIDE_PX), index)]
