"""Tracking: regions over time -> tracks with permanent ids."""

from som_agent.tracking.iou_tracker import IouTracker
from som_agent.tracking.tracks import Tracked, Tracker

__all__ = ["IouTracker", "Tracked", "Tracker"]
