import hashlib

import pytest
import torch
from torch import nn

from som_agent.errors import SegmenterError
from som_agent.segmenters.weights import checksum, fill, load_state, looks_like

torch.set_num_threads(1)


class _Shared(nn.Module):
    """A head under two names, and a buffer."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.heads = nn.ModuleList([self.head, self.head])
        self.register_buffer("index", torch.arange(4))


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"model": s, "iteration": 3}, lambda s: {"state_dict": s}]
)
@pytest.mark.parametrize("prefix", ["", "model.", "module.model."])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_table_is_found_wherever_training_programs_put_it(tmp_path, wrap, prefix, zipped):
    state = _Shared().state_dict()
    named = {prefix + key: value for key, value in state.items()}
    torch.save(wrap(named), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    loaded = load_state(tmp_path / "x.pth", "x")
    assert set(loaded) == set(state)
    for key, value in state.items():
        torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.arange(3)}, tmp_path / "x.safetensors")
    assert load_state(tmp_path / "x.safetensors", "x")["a"].tolist() == [0, 1, 2]
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes()[:30])
    with pytest.raises(SegmenterError, match="not a readable checkpoint"):
        load_state(tmp_path / "cut.safetensors", "x")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_filling_takes_all_weights_and_keeps_shared_ones_shared(device):
    source = _Shared()
    with torch.device(device):
        module = _Shared()
    fill(module, {**source.state_dict(), "criterion.weight": torch.ones(1)}, "x", ignore=("criterion.",))
    assert module.heads[1].weight is module.head.weight
    assert not module.training
    torch.testing.assert_close(module.head.weight, source.head.weight)
    assert module.index.tolist() == [0, 1, 2, 3]


def test_weights_that_do_not_fit_are_counted_and_named():
    state = _Shared().state_dict()
    del state["index"]
    state["head.weight"] = torch.zeros(5, 3)
    state["image_encoder.pos_embed"] = torch.zeros(1)
    with pytest.raises(SegmenterError) as caught:
        fill(_Shared(), state, "net:x")
    message = str(caught.value)
    assert message.startswith(
        "net:x: the weights do not fit (it looks like a checkpoint of Segment Anything): "
    )
    assert "1 are missing, first 'index'" in message
    assert "1 are not the network's, first 'image_encoder.pos_embed'" in message
    assert "1 are of other shapes, first 'head.weight', [5, 3] where [2, 3] is needed" in message
    assert looks_like({"a": torch.zeros(1)}) is None


class _Payload:
    def __reduce__(self):
        return (print, ("executed",))


def test_files_that_cannot_be_used_are_one_clear_line(tmp_path, capsys):
    torch.save(_Shared().state_dict(), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "nothing.pth").touch()
    torch.save({"weight": _Payload()}, tmp_path / "evil.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    torch.save({}, tmp_path / "none.pth")
    for path, why in {
        "absent.pth": "there is no file",
        ".": "is a folder",
        "cut.pth": "truncated or no PyTorch file",
        "page.pth": "truncated or no PyTorch file",
        "nothing.pth": "truncated or no PyTorch file",
        "evil.pth": r"it would run code \(.*print\)",
        "other.pth": "no plain table of weights",
        "none.pth": "no plain table of weights",
    }.items():
        with pytest.raises(SegmenterError, match=why) as caught:
            load_state(tmp_path / path, "net:x")
        assert str(caught.value).startswith("net:x: ")
        assert "\n" not in str(caught.value)
    assert "executed" not in capsys.readouterr().out


def test_a_checksum_beside_the_file_is_held_against_it(tmp_path):
    path, beside = tmp_path / "x.pth", tmp_path / "x.pth.sha256"
    torch.save(_Shared().state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert checksum(path) == digest
    beside.write_text(f"{digest.upper()}  x.pth\n")
    assert load_state(path, "x")
    beside.write_text("0" * 64)
    with pytest.raises(SegmenterError, match=f"its SHA-256 is {digest}"):
        load_state(path, "x")
    beside.write_text("md5")
    with pytest.raises(SegmenterError, match="does not begin with a SHA-256"):
        load_state(path, "x")


def test_a_folder_means_the_one_checkpoint_in_it(tmp_path):
    with pytest.raises(SegmenterError, match=r"is a folder; .* \(none that ends in \.pth"):
        load_state(tmp_path, "x")
    torch.save({"a": torch.arange(3)}, tmp_path / "one.pth")
    (tmp_path / "README.md").write_text("of one")
    assert load_state(tmp_path, "x")["a"].tolist() == [0, 1, 2]
    torch.save({"a": torch.arange(3)}, tmp_path / "two.pt")
    with pytest.raises(SegmenterError, match=r"is a folder; .* \(one\.pth, two\.pt\)"):
        load_state(tmp_path, "x")
