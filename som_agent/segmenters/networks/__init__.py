"""Networks of published segmenters in plain PyTorch, for inference.

Their attributes are named so that the keys of `state_dict()` are those of the authors' own checkpoint files.
"""
