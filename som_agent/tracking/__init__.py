"""Tracking: regions over time -> tracks with permanent ids.

Two ways to carry masks forward: by association of each frame's regions, and by propagation, which needs
regions only now and then.
"""

from __future__ import annotations

from som_agent.tracking.association import AssociationTracker
from som_agent.tracking.embedders import Embedder, load_embedder
from som_agent.tracking.propagation_tracker import PropagationTracker
from som_agent.tracking.propagators import Propagated, Propagator, load_propagator, propagator_names
from som_agent.tracking.tracks import Tracked, Tracker

__all__ = [
    "AssociationTracker",
    "Embedder",
    "Propagated",
    "PropagationTracker",
    "Propagator",
    "Tracked",
    "Tracker",
    "load_embedder",
    "load_propagator",
    "propagator_names",
]
