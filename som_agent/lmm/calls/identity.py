"""What makes a chat model give the replies that it gives, without what lets one in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["identity", "secrets_of", "without"]

_SECRET = re.compile(r"api_?key|secret|passw|authori[sz]ation|credential|headers|cookie|(^|_)token$", re.I)
_ADDRESSES = (
    "base_url",
    "openai_api_base",
    "azure_endpoint",
    "anthropic_api_url",
    "endpoint_url",
    "endpoint",
    "mistral_api_base",
    "groq_api_base",
)
"""Where integrations keep the server's address: the same name elsewhere may be another model."""
_LEAST_SECRET = 8  # characters; what is shorter occurs in any text


def identity(model: BaseChatModel, name: str) -> str:
    """A text that is the same for models that would answer the same; no keys in it.

    Args:
        model: the chat model.
        name: what it is called.
    """
    known: dict[str, Any] = {"name": name, "type": model._llm_type, **dict(model._identifying_params)}
    for field in _ADDRESSES:
        if isinstance(address := getattr(model, field, None), str):
            # No user and password, and nothing behind the question mark.
            known[field] = re.sub(r"//[^/@]*@", "//", address).partition("?")[0]
    return json.dumps(_open(known), sort_keys=True, default=lambda value: f"<{type(value).__name__}>")


def secrets_of(model: BaseChatModel) -> list[str]:
    """The keys that a model holds, to be kept out of files and messages; longest first."""
    found = []
    for value in vars(model).values():
        secret = value.get_secret_value() if hasattr(value, "get_secret_value") else None
        if isinstance(secret, str) and len(secret) >= _LEAST_SECRET:
            found.append(secret)
    return sorted(found, key=len, reverse=True)


def without(secrets: list[str], text: str) -> str:
    """The text with asterisks in the place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _open(value: Any) -> Any:
    """The value without what goes by a secret's name, at any depth."""
    if isinstance(value, dict):
        return {str(key): _open(item) for key, item in value.items() if not _SECRET.search(str(key))}
    if isinstance(value, list | tuple):
        return [_open(item) for item in value]
    return value
