"""LangChain's own tests of chat models, on tiny networks that say what chance has them say."""

import pytest
import torch
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from som_agent.lmm.local.chat import ChatLocal
from som_agent.lmm.local.llava import ChatLlava
from tests.tiny_language_models import save_llava, save_qwen

torch.set_num_threads(1)


class Llava:
    """What the suite asks of a model: nothing is claimed that these cannot do."""

    chat_model_class = ChatLlava
    has_tool_calling = False
    has_tool_choice = False
    has_structured_output = False
    supports_image_inputs = True
    supports_model_override = False
    folder = ""

    @property
    def chat_model_params(self):
        return {"model": self.folder, "device": "cpu", "max_new_tokens": 6}


class Local(Llava):
    chat_model_class = ChatLocal


@pytest.fixture(scope="module", autouse=True)
def _saved(tmp_path_factory):
    Llava.folder = str(save_llava(tmp_path_factory.mktemp("llava"), reach=4096))
    Local.folder = str(save_qwen(tmp_path_factory.mktemp("qwen")))


class TestLlavaUnit(Llava, ChatModelUnitTests):
    pass


class TestLocalUnit(Local, ChatModelUnitTests):
    pass


class TestLlavaIntegration(Llava, ChatModelIntegrationTests):
    supports_image_inputs = False  # the suite fetches its picture from the web


class TestLocalIntegration(Local, ChatModelIntegrationTests):
    supports_image_inputs = False
