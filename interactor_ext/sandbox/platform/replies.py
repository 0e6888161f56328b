"""Replies of an assistant: deterministic text without a model, and directives that make it call tools.

The reply to a message quotes its text: `Support Bot here. You said: Hello!`. Lines of this form make the assistant call
tools, if it lists them:

    /tool get_weather {"city": "Oslo"}
    /tool get_time

Calls in one message are issued together; a line `/then` makes those below it wait for the results of those above. The
arguments are a JSON object, or nothing. When the last result has arrived, the reply quotes them all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from interactor_ext.sandbox.storage.strict_json import parse_json

# A long reply has larger pieces, so it fits into the replay of a stream.
MAX_PIECES = 1000
QUOTED = 400
DIRECTIVE = re.compile(r"^[ \t]*(?:/then[ \t\r]*$|/tool[ \t]+\S.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A `/tool` line. `arguments` is None if they couldn't be read."""

    name: str
    arguments: dict[str, Any] | None


def requested_tools(content: str) -> list[list[ToolRequest]]:
    """Return the rounds of tool calls in a message; empty without any."""
    rounds: list[list[ToolRequest]] = [[]]
    for match in DIRECTIVE.finditer(content):
        words = match[0].split(None, 2)
        if words[0] == "/then":
            if rounds[-1]:
                rounds.append([])
            continue
        rounds[-1].append(ToolRequest(words[1], _arguments(words[2] if len(words) > 2 else "{}")))
    return [each for each in rounds if each]


def result_line(tool: str, result: Any) -> str:
    text = json.dumps(result, ensure_ascii=False)
    return f"{tool} returned {text if len(text) <= QUOTED else text[:QUOTED] + '...'}."


def unlisted(tool: str, listed: list[str]) -> str:
    """Return the error of a message whose scripted reply calls a tool that its assistant doesn't list."""
    known = f"it lists {', '.join(listed)}" if listed else "it lists none"
    return f"its scripted reply calls the tool {tool}, which this assistant doesn't list: {known}"[:QUOTED]


def pieces(text: str) -> list[str]:
    """Split a text into words with the space after each; joined they are the text."""
    words = re.findall(r"\s*\S+\s*|\s+", text)
    together = -(-len(words) // MAX_PIECES) or 1
    return ["".join(words[start : start + together]) for start in range(0, len(words), together)]


def _arguments(text: str) -> dict[str, Any] | None:
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
