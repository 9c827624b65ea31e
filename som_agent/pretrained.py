"""What loading a pretrained network needs, whether it cuts pictures or reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from som_agent.errors import InputError, MissingExtraError, SomError, first_line

if TYPE_CHECKING:
    import torch

__all__ = ["check_backbone", "gated", "load_pretrained", "local_or_hub", "pick_device"]

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def pick_device(name: str | None) -> torch.device:
    """The device to run on: the one named, else the first GPU, else the CPU.

    Raises:
        InputError: torch has no device of that name here.
    """
    import torch

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {name!r} cannot be used here: {first_line(error)}") from error
    return device


def local_or_hub(name: str, error: type[SomError]) -> str:
    """Where transformers should load `name` from: a folder of this machine or a repository of the hub.

    Args:
        name: a folder, or `ORG/NAME`. A folder of that name wins.
        error: what to raise.

    Raises:
        SomError: of the class `error`, where it can be neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise error(f"folder {name!r} holds no transformers model: it has no config.json")
        return str(path)
    if path.exists():
        raise error(
            f"{name!r} is a file; give the folder of a transformers model (with config.json) or ORG/NAME"
        )
    if not _HUB_ID.fullmatch(name):
        raise error(f"there is no folder {name!r}, and a model of the Hugging Face hub is written ORG/NAME")
    return name


def check_backbone(name: str, model_type: str) -> None:
    """See to it that the package is there in which a network's backbone is.

    Args:
        name: the network as the user named it.
        model_type: as its configuration has it.

    Raises:
        MissingExtraError: the backbone of EdgeTAM is one of timm, which is not installed.
    """
    if not model_type.startswith("edgetam"):
        return
    from transformers.utils import is_timm_available

    if not is_timm_available():
        raise MissingExtraError(f"{name}, an EdgeTAM network,", "edgetam")


def load_pretrained(auto_class: Any, source: str, error: type[SomError], **options: Any) -> Any:
    """Load with transformers, and make everything that is wrong with the files one clear line.

    Args:
        auto_class: what has `from_pretrained`: a configuration, processor or model class.
        source: as `local_or_hub` returns it.
        error: what to raise.
        options: passed on. With `output_loading_info=True` a checkpoint that lacks weights is refused:
            transformers itself would fill them with random numbers and only log a warning.

    Raises:
        SomError: of the class `error`.
    """
    try:
        loaded = auto_class.from_pretrained(source, **options)
    except Exception as cause:  # files of any content can fail in any way; nothing is hidden, it is chained
        raise error(f"cannot load {source!r}: {gated(cause, source) or first_line(cause)}") from cause
    if not options.get("output_loading_info"):
        return loaded
    model, info = loaded
    lacking = sorted(
        {str(key) for key in info["missing_keys"]} | {str(key) for key in info["mismatched_keys"]}
    )
    if lacking:
        lack = f"{len(lacking)} are missing, first {lacking[0]!r}"
        raise error(f"the weights in {source!r} do not fit its configuration: {lack}")
    return model


def gated(error: BaseException, source: str) -> str:
    """What to do where the hub hands files out only to those who accepted its terms, "" for other errors."""
    from huggingface_hub.errors import GatedRepoError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, GatedRepoError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return ""
    page = f"https://huggingface.co/{source}"
    if cause.response.status_code == 403:
        return f"it is gated, and the account here has no access yet: ask for it at {page}"
    return f"it is gated: accept its terms at {page} with your account, then log in with `hf auth login`"
