"""How good it is: marks against true objects, answers against true answers.

Commands: `python -m som_agent.evaluation.answers` and `python -m som_agent.evaluation.tracks`.
"""
