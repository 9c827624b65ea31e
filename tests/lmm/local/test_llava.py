import shutil

import numpy as np
import pytest
import torch
import transformers
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from som_agent.errors import AnswererError
from som_agent.grounding.chat import answer
from som_agent.keyframes import Keyframe
from som_agent.lmm import load_lmm
from som_agent.lmm.local.llava import ChatLlava
from som_agent.lmm.local.turns import read_turns
from tests.tiny_language_models import PATCH, SIDE, WORDS, ask, picture, save_llava, short_history

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def model(folder):
    return load_lmm(f"llava:{folder}", device="cpu")


def test_reply_is_text_with_usage(model):
    reply = model.invoke(ask("red ", picture(1), "cup"))
    assert isinstance(reply, AIMessage)
    assert set(reply.text.split()) <= set(WORDS)
    usage = reply.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert reply.response_metadata["finish_reason"] in {"stop", "length"}


def test_same_question_same_reply_and_pictures_matter(model):
    replies = {model.invoke(ask(picture(seed), "cup")).text for seed in range(6)}
    assert len(replies) > 1
    assert model.invoke(ask(picture(3), "cup")).text in replies


def test_several_pictures_keep_their_places(model):
    messages = [
        SystemMessage("red"),
        *ask("1 ", picture(1), "2 ", picture(2), "cup"),
        AIMessage("3"),
        HumanMessage("red"),
    ]
    prompt, pictures = model._prompt(read_turns(messages, "it"))
    assert prompt == "red USER: 1 <image>\n2 <image>\ncup ASSISTANT: 3</s>USER: red ASSISTANT:"
    assert len(pictures) == 2
    one = model.invoke(ask(picture(1), "cup")).usage_metadata["input_tokens"]
    two = model.invoke(ask(picture(1), picture(2), "cup")).usage_metadata["input_tokens"]
    assert two - one == (SIDE // PATCH) ** 2


def test_text_alone(model):
    assert model.invoke("red cup").usage_metadata["input_tokens"] > 0


def test_wide_pictures_are_padded_not_cropped(model):
    """The colours at both ends of a wide frame must reach the network."""
    wide = np.zeros((20, 80, 3), np.uint8)
    square = model._whole(wide)
    assert square.shape == (80, 80, 3)
    np.testing.assert_array_equal(square[30:50], wide)
    mean = np.round(np.array(model._processor.image_processor.image_mean) * 255)
    np.testing.assert_array_equal(square[0, 0], mean)
    ends = wide.copy()
    ends[:, :10] = ends[:, -10:] = 255
    pixels = [
        model._processor.image_processor(images=[model._whole(image)], return_tensors="pt")["pixel_values"]
        for image in (wide, ends)
    ]
    assert not torch.equal(*pixels)


def test_stop_and_length(folder):
    model = ChatLlava(model=str(folder), device="cpu", max_new_tokens=4)
    reply = model.invoke(ask(picture(1), "cup"))
    assert reply.usage_metadata["output_tokens"] <= 4
    longer = ChatLlava(model=str(folder), device="cpu", max_new_tokens=20).invoke(ask(picture(1), "cup"))
    word = longer.text.split()[-1]
    stopped = ChatLlava(model=str(folder), device="cpu", max_new_tokens=20).invoke(
        ask(picture(1), "cup"), stop=[word]
    )
    assert stopped.text == longer.text.partition(word)[0].strip()
    assert stopped.response_metadata["finish_reason"] == "stop"


def test_processor_saved_by_an_early_transformers(tmp_path, model):
    old = ChatLlava(model=str(save_llava(tmp_path, old_processor=True)), device="cpu")
    messages = ask(picture(1), "cup")
    assert old.invoke(messages).text == model.invoke(messages).text


def test_too_many_pictures_for_the_model(model):
    with pytest.raises(AnswererError, match=r"40 pictures.* reads 128"):
        model.invoke(ask(*[picture(1)] * 40, "cup"))


def test_messages_that_it_cannot_read(model):
    with pytest.raises(AnswererError, match="ToolMessage"):
        model.invoke([ToolMessage("x", tool_call_id="1")])
    with pytest.raises(AnswererError, match="'audio' blocks"):
        model.invoke(ask({"type": "audio", "base64": "AA==", "mime_type": "audio/wav"}))


def test_files_that_are_no_llava(tmp_path, folder):
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(tmp_path / "bert")
    cut = shutil.copytree(folder, tmp_path / "cut")
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    for name, expected in {"bert": "is a bert model", "cut": "cannot load", "none": "no folder"}.items():
        with pytest.raises(AnswererError, match=expected) as caught:
            load_lmm(f"llava:{tmp_path / name}", device="cpu")
        assert "\n" not in str(caught.value)


def test_a_question_goes_through_it(model):
    """Whatever a random network says, every part of it is accounted for."""
    network = model._network.config.get_text_config()
    asked = network.max_position_embeddings
    network.max_position_embeddings = 4096  # the rules alone are longer than the toy's reach
    try:
        got = answer(
            "which cup",
            short_history(),
            lambda frames, wanted: [Keyframe(picture(f), f, f / 10, (1,)) for f in frames],
            model,
            "llava:x",
        )
    finally:
        network.max_position_embeddings = asked
    assert got.lmm == "llava:x"
    assert got.marks or got.unsupported
