"""How good it is: marks against true objects, answers against true answers.

Commands: `som-agent eval` for videos, `python -m som_agent.evaluation.answers` for generated scenes.
"""
