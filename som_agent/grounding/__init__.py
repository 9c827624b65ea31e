"""Question → checked answer: frames to look at, prompts, citations, and what could not be grounded.

`chat` asks a vision-language model; `attributes` computes its answer from masks, pixels and tracks.
"""

from som_agent.grounding.ask import ask, check_question, load_answerer

__all__ = ["ask", "check_question", "load_answerer"]
