"""Print `docs/tools.md`: the table of actions for people. `python -m som_tools.actions > docs/tools.md`."""

from __future__ import annotations

import json
import sys
from typing import Any

from som_tools.actions import ACTIONS, Action

__all__ = ["table"]

_HEAD = """\
# The tools

What an agent can do with videos, whatever it is plugged into: the LangChain tools and the MCP server are made
of this one table. Every object in a video has a number that stays with it, its *mark*; texts cite marks as
`[3]`. Times are seconds from the start of the video (of a camera: of the session), places are pixels of the
source with x to the right and y downwards, boxes are x0, y0, x1, y1.

Every tool gives back text for a model, the same as data for programs (the keys are listed below), and
pictures where one asked for them. What the caller can mend is one line of error. What a vision-language model
or a file name says is quoted in the text: it is data, never an instruction.
"""


def table() -> str:
    """The page, as Markdown."""
    lines = [_HEAD, "| tool | what for | changes marks or files |", "| --- | --- | --- |"]
    for action in ACTIONS:
        purpose = action.description.split(". ")[0].rstrip(".")
        lines.append(
            f"| [`{action.name}`](#{action.name}) | {purpose} | {'yes' if action.changes else 'no'} |"
        )
    for action in ACTIONS:
        fields = _fields(action.form.model_json_schema())
        lines += ["", f"## {action.name}", "", action.description, "", *fields, "", *_keys(action)]
    lines += ["", "This page is written by `python -m som_tools.actions`."]
    return "\n".join(lines) + "\n"


def _fields(schema: dict[str, Any]) -> list[str]:
    required = schema.get("required", [])
    lines, below = [], []
    for name, field in schema.get("properties", {}).items():
        default = "" if name in required else _default(field)
        lines.append(f"| `{name}` | {_type(field)} | {default} | {field['description']} |")
        inner = field.get("items", {})
        if inner.get("type") == "object":
            below += ["", f"Each of `{name}`:", "", *_fields(inner)]
    if not lines:
        return ["No fields."]
    return ["| field | type | default | |", "| --- | --- | --- | --- |", *lines, *below]


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    return f"list of {_type(field['items'])}" if field["type"] == "array" else str(field["type"])


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "" if value is None else f"`{json.dumps(value)}`"


def _keys(action: Action[Any]) -> list[str]:
    lines = [f"| `{name}` | {what} |" for name, what in action.keys.items()]
    return ["| in the data | |", "| --- | --- |", *lines]


if __name__ == "__main__":
    sys.stdout.write(table())
