import shutil

import numpy as np
import pytest
import torch
import transformers
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel

from som_agent.errors import AnswererError
from som_agent.grounding.chat import answer
from som_agent.history import VISIBLE, History, MarkInfo, Trace
from som_agent.keyframes import Keyframe
from som_agent.lmm import load_lmm
from som_agent.lmm.llava import ChatLlava
from som_agent.lmm.pictures import image_block

torch.set_num_threads(1)

WORDS = [
    "<unk>",
    "<pad>",
    "<s>",
    "</s>",
    "<image>",
    "USER",
    ":",
    "ASSISTANT",
    "[",
    "]",
    "1",
    "2",
    "3",
    "red",
    "cup",
]
SIDE, PATCH = 28, 14


def save_llava(folder, old_processor=False):
    """A LLaVA of two layers with random weights and a vocabulary of fifteen words."""
    torch.manual_seed(0)
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )
    details = (
        {}
        if old_processor
        else {
            "patch_size": PATCH,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        }
    )
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        tokenizer=tokenizer,
        **details,
    )
    config = transformers.LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "projection_dim": 16,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(WORDS),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "pad_token_id": 1,
        },
        image_token_index=4,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    # Large weights, so that a reply depends on what is shown.
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def model(folder):
    return load_lmm(f"llava:{folder}", device="cpu")


def picture(seed, h=40, w=60):
    return np.random.default_rng(seed).integers(0, 255, (h, w, 3), dtype=np.uint8)


def ask(*parts):
    return [
        HumanMessage([part if isinstance(part, dict) else {"type": "text", "text": part} for part in parts])
    ]


def test_reply_is_text_with_usage(model):
    reply = model.invoke(ask("red ", image_block(picture(1)), "cup"))
    assert isinstance(reply, AIMessage)
    assert set(reply.text.split()) <= set(WORDS)
    usage = reply.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert reply.response_metadata["finish_reason"] in {"stop", "length"}


def test_same_question_same_reply_and_pictures_matter(model):
    replies = {model.invoke(ask(image_block(picture(seed)), "cup")).text for seed in range(6)}
    assert len(replies) > 1
    assert model.invoke(ask(image_block(picture(3)), "cup")).text in replies


def test_several_pictures_keep_their_places(model):
    prompt, pictures = model._prompt(
        [
            SystemMessage("red"),
            *ask("1 ", image_block(picture(1)), "2 ", image_block(picture(2)), "cup"),
            AIMessage("3"),
            HumanMessage("red"),
        ]
    )
    assert prompt == "red USER: 1 <image>\n2 <image>\ncup ASSISTANT: 3</s>USER: red ASSISTANT:"
    assert len(pictures) == 2
    one = model.invoke(ask(image_block(picture(1)), "cup")).usage_metadata["input_tokens"]
    two = model.invoke(ask(image_block(picture(1)), image_block(picture(2)), "cup")).usage_metadata[
        "input_tokens"
    ]
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
    reply = model.invoke(ask(image_block(picture(1)), "cup"))
    assert reply.usage_metadata["output_tokens"] <= 4
    longer = ChatLlava(model=str(folder), device="cpu", max_new_tokens=20).invoke(
        ask(image_block(picture(1)), "cup")
    )
    word = longer.text.split()[-1]
    stopped = ChatLlava(model=str(folder), device="cpu", max_new_tokens=20).invoke(
        ask(image_block(picture(1)), "cup"), stop=[word]
    )
    assert stopped.text == longer.text.partition(word)[0]
    assert stopped.response_metadata["finish_reason"] == "stop"


def test_processor_saved_by_an_early_transformers(tmp_path, model):
    old = ChatLlava(model=str(save_llava(tmp_path, old_processor=True)), device="cpu")
    messages = ask(image_block(picture(1)), "cup")
    assert old.invoke(messages).text == model.invoke(messages).text


def test_too_many_pictures_for_the_model(model):
    with pytest.raises(AnswererError, match=r"40 pictures.* reads 128"):
        model.invoke(ask(*[image_block(picture(1))] * 40, "cup"))


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
    trace = Trace(
        frames=np.arange(2, dtype=np.int32),
        times=np.arange(2) / 10,
        states=np.full(2, VISIBLE, np.int8),
        boxes=np.tile(np.float32([1, 1, 9, 9]), (2, 1)),
        areas=np.full(2, 64, np.int32),
        anchors=np.full((2, 2), 5, np.float32),
        scores=np.ones(2, np.float32),
        colors=np.zeros((2, 11), np.uint8),
        rles=["", ""],
    )
    history = History(
        (60, 40), trace.frames, trace.times, {1: MarkInfo(1, "1", (0, 0, 0))}, {1: trace}, "labels:masks"
    )
    network = model._network.config.get_text_config()
    asked = network.max_position_embeddings
    network.max_position_embeddings = 4096  # the rules alone are longer than the toy's reach
    try:
        got = answer(
            "which cup",
            history,
            lambda frames, wanted: [Keyframe(picture(f), f, f / 10, (1,)) for f in frames],
            model,
            "llava:x",
        )
    finally:
        network.max_position_embeddings = asked
    assert got.lmm == "llava:x"
    assert got.marks or got.unsupported
