import base64

import cv2
import numpy as np
import pytest

from som_agent.errors import AnswererError
from som_agent.lmm.pictures import image_block, read_image_block


def png(image):
    return base64.b64encode(cv2.imencode(".png", image[..., ::-1])[1].tobytes()).decode()


@pytest.fixture
def image():
    out = np.full((31, 47, 3), 40, np.uint8)
    out[8:20, 10:30] = (230, 20, 20)
    return out


def test_written_block_reads_back(image):
    block = image_block(image)
    assert block["image_url"]["detail"] == "high"
    back = read_image_block(block)
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).mean() < 3
    assert back[14, 20, 0] > 200  # red stays red: RGB both ways
    assert back[14, 20, 2] < 60


@pytest.mark.parametrize(
    "form",
    [
        lambda data: {"type": "image_url", "image_url": f"data:image/png;base64,{data}"},
        lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        lambda data: {"type": "image", "base64": data, "mime_type": "image/png"},
        lambda data: {"type": "image", "source_type": "base64", "data": data, "mime_type": "image/png"},
        lambda data: {"type": "image", "url": f"data:image/png;base64,{data}"},
    ],
)
def test_all_forms_are_read(image, form):
    np.testing.assert_array_equal(read_image_block(form(png(image))), image)


def test_other_blocks_are_no_pictures():
    assert read_image_block({"type": "text", "text": "x"}) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "data:image/png;base64,####",
        "data:image/png;base64,",
        "data:image/png,aGk=",
    ],
)
def test_pictures_that_cannot_be_read(url):
    with pytest.raises(AnswererError):
        read_image_block({"type": "image_url", "image_url": {"url": url}})


def test_one_pixel():
    assert read_image_block(image_block(np.zeros((1, 1, 3), np.uint8))).shape == (1, 1, 3)
