"""A run on disk: `marked.mp4`, `tracks.parquet` and `run.json` in one folder."""

from som_agent.runs.reader import Run, is_run, read_run
from som_agent.runs.writer import RunWriter

__all__ = ["Run", "RunWriter", "is_run", "read_run"]
