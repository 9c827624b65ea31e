"""Vision-language models by name: one that runs here, or whatever LangChain can reach.

The embedded answerer `attributes` needs no model and lives in `som_agent.grounding.attributes`; it is
listed here because a user chooses it by the same option.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from som_agent.errors import AnswererError, MissingExtraError, SomError, first_line

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["lmm_names", "load_lmm"]

_NAMES = {
    "attributes": "the embedded answerer: colour, size, place, motion and time, no model needed",
    "llava:REPO_OR_DIR": "a LLaVA-1.5 model, run here, in its own format or that of transformers (SoM-LLaVA)",
    "hf:REPO_OR_DIR": "any image-text-to-text model of transformers, run here (Qwen2.5-VL, SmolVLM, Gemma 3)",
    "replay:TRACE.jsonl": "what a model replied when that trace was written, without the model",
    "PROVIDER:MODEL": "any chat model that LangChain can reach and that takes pictures, as openai:gpt-4o",
}
_OURS = {"llava": "REPO_OR_DIR", "hf": "REPO_OR_DIR", "replay": "TRACE.jsonl"}
"""Kinds of models that do not come from LangChain → what is written after the colon."""
_PROVIDERS = re.compile(r"[Ss]upported (?:model )?providers(?: are)?: ([\w, ]+)")
_PIP_LINE = re.compile(r"pip install ([\w-]+)")


def lmm_names() -> dict[str, str]:
    """The known answerers: how each is written → one phrase of what it is."""
    return dict(_NAMES)


def load_lmm(name: str | BaseChatModel, *, device: str | None = None) -> BaseChatModel:
    """The chat model of a name; a ready one is handed back as it is.

    Args:
        name: `llava:REPO_OR_DIR`, `hf:REPO_OR_DIR`, `replay:TRACE.jsonl`, `PROVIDER:MODEL` as LangChain's
            `init_chat_model` takes it, or a chat model. A provider's model is told not to retry: whoever asks
            it decides that.
        device: where a local model runs; None takes the first GPU or the CPU.

    Raises:
        AnswererError: an unknown name, files that are no such model, or a provider that lacks its key or
            package.
        MissingExtraError: a provider whose package is an extra of som-agent.
        InputError: a device that is not there.
    """
    if not isinstance(name, str):
        from langchain_core.language_models import BaseChatModel

        if isinstance(name, BaseChatModel):
            return name
        raise AnswererError(
            f"a model is a name or a LangChain chat model, not {type(name).__name__}; {_known()}"
        )
    kind, _, rest = name.partition(":")
    if name == "attributes":
        raise AnswererError("attributes is the embedded answerer and no chat model; it answers without one")
    if kind in _OURS:
        if not rest:
            raise AnswererError(f"model {name!r} lacks its argument: write {kind}:{_OURS[kind]}")
        return _ours(kind, rest, device)
    return _from_langchain(name)


def _ours(kind: str, argument: str, device: str | None) -> BaseChatModel:
    """A model that does not come from LangChain; log probabilities are what it is sure of its marks by."""
    if kind == "llava":
        from som_agent.lmm.local.llava import ChatLlava

        return ChatLlava(model=argument, device=device, logprobs=True)
    if kind == "hf":
        from som_agent.lmm.local.chat import ChatLocal

        return ChatLocal(model=argument, device=device, logprobs=True)
    from som_agent.lmm.calls.trace import replay

    return replay(argument)


def _from_langchain(name: str) -> BaseChatModel:
    """What `init_chat_model` makes of a name, its complaints as one clear line."""
    from langchain.chat_models import init_chat_model

    if not name or name.endswith(":"):
        raise AnswererError(f"unknown model {name!r}; {_known()}")
    try:
        model = init_chat_model(name)
        # Asked of the class, for a provider that does not know the option would refuse it, or send it on.
        if "max_retries" in type(model).model_fields:
            model = init_chat_model(name, max_retries=0)
        return model
    except ImportError as error:
        provider = name.partition(":")[0]
        if provider in {"openai", "azure_openai"} or "langchain-openai" in str(error):
            raise MissingExtraError(f"model {name!r}", "openai") from error
        package = _PIP_LINE.search(str(error))
        needed = f"pip install {package[1]}" if package else first_line(error)
        raise AnswererError(f"model {name!r} needs a package that is not installed: {needed}") from error
    except SomError:
        raise
    except Exception as error:  # each provider has exceptions of its own; nothing is hidden, it is chained
        providers = _PROVIDERS.search(str(error))
        if providers:
            raise AnswererError(
                f"unknown model {name!r}; {_known()}; providers: {providers[1].strip()}"
            ) from error
        raise AnswererError(f"model {name!r} cannot be set up: {first_line(error)}") from error


def _known() -> str:
    return "known: " + "; ".join(f"{form} ({phrase})" for form, phrase in _NAMES.items())
