"""Checkpoints of LLaVA-1.5 as its own code writes them, read into the network of transformers.

`LlavaLlamaForCausalLM` keeps the language model and the projector in its files and, mostly, only the name of
the CLIP network that sees; pictures have no token of their own. SoM-LLaVA (arXiv 2404.16375) is published so.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from som_agent.errors import AnswererError, MissingExtraError, first_line
from som_agent.pretrained import load_pretrained, local_or_hub

if TYPE_CHECKING:
    import torch

__all__ = ["OriginalLlava", "is_original", "load_original"]

_FILES = ("model.safetensors", "pytorch_model.bin")
_IMAGE = "<image>"
# Names as they begin in the original → as checkpoints of transformers have them; "" is left out.
_NAMES = {
    "model.vision_tower.vision_tower.vision_model.": "vision_tower.vision_model.",
    "model.vision_tower.vision_tower.": "vision_tower.vision_model.",
    "model.mm_projector.0.": "multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "multi_modal_projector.linear_2.",
    "model.embed_tokens.": "language_model.model.embed_tokens.",
    "model.layers.": "language_model.model.layers.",
    "model.norm.": "language_model.model.norm.",
    "lm_head.": "language_model.lm_head.",
}
_COMPUTED = (".rotary_emb.inv_freq", ".embeddings.position_ids")  # early versions stored these, too
_TEXT = (
    "attention_bias",
    "bos_token_id",
    "eos_token_id",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "pad_token_id",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "vocab_size",
)


@dataclass(frozen=True)
class OriginalLlava:
    """An original checkpoint: what a network needs to be built, with `from_pretrained` as classes have it.

    Attributes:
        config: of the network, as transformers has it.
        processor: pictures and text to tensors.
        folder: of the checkpoint.
        tower: where the CLIP network is.
    """

    config: Any
    processor: Any
    folder: Path
    tower: str

    def from_pretrained(self, source: str, **options: Any) -> Any:
        """The network; `options` are those of transformers."""
        from transformers import LlavaForConditionalGeneration

        weights = self._weights()
        loaded = LlavaForConditionalGeneration.from_pretrained(
            None, config=self.config, state_dict=weights, **options
        )
        network = loaded[0] if isinstance(loaded, tuple) else loaded
        image = self.config.image_token_id
        network.generation_config.suppress_tokens = [image]  # its row is not trained: it is never to be said
        return loaded

    def _weights(self) -> dict[str, torch.Tensor]:
        weights = {new: tensor for name, tensor in _stored(self.folder) if (new := _renamed(name))}
        if not any(name.startswith("vision_tower.") for name in weights):
            weights |= _tower_weights(self.tower)
        rows = self.config.text_config.vocab_size
        for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
            if name in weights:  # what lacks is told by the loader
                weights[name] = _with_rows(weights[name], rows)
        return weights


def is_original(config: dict[str, Any]) -> bool:
    """Whether a `config.json` is of the original LLaVA, and not of transformers."""
    return "mm_vision_tower" in config or any(
        str(name).startswith("Llava") and str(name).endswith("ForCausalLM")
        for name in config.get("architectures") or []
    )


def load_original(source: str, vision_tower: str | None) -> OriginalLlava:
    """Read all but the weights of an original checkpoint.

    Args:
        source: as `local_or_hub` returns it.
        vision_tower: the CLIP network instead of the one that the checkpoint names.

    Raises:
        AnswererError: another kind of LLaVA, or files that are missing or broken.
        MissingExtraError: a tokenizer that needs sentencepiece, which is not installed.
    """
    from transformers import AutoConfig, AutoImageProcessor, LlamaConfig, LlavaConfig, LlavaProcessor

    folder = _folder(source)
    stored = json.loads((folder / "config.json").read_text())
    _check_kind(source, stored)
    tower = _tower(folder, stored, vision_tower)
    seeing = load_pretrained(AutoConfig, tower, AnswererError)
    seeing = getattr(seeing, "vision_config", seeing)
    if seeing.model_type != "clip_vision_model":
        raise AnswererError(
            f"the vision tower {tower!r} is a {seeing.model_type} model; LLaVA-1.5 sees with CLIP"
        )
    tokenizer = _tokenizer(folder)
    tokenizer.add_tokens([_IMAGE], special_tokens=True)
    image = tokenizer.convert_tokens_to_ids(_IMAGE)
    text = {key: stored[key] for key in _TEXT if stored.get(key) is not None}
    text["vocab_size"] = max(text.get("vocab_size", 0), image + 1)
    strategy = "full" if stored.get("mm_vision_select_feature") == "cls_patch" else "default"
    config = LlavaConfig(
        vision_config=seeing.to_dict(),
        text_config=LlamaConfig(**text).to_dict(),
        image_token_index=image,
        projector_hidden_act="gelu",
        vision_feature_select_strategy=strategy,
        vision_feature_layer=stored.get("mm_vision_select_layer", -2),
        tie_word_embeddings=stored.get("tie_word_embeddings", False),
    )
    processor = LlavaProcessor(
        image_processor=load_pretrained(AutoImageProcessor, tower, AnswererError),
        tokenizer=tokenizer,
        patch_size=seeing.patch_size,
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=1,  # CLIP's class token
    )
    return OriginalLlava(config, processor, folder, tower)


def _folder(source: str) -> Path:
    """The checkpoint's folder, downloaded where it is one of the hub."""
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.model", "*.safetensors", "pytorch_model*.bin"]
    try:
        return Path(snapshot_download(source, allow_patterns=wanted))
    except Exception as error:  # the hub's own exceptions and the network's; nothing is hidden, it is chained
        raise AnswererError(f"cannot load {source!r}: {first_line(error)}") from error


def _check_kind(source: str, stored: dict[str, Any]) -> None:
    """Refuse what LLaVA-1.5 is not."""
    names = stored.get("architectures") or []
    if names and names != ["LlavaLlamaForCausalLM"]:
        raise AnswererError(
            f"{source!r} is a {names[0]}; of the original LLaVA only those on Llama can be read"
        )
    projector = stored.get("mm_projector_type", "linear")
    if projector != "mlp2x_gelu":
        raise AnswererError(
            f"{source!r} has a projector of the type {projector!r}; only that of LLaVA-1.5 can be read, "
            "'mlp2x_gelu'"
        )
    aspect = stored.get("image_aspect_ratio")
    if aspect not in {None, "pad", "square"}:
        raise AnswererError(
            f"{source!r} reads pictures in tiles ({aspect!r}), as later LLaVAs; give one of 1.5"
        )
    if stored.get("mm_use_im_start_end"):
        raise AnswererError(f"{source!r} puts tokens around pictures (mm_use_im_start_end), unlike LLaVA-1.5")


def _tower(folder: Path, stored: dict[str, Any], chosen: str | None) -> str:
    """Where the CLIP network is: a folder or a repository."""
    name = chosen or stored.get("mm_vision_tower") or ""
    beside = folder / Path(name).name
    if name and chosen is None and (beside / "config.json").is_file():
        return str(beside)
    try:
        return local_or_hub(name, AnswererError)
    except AnswererError as error:
        raise AnswererError(
            f"there is no vision tower {name!r} for {str(folder)!r}: give its folder as vision_tower"
        ) from error


def _tokenizer(folder: Path) -> Any:
    from transformers import LlamaTokenizer
    from transformers.utils import is_protobuf_available, is_sentencepiece_available

    if not (folder / "tokenizer.json").is_file():
        if not (folder / "tokenizer.model").is_file():
            raise AnswererError(f"folder {str(folder)!r} holds no tokenizer.model")
        if not (is_sentencepiece_available() and is_protobuf_available()):
            raise MissingExtraError(f"the tokenizer of {str(folder)!r}", "llava")
    # The original cuts the prompt at pictures, so that every piece begins with a word's space: `legacy` does.
    return load_pretrained(LlamaTokenizer, str(folder), AnswererError, legacy=True)


def _stored(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a checkpoint with its name; safetensors before pickles."""
    for whole in _FILES:
        index = folder / f"{whole}.index.json"
        if index.is_file():
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        elif (folder / whole).is_file():
            names = [whole]
        else:
            continue
        lacking = [name for name in names if not (folder / name).is_file()]
        if lacking:
            raise AnswererError(
                f"{len(lacking)} of {len(names)} files of weights are missing, first {lacking[0]!r}"
            )
        for name in names:
            yield from _read(folder / name).items()
        return
    raise AnswererError("no weights: neither " + " nor ".join(_FILES) + ", in one file or with an index")


def _read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file; no code in it is run."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    import torch

    # Mapped, not read: the network takes what it needs, and a checkpoint is as large as the memory.
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    assert isinstance(tensors, dict)
    return tensors


def _renamed(name: str) -> str:
    if name.endswith(_COMPUTED):
        return ""
    for begin, new in _NAMES.items():
        if name.startswith(begin):
            return new + name.removeprefix(begin)
    raise AnswererError(f"the weights hold {name!r}, which LLaVA-1.5 lacks")


def _tower_weights(tower: str) -> dict[str, torch.Tensor]:
    from transformers import AutoModel

    network = load_pretrained(AutoModel, tower, AnswererError, output_loading_info=True, dtype="auto")
    network = getattr(network, "vision_model", network)  # published with its half for text
    return {
        f"vision_tower.vision_model.{name}": tensor
        for name, tensor in network.state_dict().items()
        if not name.endswith(_COMPUTED)
    }


def _with_rows(table: torch.Tensor, rows: int) -> torch.Tensor:
    """A table of the vocabulary `[n, d]` with zeros for the tokens that the original lacks: `[rows, d]`."""
    if len(table) >= rows:
        return table
    grown = table.new_zeros((rows, table.shape[1]))
    grown[: len(table)] = table
    return grown
