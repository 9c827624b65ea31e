"""What agents plug in: tools that watch videos and speak of what they see by numbered marks.

```python
from som_tools import VideoMarksToolkit

agent = create_agent(model, VideoMarksToolkit(roots="videos").get_tools())
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from som_tools.langchain import AskVideoTool, VideoMarksToolkit

__all__ = ["AskVideoTool", "VideoMarksToolkit"]


def __getattr__(name: str) -> Any:
    # LangChain takes half a second to import: only who uses its tools pays for it.
    if name in __all__:
        from som_tools import langchain

        return getattr(langchain, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
