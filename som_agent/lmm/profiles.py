"""What is known of a vision-language model: how it sees, what it takes, what a picture costs.

From the makers' documentation: OpenAI scales to fit 2048 × 2048 and then to 768 on the short side, and counts
tiles of 512; Claude to 1568 on the long side and about 1.15 megapixels, a token for 750 pixels; Gemini reads
tiles of 768 pixels; LLaVA-1.5 sees 336 × 336 in 576 tokens; Qwen-VL takes any size, a token for each cell of
28 × 28, and is advised to 1280 of them. How many marks each reads in one picture is an assumption until
`som-agent calibrate` has measured it. LangChain's table of models (`model.profile`) adds what the provider
takes. Prices change, so none is built in: a profile that was stored may name them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from som_agent.marks.view import View

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["DEFAULT_PROFILE", "PROFILES", "PictureTokens", "Price", "Profile", "profile_named", "profile_of"]

_CHARS_PER_TOKEN = 3.5  # of English, on the safe side of the four that tokenisers reach


@dataclass(frozen=True)
class PictureTokens:
    """What a picture costs in a prompt: `base`, and `per_tile` for each begun tile of `tile_px` a side."""

    base: float = 0.0
    per_tile: float = 0.0
    tile_px: int = 1

    def __call__(self, size: tuple[int, int]) -> int:
        """Tokens of a picture of this width and height, as the model sees it."""
        w, h = size
        return math.ceil(
            self.base + self.per_tile * math.ceil(w / self.tile_px) * math.ceil(h / self.tile_px)
        )


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens read and for a million written."""

    usd_in: float
    usd_out: float

    def __call__(self, tokens_in: int, tokens_out: int) -> float:
        """Dollars of one call."""
        return (self.usd_in * tokens_in + self.usd_out * tokens_out) / 1e6


@dataclass(frozen=True)
class Profile:
    """What is known of a model.

    Attributes:
        name: the family, or the model where it was calibrated.
        view: how it sees a picture, and how many marks it reads in one.
        pictures: most pictures in a prompt.
        picture_tokens: what a picture costs.
        price: None where not known.
        structured: whether it holds its reply to a JSON schema.
        tool_images: whether it takes pictures in messages of tools.
        context_tokens: most tokens of a prompt and its reply, None where not known.
        draw: the parts of a mark that it reads best, as `MarkStyle.draw`; None leaves the session's own.
        marks_read: share of the marks that it read when it was calibrated, 0 to 1; None where not measured.
    """

    name: str
    view: View
    pictures: int = 20
    picture_tokens: PictureTokens = PictureTokens(per_tile=1 / 750)
    price: Price | None = None
    structured: bool = False
    tool_images: bool = False
    context_tokens: int | None = None
    draw: tuple[str, ...] | None = None
    marks_read: float | None = None

    def tokens(self, text: str, sizes: list[tuple[int, int]]) -> int:
        """What a prompt costs, estimated before it is sent.

        Args:
            text: all of it.
            sizes: width and height of each picture.
        """
        seen = (self.view.shrunk(size) for size in sizes)
        return math.ceil(len(text) / _CHARS_PER_TOKEN) + sum(self.picture_tokens(size) for size in seen)


DEFAULT_PROFILE = Profile("default", View("default", 1024, short_px=768))
"""What is assumed of an unknown model; every family below sees at least as much, but for LLaVA-1.5."""

PROFILES = {
    r"llava(?!.*(?:next|onevision|1\.6))": Profile(
        "llava-1.5",
        View("llava-1.5", 336, enlarge=64.0, marks=12),
        pictures=4,
        picture_tokens=PictureTokens(base=576),
        context_tokens=4096,
    ),
    r"claude|anthropic": Profile(
        "claude",
        View("claude", 1568, pixels=1_150_000, marks=30),
        pictures=100,
        structured=True,
        tool_images=True,
    ),
    r"gemini|google": Profile(
        "gemini",
        View("gemini", 1536, pixels=1_180_000, marks=30),
        pictures=100,
        picture_tokens=PictureTokens(per_tile=258, tile_px=768),
        structured=True,
    ),
    r"qwen": Profile(
        "qwen",
        View("qwen", 1568, pixels=1280 * 28 * 28, marks=25),
        picture_tokens=PictureTokens(per_tile=1, tile_px=28),
    ),
    # After the others: many servers that speak OpenAI's language serve other models.
    r"gpt|\bopenai\b|\bo\d": Profile(
        "gpt",
        View("gpt", 2048, short_px=768, marks=30),
        pictures=50,
        picture_tokens=PictureTokens(base=85, per_tile=170, tile_px=512),
        structured=True,
    ),
}
"""Pattern in a model's name → its profile; the first that fits."""


def profile_named(name: str) -> Profile:
    """The profile of a model by its name, `openai:gpt-4o` or `llava:som-llava-v1.5-13b-hf` for example."""
    return next(
        (known for pattern, known in PROFILES.items() if re.search(pattern, name, re.I)), DEFAULT_PROFILE
    )


def profile_of(model: BaseChatModel, name: str, *, stored: bool = True) -> Profile:
    """The profile of a loaded model: what is stored of it, over what is known of its family.

    The family is found by the name that the model knows itself by, or else by the one it is called.

    Args:
        model: the chat model. What LangChain knows of it, `model.profile`, goes before the family's.
        name: what it is called, `openai:gpt-4o` for example.
        stored: False leaves out what `som-agent calibrate` stored.

    Raises:
        InputError: the file with what is stored is damaged.
    """
    names = (getattr(model, "model_name", None), getattr(model, "model", None), name)
    found = [profile_named(known) for known in names if isinstance(known, str)]
    profile = next((known for known in found if known is not DEFAULT_PROFILE), DEFAULT_PROFILE)
    told = getattr(model, "profile", None) or {}
    # LangChain's table says of every OpenAI model that it takes pictures of tools, which holds for the
    # Responses API only: Chat Completions refuses them, or reads over them. None: LangChain decides later.
    refuses = getattr(model, "use_responses_api", True) is not True
    profile = replace(
        profile,
        structured=told.get("structured_output", profile.structured),
        tool_images=not refuses and told.get("image_tool_message", profile.tool_images),
        context_tokens=told.get("max_input_tokens", profile.context_tokens),
    )
    if not stored:
        return profile
    from som_agent.lmm.stored import read_stored

    kept = read_stored(name)
    return profile if kept is None else kept.over(profile)
