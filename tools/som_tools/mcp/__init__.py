"""The actions of `som_tools.actions` for MCP clients: a server over stdio or HTTP, and its command.

```
som-agent mcp --root videos
```

`som_tools.mcp.server.make_server` makes the server for programs that bring a transport of their own.
"""
