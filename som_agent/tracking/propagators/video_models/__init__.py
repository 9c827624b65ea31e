"""Video networks of transformers, frame by frame: SAM 2, SAM 2.1, EdgeTAM, SAM 3.

`propagator.py` carries masks that are given, `concepts.py` finds and carries what phrases name.
`batch.py` runs all objects at once, `memory.py` keeps what a network remembers bounded.
"""
