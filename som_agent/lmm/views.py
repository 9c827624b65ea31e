"""Which family of models sees how much of a picture.

From the makers' documentation: OpenAI scales to fit 2048 × 2048 and then to 768 on the short side; Claude to
1568 on the long side and about 1.15 megapixels; Gemini reads tiles of 768 pixels; LLaVA-1.5 sees 336 × 336;
Qwen-VL takes any size and is advised to 1280 cells of 28 × 28. How many marks each reads in one picture is an
assumption: no model was at hand to measure it.
"""

from __future__ import annotations

import re

from som_agent.marks.view import View

__all__ = ["DEFAULT_VIEW", "VIEWS", "view_of"]

DEFAULT_VIEW = View("default", 1024, short_px=768)
"""What is assumed of an unknown model; every family below sees at least as much, but for LLaVA-1.5."""

VIEWS = {
    r"llava(?!.*(?:next|onevision|1\.6))": View("llava-1.5", 336, enlarge=64.0, marks=12),
    r"claude|anthropic": View("claude", 1568, pixels=1_150_000, marks=30),
    r"gemini|google": View("gemini", 1536, pixels=1_180_000, marks=30),
    r"qwen": View("qwen", 1568, pixels=1280 * 28 * 28, marks=25),
    # After the others: many servers that speak OpenAI's language serve other models.
    r"gpt|openai|\bo\d": View("gpt", 2048, short_px=768, marks=30),
}
"""Pattern in a model's name → its view; the first that fits."""


def view_of(name: str) -> View:
    """The view of a model by its name, `openai:gpt-4o` or `llava:som-llava-v1.5-13b-hf` for example."""
    for pattern, view in VIEWS.items():
        if re.search(pattern, name, re.I):
            return view
    return DEFAULT_VIEW
