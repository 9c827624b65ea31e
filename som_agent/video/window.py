"""A window on this machine's display."""

from __future__ import annotations

import os
import sys

import cv2

from som_agent.errors import OutputError
from som_agent.video.frame import Image

__all__ = ["Window"]

_ESCAPE = 27


class Window:
    """Shows pictures as they come.

    Attributes:
        is_closed: q or Escape was pressed in it.

    Raises:
        OutputError: there is no display, or OpenCV was built without windows.
    """

    def __init__(self, title: str) -> None:
        has_display = sys.platform in ("win32", "darwin") or "DISPLAY" in os.environ
        if not has_display and "WAYLAND_DISPLAY" not in os.environ:
            raise OutputError("a window needs a display, and there is none here: DISPLAY is not set")
        if not cv2.currentUIFramework():
            raise OutputError("a window needs opencv-python; opencv-python-headless, which is here, has none")
        self.title, self.is_closed = title, False

    def show(self, image: Image) -> None:
        """Show the next picture, `[H, W, 3] uint8` RGB."""
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.is_closed = (cv2.waitKey(1) & 0xFF) in (ord("q"), _ESCAPE)

    def close(self) -> None:
        """Take it away."""
        cv2.destroyAllWindows()
