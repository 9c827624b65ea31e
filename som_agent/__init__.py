"""Numbers that stay on things: Set-of-Mark prompting for video, with answers tied to masks over time.

```python
import som_agent as som

marked = som.mark("kitchen.jpg")                   # marked.image, marked.marks, marked.mask(3)
zoom = som.zoom("kitchen.jpg", 3)                  # its parts, 3a and 3b: zoom.image, zoom.marks
for marked in som.track("cups.mp4"): ...           # one MarkedFrame per frame, as a stream
answer = som.ask("cups.mp4", "Which marks are red?")
session = som.Session()                            # frame by frame: session.step(image, time=0.0)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from som_agent.answer import Answer
    from som_agent.api import ask, mark, track, zoom
    from som_agent.errors import SomError
    from som_agent.grounding.asking import Asking
    from som_agent.lmm.calls.limits import Limits
    from som_agent.marks.marked import MarkedFrame
    from som_agent.marks.style import MarkStyle
    from som_agent.marks.zoom import Zoom
    from som_agent.regions import Regions
    from som_agent.runs import read_run
    from som_agent.session import Session
    from som_agent.settings import Settings
    from som_agent.video import Frame, open_video

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Asking",
    "Frame",
    "Limits",
    "MarkStyle",
    "MarkedFrame",
    "Regions",
    "Session",
    "Settings",
    "SomError",
    "Zoom",
    "ask",
    "mark",
    "open_video",
    "read_run",
    "track",
    "zoom",
]

# Names are imported when they are used: `som-agent --help` must not wait for torch and OpenCV.
_HOME = {
    "Answer": "som_agent.answer",
    "Asking": "som_agent.grounding.asking",
    "Frame": "som_agent.video",
    "Limits": "som_agent.lmm.calls.limits",
    "MarkStyle": "som_agent.marks.style",
    "MarkedFrame": "som_agent.marks.marked",
    "Regions": "som_agent.regions",
    "Session": "som_agent.session",
    "Settings": "som_agent.settings",
    "SomError": "som_agent.errors",
    "Zoom": "som_agent.marks.zoom",
    "ask": "som_agent.api",
    "mark": "som_agent.api",
    "open_video": "som_agent.video",
    "read_run": "som_agent.runs",
    "track": "som_agent.api",
    "zoom": "som_agent.api",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
