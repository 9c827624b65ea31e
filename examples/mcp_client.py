"""An MCP client: it starts the server, opens a video, finds things, asks about them and exports a mask.

```
python examples/mcp_client.py [VIDEO]
```
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

CLIP = Path(__file__).parent / "scenes" / "shell_game.mp4"


async def talk(video: Path) -> None:
    """Start a server that may open files beside `video`, and use it."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "som_tools.mcp", "--root", str(video.parent), "--size", "240"],
        env=dict(os.environ),
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as client:
        await client.initialize()
        tools = (await client.list_tools()).tools
        print("tools:", ", ".join(tool.name for tool in tools))

        async def progress(done: float, total: float | None, message: str | None) -> None:
            print(f"  {message}", file=sys.stderr)

        async def use(name: str, **arguments: Any) -> dict[str, Any]:
            result = await client.call_tool(name, arguments, progress_callback=progress)
            text = result.content[0].text
            if result.isError:
                raise SystemExit(f"{name}: {text}")
            print(f"\n{name}: {text}")
            return result.structuredContent or {}

        session = (await use("open_video", source=video.name, until_s=1.0))["session"]
        found = (await use("find", session=session, phrase="red"))["marks"]
        await use("ask", session=session, question="Which mark is the largest?")
        if found:
            await use("export_masks", session=session, marks=[found[0]["label"]])
        address = f"som://sessions/{session}/frame"
        (frame,) = (await client.read_resource(address)).contents
        print(f"\n{address}: {frame.mimeType}, {len(frame.blob) * 3 // 4} bytes")


def main() -> int:
    """Run the example on a video, the shell game if none is named."""
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP
    asyncio.run(talk(video.resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
