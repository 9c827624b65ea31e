"""The example of an MCP client, as its reader runs it."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mcp_client.py"


def run(environment, *arguments):
    line = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=200, check=False)


def test_it_opens_finds_asks_and_exports(environment, clip):
    done = run(environment, clip.path)
    assert done.returncode == 0, done.stderr
    said = dict(part.split(": ", 1) for part in done.stdout.strip().split("\n\n"))
    tools = said["tools"].split(", ")
    assert {"open_video", "find", "ask", "export_masks", "close_session"} <= set(tools)
    assert "Session v1" in said["open_video"]
    assert "[" in said["find"]
    assert "mask of [" in said["export_masks"]
    assert "image/png" in said["som://sessions/v1/frame"]
    assert "watching clip.mp4: frame 1 of 24" in done.stderr
