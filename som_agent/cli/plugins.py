"""Commands that other packages bring along: an entry point `som_agent.commands` for each.

```toml
[project.entry-points."som_agent.commands"]
mcp = "som_tools.mcp.command:mcp"
```

The entry point is a function as typer takes it, and its name is the command's. Its module is imported
whenever the command line starts, so what is heavy belongs inside the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint

import typer

from som_agent.errors import InputError, first_line

__all__ = ["GROUP", "plug_in"]

GROUP = "som_agent.commands"


def plug_in(app: typer.Typer, points: Iterable[EntryPoint]) -> None:
    """Add commands to the command line; those that it has by now stay what they are.

    One that cannot be loaded says so when it is called, and stands in no other's way.
    """
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups if group.name}
    for point in points:
        if point.name in known:
            continue
        known.add(point.name)
        try:
            command = point.load()
            if not callable(command):
                raise TypeError(f"a {type(command).__name__} is no command")
            app.command(point.name)(command)
        except Exception as error:  # another package's, and of any kind
            app.command(point.name, context_settings=_ANYTHING)(_broken(point, error))


_ANYTHING = {"ignore_unknown_options": True, "allow_extra_args": True}
"""With whatever options a broken command is called, it says that it is broken."""


def _broken(point: EntryPoint, error: Exception) -> Callable[[], None]:
    line = f"command {point.name} cannot be loaded from {point.value}: {first_line(error)}"

    def broken() -> None:
        raise InputError(line)

    broken.__doc__ = f"Cannot be loaded: {first_line(error)}"
    return broken
