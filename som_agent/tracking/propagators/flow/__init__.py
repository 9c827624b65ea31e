"""The embedded propagator: optical flow, and what is known of each object's colours, shape and motion.

`propagator.py` takes the frames, and `looks.py` prepares them. Each object is a `Carried` (`carried.py`),
which `advance.py` takes into the next frame: its motion (`object_motion.py`, `ground_motion.py`,
`poses.py`), its colours (`color_table.py`) and its shape (`shape_memory.py`) speak for each pixel
(`votes.py`, `posteriors.py`). `owners.py` settles whose a pixel is, `wholes.py` what is a part of what.
"""
