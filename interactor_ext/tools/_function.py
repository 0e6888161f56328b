"""A tool: a Python function with its description and JSON Schema, and how JSON arguments are bound to it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from functools import partial
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs

from interactor_ext._engine.arguments import require_flags
from interactor_ext._engine.waiting.around import Around, surrounded
from interactor_ext.tools._docstring import read_docstring
from interactor_ext.tools._hints import ShapeBuilder
from interactor_ext.tools._records import MISSING, Member, hints_of, unwrapped
from interactor_ext.tools._shapes import Schema, Shape, record


@attrs.frozen
class ToolContext:
    """The origin of a call. A parameter of this type is filled in, and isn't part of the JSON Schema."""

    namespace: str | None
    """The tenant of the view that runs the tool, or None without one."""
    room_id: str
    tool_call_id: str
    decided_by: str | None = None
    """Who approved the call, from `approve(by=)`. None for a call that needed no approval."""
    around: Any = attrs.field(default=None, eq=False, repr=False)
    """The value that the context manager of `ToolSet(around=)` yields, such as a database session."""

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this call, and different for any other. Pass it to an API that the tool
        calls.
        """
        return hashlib.sha256(json.dumps((self.namespace, self.room_id, self.tool_call_id)).encode()).hexdigest()[:32]


@attrs.frozen
class ToolFunction:
    """A function of a ToolSet. `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Schema
    function: Callable[..., Any] = attrs.field(repr=False)
    _shape: Shape = attrs.field(repr=False)
    _signature: inspect.Signature = attrs.field(repr=False)
    _context: str | None = attrs.field(repr=False)
    approval: bool | Callable[[dict[str, Any]], object] = attrs.field(repr=False, default=False)
    show: tuple[str, ...] = attrs.field(repr=False, default=())
    idempotent: bool = attrs.field(repr=False, default=False)

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        name: str | None,
        description: str | None,
        *,
        approval: bool | Callable[[dict[str, Any]], object] = False,
        show: Sequence[str] = (),
        idempotent: bool = False,
    ) -> ToolFunction:
        """See `ToolSet.tool`. Raises TypeError for a signature that JSON Schema can't describe."""
        require_flags(idempotent=idempotent, approval=callable(approval) or approval)
        if not all(isinstance(each, str) for each in (name or "", description or "")):
            raise TypeError("name= and description= of a tool must be strings")
        show = (show,) if isinstance(show, str) else tuple(show)
        label = name or str(getattr(function, "__name__", ""))
        if not label.strip() or label == "<lambda>":
            raise TypeError(f"{type(function).__name__} has no name: pass name=")
        if isinstance(function, partial):
            # The signature contains bound arguments, such as an API key, as defaults of parameters.
            raise TypeError(f"{label} is a partial: write a function that calls it")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{label}() is a generator, but the result of a tool is one JSON value")
        about = read_docstring(inspect.getdoc(function))
        # A callable object has its annotations on `__call__`.
        hints = hints_of(function if hasattr(function, "__annotations__") else type(function).__call__)
        signature = inspect.signature(function)
        parameters = signature.parameters.values()
        context = next((each.name for each in parameters if _is_context(hints.get(each.name))), None)
        shapes = ShapeBuilder(filled_in=ToolContext)
        fields = {
            parameter.name: shapes.field(
                _member(label, parameter, hints, about.parameters), f"{label}({parameter.name})"
            )
            for parameter in parameters
            if parameter.name != context
        }
        shape = record("call", fields, dict)
        schema = {**shape.schema, **({"$defs": shapes.definitions} if shapes.definitions else {})}
        text = about.text if description is None else description
        if unknown := set(show) - fields.keys():
            raise TypeError(f"show= names {min(unknown)!r}, which isn't a parameter of {label}()")
        return cls(label, text, schema, function, shape, signature, context, approval, show, idempotent)

    def with_defaults(self, arguments: Any) -> dict[str, Any]:
        """Return all arguments of a call, without the context. Raises InvalidArgumentError."""
        bound = self._signature.bind_partial(**self._shape.read(arguments, ""))
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name != self._context}

    def bind(self, arguments: Any, context: ToolContext) -> dict[str, Any]:
        """Return the keyword arguments for calling the function. Raises InvalidArgumentError."""
        values: dict[str, Any] = self._shape.read(arguments, "")
        if self._context is not None:
            values[self._context] = context
        return values

    def bound(self, arguments: Any, context: ToolContext, around: Around | None) -> Callable[[], Any]:
        """Return the function bound to its arguments, to be called within `around()`. Raises InvalidArgumentError."""
        function, name = partial(self.function, **self.bind(arguments, context)), self._context
        if around is None:
            return function

        def with_context(function: Callable[..., Any], value: Any) -> Callable[..., Any]:
            return partial(function, **{str(name): attrs.evolve(context, around=value)})

        return surrounded(function, around, None if name is None else with_context)


def _is_context(hint: Any) -> bool:
    bare = unwrapped(hint)[0]
    variants = get_args(bare) if get_origin(bare) in (Union, UnionType) else (bare,)
    return [each for each in variants if each is not type(None)] == [ToolContext]


def _member(tool: str, parameter: inspect.Parameter, hints: dict[str, Any], descriptions: dict[str, str]) -> Member:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"{tool}({parameter}): each parameter of a tool is passed by its name")
    if parameter.name not in hints:
        is_method = parameter.name in ("self", "cls")
        hint = "to make a method a tool, pass it bound" if is_method else f"write one, as in `{parameter.name}: str`"
        raise TypeError(f"{tool}({parameter.name}) has no type hint: {hint}")
    required = parameter.default is parameter.empty
    default = MISSING if required else parameter.default
    return Member(parameter.name, hints[parameter.name], required, default, descriptions.get(parameter.name, ""))
