"""What the tests of calls ask, and of whom."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel

from som_agent.lmm.calls.caller import Request
from som_agent.lmm.pictures import image_block
from som_agent.lmm.profiles import profile_named

NAME = "openai:eyes-1"
PLAIN = profile_named("local")
STRUCTURED = dataclasses.replace(PLAIN, structured=True)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
"""Variables that would lead requests to loopback astray."""


class Found(BaseModel):
    """The marks that answer the question."""

    marks: list[int]


def picture(value: int = 10, size: tuple[int, int] = (64, 48)) -> dict[str, Any]:
    return image_block(np.full((size[1], size[0], 3), value, np.uint8))


def request(text: str = "Which cups are red?", pictures: int = 1, **fields: Any) -> Request:
    content = [*(picture(10 + i) for i in range(pictures)), {"type": "text", "text": text}]
    return Request([SystemMessage("Marks are numbers."), HumanMessage(content)], **fields)
