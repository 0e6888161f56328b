"""Headers, query and paths chosen by the caller: the refused ones, and the arguments of `client.request`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from interactor_ext._engine.call import READS, Call
from interactor_ext._engine.redaction import is_secret_name
from interactor_ext._interactor.config import checks

QueryValue = str | int | float | bool
Query = Mapping[str, QueryValue | Sequence[QueryValue] | None]

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_FOR_ONE_CALL = frozenset({"content-type", "idempotency-key"})


class Extras(NamedTuple):
    """What a view adds to each of its requests. Header names are in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Extras(headers={sorted(self.headers)}, query={sorted(self.query)})"  # values may be secrets

    def with_more(self, headers: Mapping[str, str | None] | None, query: Query | None, namespace: str | None) -> Extras:
        """Return these and more. None removes one. The view's namespace may be among them."""
        more = _checked_headers(headers or {}, namespace)
        more.pop("x-namespace", None)
        merged = {**self.headers, **more}, {**self.query, **_checked_query(query or {}, namespace)}
        return Extras(*({name: value for name, value in each.items() if value is not None} for each in merged))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the values that no error message may quote."""
        return _secrets_in(self.headers, self.query)


NO_EXTRAS = Extras({}, {})


def request_arguments(
    namespace: str | None,
    idempotency_key: str | None,
    method: str,
    path: str,
    params: Query | None,
    json: Any,
    headers: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return the arguments of `httpx.Client.request` for `client.request`. The first two parameters are the view's.

    Raises:
        ValueError: the method or the path can't be sent.
        ConfigurationError: a header or a parameter is refused.
    """
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if problem := checks.path_problem(path):
        raise ValueError(f"{problem}. Nothing was sent")
    checked = _checked_headers(headers or {}, namespace, _FOR_ONE_CALL)
    given = {name: value for name, value in checked.items() if value is not None}
    if "idempotency-key" in given:
        checks.require(checks.idempotency_key_problem(given["idempotency-key"]))
    elif idempotency_key is not None and method.upper() not in READS:
        given["idempotency-key"] = idempotency_key
    query = {name: value for name, value in _checked_query(params or {}, namespace).items() if value is not None}
    arguments: dict[str, Any] = {"method": method.upper(), "url": path, "headers": given, "params": query}
    arguments["extensions"] = {"call": Call(secrets=_secrets_in(given, query))}
    if json is not None:
        arguments["json"] = json
    return arguments


def _secrets_in(*mappings: Mapping[str, Any]) -> tuple[str, ...]:
    named = [item for each in mappings for item in each.items() if isinstance(item[1], str)]
    return tuple(
        value
        for name, value in named
        if is_secret_name(name) or (name.lower().endswith("key") and name.lower() != "idempotency-key")
    )


def _checked_headers(
    headers: object, namespace: str | None, allowed: frozenset[str] = frozenset()
) -> dict[str, str | None]:
    checks.require(_mapping_problem("headers", headers))
    checked: dict[str, str | None] = {}
    for name, value in headers.items():  # type: ignore[attr-defined]
        checks.require(checks.header_problem(name, value, namespace, allowed))
        checked[name.lower()] = value
    return checked


def _checked_query(query: object, namespace: str | None) -> dict[str, Any]:
    checks.require(_mapping_problem("query parameters", query))
    for name, value in query.items():  # type: ignore[attr-defined]
        checks.require(checks.query_problem(name, value, namespace))
    return dict(query)  # type: ignore[call-overload, no-any-return]


def _mapping_problem(what: str, value: object) -> str | None:
    if isinstance(value, Mapping):
        return None
    return f"{what} must be a mapping of names to values, not {type(value).__name__}"
