"""`python -m som_tools.mcp`: the command `som-agent mcp`, where the package is not installed as a plug-in."""

from __future__ import annotations

import sys

from som_agent.cli.main import app, main
from som_tools.mcp.command import mcp

if __name__ == "__main__":
    if all(command.name != "mcp" for command in app.registered_commands):
        app.command("mcp")(mcp)
    sys.argv.insert(1, "mcp")
    main()
