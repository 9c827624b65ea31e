"""som-agent for LangChain agents: tools, middleware, and watches that wake a graph."""

from som_tools.langchain.ask_video import AskVideoInput, AskVideoTool
from som_tools.langchain.middleware import NewestMarkedFrame, ToolImagesToUser
from som_tools.langchain.tool import ActionTool
from som_tools.langchain.toolkit import VideoMarksToolkit
from som_tools.langchain.watching import resume_on_events, stream_on_events, wake_ups

__all__ = [
    "ActionTool",
    "AskVideoInput",
    "AskVideoTool",
    "NewestMarkedFrame",
    "ToolImagesToUser",
    "VideoMarksToolkit",
    "resume_on_events",
    "stream_on_events",
    "wake_ups",
]
