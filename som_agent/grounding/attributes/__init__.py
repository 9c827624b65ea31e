"""The embedded answerer: colour, size, place, motion, relations, order and time of marks, without a model."""

from som_agent.grounding.attributes.answerer import answer

__all__ = ["answer"]
