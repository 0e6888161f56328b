"""Errors for requests that can't be sent: httpx can't encode their body, or they name no tenant or another one."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from typing import Any

import httpx

from interactor_client.wire import header_problem
from interactor_ext._engine.call import describe_request
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._interactor.config.checks import namespace_problem, require

ERRORS = (httpx.InvalidURL, TypeError, ValueError, RecursionError)
"""What httpx raises before sending anything, including UnicodeEncodeError."""


def explained(error: Exception, method: str, arguments: Mapping[str, Any], url: object) -> Exception:
    """Make the error to raise for one of `ERRORS`: ValueError, or TypeError for a type that JSON can't represent."""
    if isinstance(error, httpx.InvalidURL):
        return ValueError(f"an id or a parameter makes the URL invalid: {error}")
    operation = (arguments.get("extensions") or {}).get("operation")
    request = f"{method} {url if operation is None else operation.path}"
    try:
        problem = header_problem(dict(arguments.get("headers") or ()).items())
        problem = problem or json_problem(arguments.get("json"), "")
    except RecursionError:
        problem = "the body is nested too deeply, or contains itself"
    if problem is None and isinstance(error, UnicodeEncodeError):
        problem = "the body contains a lone surrogate, which UTF-8 can't represent"
    if problem is None:
        return error
    return (TypeError if isinstance(error, TypeError) else ValueError)(f"{request}: {problem}. Nothing was sent.")


def namespace_of(request: httpx.Request, named: set[str], own: str | None, *, is_free: bool) -> str:
    """Return the namespace that a request names, if its view doesn't have one (`own`) and lets it choose (`is_free`).

    Raises ConfigurationError for any other request that names none, several, or a namespace other than its view's.
    """
    what = describe_request(request)
    if not named and own is None:
        raise without_namespace(what)
    if len(named) == 1 and own is None and is_free:
        (namespace,) = named
        require(namespace_problem(namespace))
        return namespace
    whose = f"namespace {own!r}" if own is not None else "one tenant" if is_free else "the default namespace"
    others = " and ".join(repr(name) for name in sorted(named - {own})) or "none"
    problem = f"{what} is for {whose}, but its X-Namespace header or its query names {others}. Nothing was sent."
    raise ConfigurationError(f'{problem} Leave it out, or create a view for the other tenant: client.namespace("...").')


def without_namespace(what: str) -> ConfigurationError:
    problem = f"{what} has no namespace, and this client requires one (require_namespace). Nothing was sent."
    return ConfigurationError(
        f'{problem} Create a view: client.namespace("..."), or client.for_event(event) in a handler.'
    )


def without_key(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} doesn't support an idempotency key, but this view has one. Nothing was sent. Make this call on a view "
        "without idempotency_key=."
    )


def json_problem(value: Any, path: str) -> str | None:
    """Name the first value in a body that JSON can't represent, without quoting it, because it may be a secret."""
    if isinstance(value, Mapping):
        return next(filter(None, (_problem_of_item(name, item, path) for name, item in value.items())), None)
    if isinstance(value, list | tuple):
        return next(filter(None, (json_problem(item, f"{path}[{index}]") for index, item in enumerate(value))), None)
    where = path or "the body"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where} is {value}, a number that JSON can't represent"
    if value is None or isinstance(value, str | int):
        return None
    if isinstance(value, Awaitable):
        advice = "an `await` is missing"
    else:
        is_data = not callable(value)
        advice = "convert it, for example with str() or list()" if is_data else "pass what it returns"
        advice = "pass its id" if hasattr(value, "id") else advice
    return f"{where} is of type {type(value).__name__}, which JSON can't represent: {advice}"


def _problem_of_item(name: Any, item: Any, path: str) -> str | None:
    if name is not None and not isinstance(name, str | int | float):
        return f"{path or 'the body'} has a key of type {type(name).__name__}; JSON keys are strings"
    return json_problem(item, f"{path}.{name}" if path else str(name))
