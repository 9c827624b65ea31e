"""What agents plug in: a LangChain tool that answers questions about videos with marks.

```python
from som_tools import AskVideoTool

agent = create_agent(model, tools=[AskVideoTool(roots=("videos",))])
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from som_tools.langchain import AskVideoTool

__all__ = ["AskVideoTool"]


def __getattr__(name: str) -> Any:
    # LangChain takes half a second to import: only who uses the tool pays for it.
    if name == "AskVideoTool":
        from som_tools.langchain import AskVideoTool

        return AskVideoTool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
