"""Question → checked answer: frames to look at, prompts, citations, and what could not be grounded.

`chat` asks a vision-language model; `attributes` computes its answer from masks, pixels and tracks.
"""

from som_agent.grounding.ask import aask, ask, check_question, load_answerer
from som_agent.grounding.asking import Asking

__all__ = ["Asking", "aask", "ask", "check_question", "load_answerer"]
