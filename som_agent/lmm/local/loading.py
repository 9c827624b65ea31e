"""Vision-language networks of transformers from their files: where they run, and in how many bits."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from som_agent.errors import AnswererError, InputError, MissingExtraError
from som_agent.pretrained import load_pretrained, pick_device

__all__ = ["load_network", "load_reader", "read_config"]

_BITS = {"4bit": "load_in_4bit", "8bit": "load_in_8bit"}


def read_config(source: str) -> dict[str, Any]:
    """The `config.json` of a model as it stands.

    Args:
        source: as `local_or_hub` returns it.

    Raises:
        AnswererError: there is none, or it cannot be read.
    """
    from transformers import PreTrainedConfig

    class Raw:
        from_pretrained = staticmethod(lambda source: PreTrainedConfig.get_config_dict(source)[0])

    config = load_pretrained(Raw, source, AnswererError)
    assert isinstance(config, dict)
    return config


def load_network(
    network_class: Any,
    source: str,
    *,
    device: str | None,
    dtype: str,
    quantization: str | None,
) -> Any:
    """A network, ready to answer.

    Args:
        network_class: what has `from_pretrained`.
        source: as `local_or_hub` returns it.
        device: where it runs; None takes the first GPU or the CPU.
        dtype: a torch dtype's name, or `auto` for the one that the weights are stored in.
        quantization: `4bit` or `8bit` stores the weights so, with bitsandbytes; None as `dtype` says.

    Raises:
        AnswererError: files that are no such network, or incomplete.
        InputError: no such device or quantization.
        MissingExtraError: a quantization without bitsandbytes.
    """
    where = pick_device(device)
    options = (
        {}
        if quantization is None
        else {"quantization_config": _bits(quantization), "device_map": {"": where}}
    )
    network = load_pretrained(
        network_class, source, AnswererError, output_loading_info=True, dtype=dtype, **options
    )
    # bitsandbytes places its own.
    return network.eval() if quantization is not None else network.eval().to(where)


def load_reader(source: str) -> Any:
    """The processor of a model, which makes tensors of text and pictures.

    Raises:
        AnswererError: there is none, or one without a tokenizer.
    """
    from transformers import AutoProcessor

    processor = load_pretrained(AutoProcessor, source, AnswererError)
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise AnswererError(f"{source!r} holds no processor for pictures and text")
    return processor


def _bits(quantization: str) -> Any:
    """The settings of bitsandbytes; in 4 bits as QLoRA stores weights (arXiv 2305.14314)."""
    import torch
    from transformers import BitsAndBytesConfig

    if quantization not in _BITS:
        raise InputError(f"unknown quantization {quantization!r}; known: {', '.join(_BITS)}")
    if find_spec("bitsandbytes") is None or find_spec("accelerate") is None:
        raise MissingExtraError(f"quantization {quantization!r}", "quantize")
    options = {_BITS[quantization]: True}
    if quantization == "4bit":
        options |= {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.bfloat16}  # type: ignore[dict-item]
    return BitsAndBytesConfig(**options)
