import asyncio
import random
import threading

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from som_agent.errors import AnswererError, InputError, MissingExtraError
from som_agent.lmm import load_lmm
from som_agent.lmm.local.chat import ChatLocal
from som_agent.lmm.local.sampling import Chooser, Sampling
from som_agent.lmm.local.turns import read_turns
from som_agent.lmm.local.written import ReplyText, token_logprobs
from tests.tiny_language_models import ask, picture, save_idefics3, save_llava_next, save_qwen

torch.set_num_threads(1)

LONG = 3500


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_qwen(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def model(folder):
    return ChatLocal(model=str(folder), device="cpu", max_new_tokens=12)


def endless(folder):
    """A model that says LONG tokens where nobody stops it, and a list that grows with each."""
    model = ChatLocal(model=str(folder), device="cpu", max_new_tokens=LONG)
    stored = model._network.generation_config
    stored.suppress_tokens = [*stored.suppress_tokens, stored.eos_token_id]
    written = []
    model._network.register_forward_hook(lambda *_: written.append(1))
    return model, written


def assert_stopped(model, written):
    with model._lock:  # the thread that wrote has let go of the network
        assert 0 < len(written) < LONG / 2


def test_pictures_stay_where_they_are(model):
    messages = [
        SystemMessage("red"),
        *ask("1 ", picture(1, 28, 28), "2 ", picture(2, 56, 56), "cup"),
        AIMessage("3"),
        HumanMessage("red"),
        HumanMessage("cup"),
    ]
    inputs = model._inputs(read_turns(messages, "it"))
    tokens = model._processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    pads = ["<|image_pad|>"]
    one = ["<|vision_start|>", *pads, "<|vision_end|>"]
    four = ["<|vision_start|>", *pads * 4, "<|vision_end|>"]
    assert tokens == [
        *["<|im_start|>", "system", "red", "<|im_end|>"],
        *["<|im_start|>", "user", "1", *one, "2", *four, "cup", "<|im_end|>"],
        *["<|im_start|>", "assistant", "3", "<|im_end|>"],
        *["<|im_start|>", "user", "red", "cup", "<|im_end|>"],
        *["<|im_start|>", "assistant"],
    ]


@pytest.mark.parametrize("save", [save_llava_next, save_idefics3])
def test_other_families(tmp_path, save):
    """Tiles and their tokens are the processor's affair; each picture must arrive."""
    model = load_lmm(f"hf:{save(tmp_path)}", device="cpu")
    prompts = (
        ("red ", "cup ", "2"),
        ("red ", picture(1), "cup ", "2"),
        ("red ", picture(1), "cup ", picture(2), "2"),
    )
    none, one, two = (
        model.invoke(ask(*parts), max_tokens=1).usage_metadata["input_tokens"] for parts in prompts
    )
    assert two - one == one - none > 4
    logits = []
    for seed in (1, 2):
        inputs = model._inputs(read_turns(ask("red ", picture(seed), "cup ", picture(9), "2"), "it"))
        with torch.inference_mode():
            logits.append(model._network(**inputs).logits[0, -1])
    assert (logits[0] - logits[1]).abs().max() > 1e-2


def test_pictures_matter(model):
    replies = {model.invoke(ask(picture(seed), "cup")).text for seed in range(4)}
    assert len(replies) > 1


def test_what_stands_for_a_picture_is_only_text(model):
    usage = model.invoke(ask("red <|image_pad|>", picture(1, 28, 28)), max_tokens=1).usage_metadata
    assert usage["input_tokens"] > 0


def test_stream_is_the_reply_in_pieces(model):
    class Heard(BaseCallbackHandler):
        tokens: list[str]

        def on_llm_new_token(self, token, **kwargs):
            self.tokens.append(token)

    heard = Heard()
    heard.tokens = []
    message = ask(picture(1), "cup")
    chunks = list(model.stream(message, config={"callbacks": [heard]}))
    whole = model.invoke(message)
    assert "".join(chunk.text for chunk in chunks) == whole.text == "".join(heard.tokens)
    assert sum(bool(chunk.text) for chunk in chunks) > 1
    joined = chunks[0]
    for chunk in chunks[1:]:
        joined += chunk
    assert joined.usage_metadata == whole.usage_metadata
    assert joined.response_metadata["finish_reason"] == whole.response_metadata["finish_reason"]


async def test_async_stream_and_invoke(model):
    message = ask(picture(1), "cup")
    pieces = [chunk.text async for chunk in model.astream(message)]
    assert "".join(pieces) == (await model.ainvoke(message)).text
    assert sum(map(bool, pieces)) > 1


def test_stop_text_ends_the_reply_early_and_is_never_shown(model):
    message = ask(picture(1), "cup")
    whole = model.invoke(message)
    words = whole.text.split()
    stop = f" {words[3]}"
    expected = whole.text[: whole.text.index(stop)].strip()
    stopped = model.invoke(message, stop=[stop])
    assert stopped.text == expected
    assert stopped.usage_metadata["output_tokens"] < whole.usage_metadata["output_tokens"]
    assert stopped.response_metadata["finish_reason"] == "stop"
    assert "".join(chunk.text for chunk in model.stream(message, stop=[stop])) == expected
    assert model.model_copy(update={"stop": [stop]}).invoke(message).text == expected


@given(
    pieces=st.lists(st.text("ab \n�", min_size=1, max_size=3), max_size=12),
    stops=st.lists(st.text("ab \n", min_size=1, max_size=3), max_size=3),
)
def test_shown_pieces_are_the_reply_before_the_first_stop(pieces, stops):
    text = ReplyText(stops)
    shown, decoded = "", ""
    for piece in pieces:
        decoded += piece
        shown += text.grow(decoded)
        if text.stopped:
            break
    shown += text.finish(decoded)
    ends = [at for at in map(decoded.find, stops) if at >= 0]
    assert shown == text.text == decoded[: min(ends, default=None)].strip()
    assert text.stopped == bool(ends)


def test_a_seed_draws_the_same_reply_and_leaves_other_draws_alone(model):
    message = ask(picture(1), "cup")
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    replies = [model.invoke(message, temperature=3.0, seed=seed).text for seed in (1, 1, 2, 3)]
    assert replies[0] == replies[1]
    assert len(set(replies)) > 1
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    np.testing.assert_array_equal(states[2], np.random.get_state()[1])


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.7)])
def test_draws_follow_the_probabilities(temperature, top_p):
    scores = torch.tensor([[1.0, 2.0, 0.0, 1.5, -3.0]])
    probs = torch.softmax(scores[0] / temperature, 0)
    order = probs.argsort(descending=True)
    kept = order[: int((probs[order].cumsum(0) - probs[order] < top_p).sum())]
    expected = torch.zeros(5).scatter(0, kept, probs[kept] / probs[kept].sum())
    chooser = Chooser(Sampling(1, temperature, top_p, seed=5))
    draws = torch.stack([chooser(torch.zeros(1, 1), scores)[0].argmax() for _ in range(3000)])
    found = torch.bincount(draws, minlength=5) / len(draws)
    assert torch.allclose(found, expected, atol=0.04)
    raw = torch.log_softmax(scores[0], 0)
    np.testing.assert_allclose(chooser.logprobs, raw[draws].numpy(), rtol=1e-6)


def test_coldest_draw_is_the_likeliest():
    scores = torch.tensor([[1e4, 1e4 + 1, -1e4]])
    for temperature in (0.0, 1e-6):
        assert int(Chooser(Sampling(1, temperature, seed=0))(scores, scores).argmax()) == 1


def test_logprobs(model):
    message = ask(picture(1), "cup")
    plain = model.invoke(message)
    reply = model.invoke(message, logprobs=True)
    listed = reply.response_metadata["logprobs"]["content"]
    assert "logprobs" not in plain.response_metadata
    assert "".join(entry["token"] for entry in listed) == reply.text == plain.text
    inputs = model._inputs(read_turns(message, "it"))
    with torch.no_grad():
        logits = model._network(**inputs).logits[0, -1]
    logits[model._network.generation_config.suppress_tokens] = -torch.inf
    first = torch.log_softmax(logits, 0)
    assert listed[0]["logprob"] == pytest.approx(float(first.max()), abs=1e-4)
    last = list(model.stream(message, logprobs=True))[-1]
    assert last.response_metadata["logprobs"]["content"] == listed


def test_logprobs_of_a_character_in_two_tokens_and_before_a_stop():
    data = [b"a", "é".encode()[:1], "é".encode()[1:], b" b", b" STOP"]

    def decode(tokens):
        return b"".join(data[token] for token in tokens).decode(errors="replace")

    listed = token_logprobs(range(5), [-1.0, -2.0, -3.0, -4.0, -5.0], decode, [" STOP"])
    assert [entry["token"] for entry in listed] == ["a", "", "é", " b"]
    assert [entry["logprob"] for entry in listed] == [-1.0, -2.0, -3.0, -4.0]


def test_what_goes_wrong_in_the_thread_is_raised(model, monkeypatch):
    with pytest.raises(AnswererError, match="'audio' blocks"):
        list(model.stream(ask({"type": "audio"})))

    def fail(**inputs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model._network, "generate", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(model.stream("cup"))
    monkeypatch.undo()
    assert model.invoke("cup", max_tokens=1) is not None  # the network is free again


def test_a_cancelled_question_stops_the_network(folder):
    model, written = endless(folder)

    async def ask_and_leave():
        asked = asyncio.create_task(model.ainvoke("cup"))
        while not written:
            await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(ask_and_leave())
    assert_stopped(model, written)


def test_a_stream_that_is_left_stops_the_network(folder):
    model, written = endless(folder)
    stream = model.stream("cup")
    next(stream)
    stream.close()
    assert_stopped(model, written)


def test_an_async_stream_that_is_left_stops_the_network(folder):
    model, written = endless(folder)

    async def leave():
        pieces = model.astream("cup")
        await anext(pieces)
        await pieces.aclose()

    asyncio.run(leave())
    assert_stopped(model, written)


def test_a_question_that_is_withdrawn_while_it_waits_is_never_asked(model, monkeypatch):
    asked = []
    monkeypatch.setattr(model._network, "generate", lambda **inputs: asked.append(inputs))

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.ainvoke("cup"), 0.2)

    with model._lock:
        asyncio.run(give_up())  # its thread is joined, so it has given up by now
    assert not asked


def test_threads_take_turns(model, monkeypatch):
    inside, most = 0, 0
    counts = threading.Lock()
    generate = model._network.generate

    def counted(**inputs):
        nonlocal inside, most
        with counts:
            inside += 1
            most = max(most, inside)
        try:
            return generate(**inputs)
        finally:
            with counts:
                inside -= 1

    monkeypatch.setattr(model._network, "generate", counted)
    questions = [ask(picture(seed), "cup") for seed in range(4)]
    replies = [reply.text for reply in model.batch(questions)]
    assert most == 1
    assert replies == [model.invoke(question).text for question in questions]


def test_tokens_are_counted_by_its_own_tokenizer(model):
    assert model.get_num_tokens("red cup 3") == 3


def test_a_cache_tells_models_apart(model):
    warm = model.model_copy(update={"temperature": 1.0, "seed": 3})
    assert model._get_llm_string(stop=None) != warm._get_llm_string(stop=None)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or more, got -1"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be 1 or more"),
        ({"stop": [""]}, "stop text is empty"),
        ({"quantization": "2bit"}, "unknown quantization '2bit'; known: 4bit, 8bit"),
        ({"device": "nowhere"}, "device 'nowhere'"),
    ],
)
def test_values_out_of_range(folder, option, expected):
    with pytest.raises(InputError, match=expected):
        ChatLocal(**{"model": str(folder), "device": "cpu", **option})


def test_quantization_without_its_packages(folder, monkeypatch):
    monkeypatch.setattr("som_agent.lmm.local.loading.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "som-agent\[quantize\]"'):
        ChatLocal(model=str(folder), device="cpu", quantization="4bit")


def test_four_bits(folder):
    small = ChatLocal(model=str(folder), device="cpu", quantization="4bit", max_new_tokens=2)
    layer = small._network.model.language_model.layers[0].mlp.up_proj
    assert type(layer).__name__ == "Linear4bit"
    assert small.invoke(ask(picture(1), "cup")).usage_metadata["output_tokens"] > 0


def test_files_that_are_no_such_model(tmp_path):
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(tmp_path / "bert")
    save_qwen(tmp_path / "silent", template=None)
    cases = {"bert": "is a bert model", "silent": "no chat template", "none": "no folder"}
    for name, expected in cases.items():
        with pytest.raises(AnswererError, match=expected) as caught:
            load_lmm(f"hf:{tmp_path / name}", device="cpu")
        assert "\n" not in str(caught.value)


def test_a_template_that_refuses(tmp_path):
    template = "{{ raise_exception('roles must alternate') }}"
    model = load_lmm(f"hf:{save_qwen(tmp_path, template=template)}", device="cpu")
    with pytest.raises(AnswererError, match="roles must alternate"):
        model.invoke("cup")
