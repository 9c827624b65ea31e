import json
import shutil

import pytest
import torch

from som_agent.errors import AnswererError, MissingExtraError
from som_agent.lmm import load_lmm
from som_agent.lmm.local.llava import ChatLlava
from som_agent.lmm.local.original_llava import is_original
from som_agent.lmm.local.turns import read_turns
from tests.tiny_language_models import PATCH, SIDE, ask, picture, save_both_formats, save_llava

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return save_both_formats(tmp_path_factory.mktemp("both"))


def logits(model, *parts):
    inputs = model._inputs(read_turns(ask(*parts), "it"))
    with torch.inference_mode():
        return inputs["input_ids"], model._network(**inputs).logits


def assert_same(original, published, vocabulary=330):
    original = load_lmm(f"llava:{original}", device="cpu")
    published = load_lmm(f"llava:{published}", device="cpu")
    parts = ("which cup ", picture(1), " is red ", picture(2), "?")
    ids, found = logits(original, *parts)
    expected_ids, expected = logits(published, *parts)
    assert torch.equal(ids, expected_ids)
    torch.testing.assert_close(found[..., :vocabulary], expected[..., :vocabulary], atol=1e-5, rtol=0)
    other = logits(original, "which cup ", picture(3), " is red ", picture(2), "?")[1]
    assert (other - found).abs().max() > 1e-2  # else the equality above says nothing of pictures


def test_both_formats_of_one_network_say_the_same(both):
    assert_same(*both)


def test_stored_vision_tower_goes_before_the_named_one(tmp_path):
    """In safetensors; the folder that is named has other weights."""
    assert_same(*save_both_formats(tmp_path, inside=True, safe=True))


def test_prompt_has_the_tokens_of_the_original_code(both):
    """It cuts the prompt at pictures and reads each piece by itself."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(both[0] / "tokenizer.model"))
    model = ChatLlava(model=str(both[0]), device="cpu")
    turns = read_turns(ask("which ", picture(1), "cup is red?", picture(2), "3"), "it")
    prompt, _ = model._prompt(turns)
    first, *later = prompt.split("<image>")
    expected = [1, *pieces.encode(first)]
    for piece in later:
        expected += [330] * (SIDE // PATCH) ** 2 + pieces.encode(piece)
    assert model._inputs(turns)["input_ids"][0].tolist() == expected


def test_reply_never_has_the_token_of_pictures(both, monkeypatch):
    model = ChatLlava(model=str(both[0]), device="cpu", max_new_tokens=1)
    said = []
    monkeypatch.setattr(ChatLlava, "_decode", lambda self, tokens: said.extend(tokens) or "")
    row = torch.randn(16, generator=torch.Generator().manual_seed(0))
    for sign in (1e4, -1e4):  # one of the two makes it by far the likeliest
        with torch.no_grad():
            model._network.lm_head.weight[330] = sign * row
        model.invoke(ask(picture(1), "cup"))
    assert len(said) == 2
    assert 330 not in said


def test_vision_tower_from_elsewhere(both, tmp_path):
    """Named, given, or a folder of its name inside the checkpoint."""
    moved = shutil.copytree(both[0], tmp_path / "moved")
    config = json.loads((moved / "config.json").read_text())
    tower = config["mm_vision_tower"]
    for name in ("no/where/clip-vit", "", None):
        (moved / "config.json").write_text(json.dumps({**config, "mm_vision_tower": name}))
        with pytest.raises(AnswererError, match=r"no vision tower .*as vision_tower") as caught:
            ChatLlava(model=str(moved), device="cpu")
        assert "\n" not in str(caught.value)
    expected = logits(ChatLlava(model=str(both[0]), device="cpu"), picture(1), "cup")[1]
    given = ChatLlava(model=str(moved), device="cpu", vision_tower=tower)
    torch.testing.assert_close(logits(given, picture(1), "cup")[1], expected)
    shutil.copytree(tower, moved / "clip-vit")
    (moved / "config.json").write_text(json.dumps({**config, "mm_vision_tower": "openai/clip-vit"}))
    torch.testing.assert_close(
        logits(ChatLlava(model=str(moved), device="cpu"), picture(1), "cup")[1], expected
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mm_projector_type": "linear"}, "type 'linear'"),
        ({"mm_projector_type": "mlp3x_gelu"}, "type 'mlp3x_gelu'"),
        ({"architectures": ["LlavaMistralForCausalLM"]}, "is a LlavaMistralForCausalLM"),
        ({"image_aspect_ratio": "anyres"}, "in tiles"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end"),
    ],
)
def test_other_kinds_are_refused(both, tmp_path, change, expected):
    changed = shutil.copytree(both[0], tmp_path / "changed")
    config = json.loads((changed / "config.json").read_text())
    (changed / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(AnswererError, match=expected) as caught:
        load_lmm(f"llava:{changed}", device="cpu")
    assert "\n" not in str(caught.value)


def lose_shard(folder):
    (folder / "pytorch_model-00002-of-00002.bin").unlink()


def lose_weights(folder):
    for path in folder.glob("pytorch_model*"):
        path.unlink()


def cut_shard(folder):
    path = folder / "pytorch_model-00001-of-00002.bin"
    path.write_bytes(path.read_bytes()[:1000])


def lose_key(folder):
    path = folder / "pytorch_model-00001-of-00002.bin"
    weights = torch.load(path)
    weights.pop("model.layers.0.mlp.up_proj.weight")
    torch.save(weights, path)


def strange_key(folder):
    path = folder / "pytorch_model-00001-of-00002.bin"
    torch.save({**torch.load(path), "model.image_newline": torch.zeros(16)}, path)


def run_code(folder):
    """A pickle that would run something."""

    class Evil:
        def __reduce__(self):
            return print, ("code was run",)

    torch.save({"lm_head.weight": Evil()}, folder / "pytorch_model-00001-of-00002.bin")


def lose_tokenizer(folder):
    (folder / "tokenizer.model").unlink()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lose_shard, "1 of 2 files of weights are missing, first 'pytorch_model-00002-of-00002.bin'"),
        (lose_weights, "no weights"),
        (cut_shard, "cannot load"),
        (lose_key, r"1 are missing, first .*layers\.0\.mlp\.up_proj"),
        (strange_key, "'model.image_newline', which LLaVA-1.5 lacks"),
        (run_code, "cannot load"),
        (lose_tokenizer, "no tokenizer.model"),
    ],
)
def test_damaged_files(both, tmp_path, capfd, damage, expected):
    damaged = shutil.copytree(both[0], tmp_path / "damaged")
    damage(damaged)
    with pytest.raises(AnswererError, match=expected) as caught:
        load_lmm(f"llava:{damaged}", device="cpu")
    assert "\n" not in str(caught.value)
    assert "code was run" not in capfd.readouterr().out


def test_tokenizer_without_sentencepiece(both, monkeypatch):
    monkeypatch.setattr("transformers.utils.is_sentencepiece_available", lambda: False)
    with pytest.raises(MissingExtraError, match=r"som-agent\[llava\]"):
        load_lmm(f"llava:{both[0]}", device="cpu")


def test_formats_are_told_apart(both, tmp_path):
    stored = [json.loads((folder / "config.json").read_text()) for folder in both]
    assert [is_original(config) for config in stored] == [True, False]
    assert is_original({"model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"]})
    with pytest.raises(AnswererError, match="write llava:"):
        load_lmm(f"hf:{both[0]}", device="cpu")
    with pytest.raises(AnswererError, match="brings its own vision tower"):
        ChatLlava(model=str(save_llava(tmp_path)), device="cpu", vision_tower="openai/clip-vit")


def test_eight_bits(both):
    small = ChatLlava(model=str(both[0]), device="cpu", quantization="8bit", max_new_tokens=1)
    assert type(small._network.model.language_model.layers[0].mlp.up_proj).__name__ == "Linear8bitLt"
    assert small.invoke(ask(picture(1), "cup")).usage_metadata["output_tokens"] == 1


def test_from_the_hub(both, monkeypatch):
    """What is fetched is what is read: the hub itself is not reached here."""
    wanted = []

    def fetch(name, allow_patterns):
        wanted.append((name, allow_patterns))
        return str(both[0])

    monkeypatch.setattr("som_agent.lmm.local.llava.read_config", lambda source: {"mm_vision_tower": "x"})
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    model = load_lmm("llava:zzxslp/som-llava-v1.5-7b", device="cpu")
    assert wanted[0][0] == "zzxslp/som-llava-v1.5-7b"
    assert model.invoke(ask(picture(1), "cup"), max_tokens=1).usage_metadata["output_tokens"] == 1
