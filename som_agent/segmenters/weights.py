"""Checkpoint files: read without running anything in them, and put into the network they belong to."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from som_agent.errors import SegmenterError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["checksum", "fill", "load_state", "looks_like", "unfilled"]

_INNER = ("model", "state_dict")
"""Entries in which training programs keep the weights, beside what else they save."""

_PREFIXES = ("module.", "model.")
"""What wrappers put in front of every name."""

_SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
_HUB_FILE = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)/([\w./-]+\.(?:pth|pt|bin|safetensors))")

_MARKS = {
    "mask_decoder.hf_token.weight": "SAM-HQ",
    "image_encoder.trunk.patch_embed.proj.weight": "SAM 2",
    "image_encoder.pos_embed": "Segment Anything",
    "sem_seg_head.predictor.mask_tokens.weight": "Semantic-SAM",
    "sem_seg_head.predictor.pn_indicator.weight": "SEEM",
    "sem_seg_head.predictor.lang_encoder.lang_proj": "X-Decoder",
    "sem_seg_head.predictor.decoder.ref_point_head.layers.0.weight": "MaskDINO",
    "sem_seg_head.predictor.transformer_cross_attention_layers.0.norm.weight": "Mask2Former",
    "image_encoder.blocks.0.norm1.weight": "Segment Anything",
    "bert.embeddings.word_embeddings.weight": "Grounding DINO",
    "layer1.0.conv1.weight": "a ResNet",
    "class_embed.weight": "a DETR",
}
"""A name that only one network has, of those that are easily taken for each other; the first one counts."""


def load_state(path: str | Path, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name. Nothing in the file is executed.

    They may be all that the file holds, or its entry `model` or `state_dict`; `model.` and `module.` in front
    of the names are taken away. Where a file `PATH.sha256` lies beside it (as `sha256sum` writes one), the
    checkpoint has to have that checksum.

    Args:
        path: a `.pth`, `.pt` or `.bin` file of PyTorch, or a `.safetensors` file; a folder with one of them;
            or `ORG/NAME/FILE` of the Hugging Face hub, which is fetched where nothing here has that name.
        name: what the user called the segmenter; errors begin with it.

    Returns:
        Tensors on the CPU, which may share the file's pages: do not change them in place.

    Raises:
        SegmenterError: there is no such file, the hub does not hand it out, or it cannot be read, is
            truncated, holds code or no table of weights, or has another checksum.
    """
    path = _located(str(path), name)
    _check_sum(path, name)
    table: Any = _read(path, name)
    for inner in _INNER:
        if isinstance(table, Mapping) and isinstance(table.get(inner), Mapping):
            table = table[inner]
    if not _is_table(table):
        raise SegmenterError(f"{name}: holds no plain table of weights, as published checkpoints do")
    return {_bare(key): value for key, value in table.items()}


def fill(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str, *, ignore: tuple[str, ...] = ()
) -> None:
    """Put weights into a network, all of them and no others, and set it to inference.

    Args:
        module: on the CPU, or on `meta` (nothing is initialised then for nothing); in that case all its
            buffers have to be among the weights.
        state: as `load_state` returns it.
        name: what the user called the segmenter; errors begin with it.
        ignore: beginnings of names of weights that are only for training; they are passed over.

    Raises:
        SegmenterError: weights are missing, of other shapes, or belong to no part of the network; the line
            counts them, names the first, and says whose they look like.
    """
    own = module.state_dict()
    given = {
        key: value for key, value in state.items() if key in own or not key.startswith(ignore or ("\0",))
    }
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    shapes = [key for key, value in given.items() if key in own and value.shape != own[key].shape]
    complaints = []
    if missing:
        complaints.append(f"{len(missing)} are missing, first {missing[0]!r}")
    if unexpected:
        complaints.append(f"{len(unexpected)} are not the network's, first {unexpected[0]!r}")
    if shapes:
        first = shapes[0]
        sizes = f"{list(given[first].shape)} where {list(own[first].shape)} is needed"
        complaints.append(f"{len(shapes)} are of other shapes, first {first!r}, {sizes}")
    if complaints:
        kind = looks_like(state)
        hint = f" (it looks like a checkpoint of {kind})" if kind else ""
        raise SegmenterError(f"{name}: the weights do not fit{hint}: {'; '.join(complaints)}")
    if any(value.is_meta for value in own.values()):
        module.to_empty(device="cpu")
    module.load_state_dict(given, strict=True)
    module.eval().requires_grad_(False)


def unfilled() -> AbstractContextManager[Any]:
    """While it is entered, new layers leave their weights as the memory is: `fill` overwrites them all.

    Random numbers for a network of 200 million weights take many seconds. (The `meta` device would do, but
    what torch imports for it takes as long.)
    """
    import torch
    from torch.overrides import TorchFunctionMode

    random = (torch.Tensor.uniform_, torch.Tensor.normal_, torch.nn.init.uniform_, torch.nn.init.normal_)

    class Unfilled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if func in random or func is torch.nn.init.kaiming_uniform_:
                return args[0] if args else kwargs["tensor"]
            return func(*args, **kwargs)

    return Unfilled()


def looks_like(state: Mapping[str, torch.Tensor]) -> str | None:
    """Which network a table of weights is of, for a message; None where that is not known."""
    return next((network for key, network in _MARKS.items() if key in state), None)


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        SegmenterError: it cannot be read.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SegmenterError(
            f"{str(path)!r} cannot be read: {error.strerror or first_line(error)}"
        ) from error


def _located(source: str, name: str) -> Path:
    """The checkpoint file that a path, a folder or a name of the hub means."""
    path = Path(source).expanduser()
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES)
        if len(found) != 1:
            there = ", ".join(one.name for one in found) or f"none that ends in {', '.join(_SUFFIXES)}"
            raise SegmenterError(f"{name}: {source!r} is a folder; give the checkpoint file in it ({there})")
        return found[0]
    if path.is_file():
        return path
    hub = _HUB_FILE.fullmatch(source)
    if hub is None or path.parent.is_dir():
        raise SegmenterError(f"{name}: there is no file {str(path)!r}")
    from huggingface_hub import hf_hub_download

    from som_agent.pretrained import gated

    repository, file = hub.groups()
    try:
        return Path(hf_hub_download(repository, file))
    except Exception as error:  # the hub's library raises what HTTP and disks raise; it is chained
        why = gated(error, repository) or f"nor can the hub's be fetched: {first_line(error)}"
        raise SegmenterError(f"{name}: there is no file {source!r} here; {why}") from error


def _check_sum(path: Path, name: str) -> None:
    """Compare with the checksum that lies beside the file, if one does."""
    beside = path.with_name(path.name + ".sha256")
    if not beside.is_file():
        return
    found = re.match(r"\s*([0-9a-fA-F]{64})\b", beside.read_text(errors="replace"))
    if found is None:
        raise SegmenterError(f"{name}: {str(beside)!r} does not begin with a SHA-256 checksum")
    expected, actual = found[1].lower(), checksum(path)
    if actual != expected:
        raise SegmenterError(
            f"{name}: truncated or another file: its SHA-256 is {actual}, but {beside.name} says {expected}"
        )


def _read(path: Path, name: str) -> Any:
    import torch

    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SegmenterError(f"{name}: cannot be read: {error.strerror or first_line(error)}") from error
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # Only the newer of PyTorch's two formats can be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a file of any content can fail in any way; nothing is hidden, it is chained
        code = re.search(r"Unsupported (?:global: GLOBAL|class) ([\w.]+)", str(error))
        why = (
            f"it would run code ({code[1]}), which is never done" if code else "truncated or no PyTorch file"
        )
        raise SegmenterError(f"{name}: not a readable checkpoint, {why}") from error


def _is_table(table: Any) -> bool:
    import torch

    return (
        isinstance(table, Mapping)
        and len(table) > 0
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in table.items())
    )


def _bare(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key
