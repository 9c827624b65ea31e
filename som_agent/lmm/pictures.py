"""Pictures inside chat messages: writing them for any LangChain model, reading them for a local one."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import cv2
import numpy as np

from som_agent.errors import AnswererError
from som_agent.video.frame import Image

__all__ = ["image_block", "read_image_block"]

_JPEG_QUALITY = 95


def image_block(image: Image) -> dict[str, Any]:
    """A content block that every LangChain chat model takes.

    The OpenAI form, because it alone keeps `detail` on the way through `ChatOpenAI` (1.7); the others
    convert it. JPEG without colour subsampling keeps coloured digits sharp at a fraction of a PNG's size.

    Args:
        image: `[H, W, 3] uint8` RGB.
    """
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        _JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    url = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def read_image_block(block: dict[str, Any]) -> Image | None:
    """The picture of a content block, `[H, W, 3] uint8` RGB; None where the block is no picture.

    Takes the OpenAI form (`image_url`) and LangChain's own (`image` with `base64` or `url`).

    Raises:
        AnswererError: a picture that is not embedded (nothing is fetched) or that does not decode.
    """
    if block.get("type") == "image_url":
        source = block["image_url"]
        url = source["url"] if isinstance(source, dict) else source
    elif block.get("type") == "image":
        url = block.get("url") or "data:;base64," + (block.get("base64") or block.get("data") or "")
    else:
        return None
    head, comma, text = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise AnswererError(f"a picture must be embedded as base64, got {url[:60]!r}")
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except binascii.Error as error:
        raise AnswererError(f"a picture in the messages is no base64: {error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise AnswererError("a picture in the messages does not decode")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
