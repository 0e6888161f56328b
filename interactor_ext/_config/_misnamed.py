"""Errors for keywords that a client or a method does not take: what is meant instead, or where it belongs."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# What other clients call a setting that has two names here.
_OTHER_NAMES = {"api_key": "client_id and client_secret", "base_url": "core_api_url and account_server_url"}
_OPTIONS = ("timeout", "max_retries", "deadline", "idempotency_key", "headers", "query", "on_response")


def unknown_setting(name: str, known: Iterable[str]) -> TypeError:
    """The error for a keyword of a client, or of `InteractorConfig`, that is none of the `known` settings."""
    meant = _OTHER_NAMES.get(name) or _similar(name, known)
    return TypeError(
        f"There is no setting {name!r}: " + (f"did you mean {meant}?" if meant else f"there are {', '.join(known)}")
    )


def unknown_keyword(method: Callable[..., Any], given: Mapping[str, object]) -> TypeError:
    """The error for keywords that a method of a resource does not take. It begins as Python's own does."""
    name = next(iter(given))
    parameters = inspect.signature(method).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    if name == "namespace":
        advice = "a namespace makes a view, client.namespace(...), which has the same methods"
    elif name in _OPTIONS:
        advice = f"it is an option of a view, client.with_options({name}=...), which has the same methods"
    elif meant := _similar(name, known):
        advice = f"did you mean {meant!r}?"
    else:
        advice = f"it takes {', '.join(known) or 'none'}"
    return TypeError(f"{method.__qualname__}() got an unexpected keyword argument {name!r}: {advice}")


def _similar(name: str, known: Iterable[str]) -> str:
    return ", ".join(difflib.get_close_matches(name, known, n=1))
