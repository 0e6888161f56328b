"""The tool that an assistant calls to return a typed answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

from interactor_ext.tools._function import ToolFunction
from interactor_ext.tools._hints import ShapeBuilder
from interactor_ext.tools._shapes import Shape

A = TypeVar("A")


def answer_tool(cls: type[A], take: Callable[[A], object]) -> ToolFunction:
    """Return a tool whose parameters are the fields of a class, and which passes each instance to `take`.

    Raises TypeError for a class that JSON objects can't represent.
    """
    builder = ShapeBuilder()
    read = builder.shape(cls, getattr(cls, "__name__", repr(cls)))
    schema = read.schema
    if "$ref" in schema:
        schema = builder.definitions[schema["$ref"].rpartition("/")[2]]
    if schema.get("type") != "object" or "properties" not in schema:
        raise TypeError(f"answer= must be a class with fields, such as a dataclass, not {cls!r}")
    if builder.definitions:
        schema = {**schema, "$defs": builder.definitions}

    def give(answer: A) -> str:
        take(answer)
        return "The answer was accepted."

    def bound(value: Any, path: str) -> dict[str, Any]:
        return {"answer": read.read(value, path)}

    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    description = f"Answers the user's last message with a {cls.__name__}. Call it instead of writing text."
    shape = Shape(schema, "an object", bound)
    return ToolFunction(f"answer_{name}", description, schema, give, shape, inspect.signature(give), None)
