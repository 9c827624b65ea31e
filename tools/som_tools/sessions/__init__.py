"""Sessions that agents have open: stored videos, live sources, and frames that a program pushes."""

from som_tools.sessions.fed import FedSession
from som_tools.sessions.live import CameraSession
from som_tools.sessions.opened import Opened
from som_tools.sessions.store import SessionStore
from som_tools.sessions.stored import StoredSession

__all__ = ["CameraSession", "FedSession", "Opened", "SessionStore", "StoredSession"]
