"""The settings of a view, and what they add to a request: server, namespace, idempotency key, timeout and deadline."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from interactor_ext._client.extras import NO_EXTRAS, Extras, Query, require
from interactor_ext._client.response_info import OnResponse, check_callback
from interactor_ext._config import InteractorConfig
from interactor_ext._config._checks import (
    idempotency_key_problem,
    namespace_problem,
    number_problem,
    seconds_problem,
    warn_of_milliseconds,
)
from interactor_ext._errors import ConfigurationError

# Fields of request bodies that no error message may quote.
_SECRET_FIELDS = frozenset({"client_secret", "code", "secret", "token"})


class ImmutableError(ConfigurationError, AttributeError):
    """An attribute of a client, a view or a resource was assigned."""


class Immutable:
    """Raises ImmutableError where a public attribute is assigned, for it would change nothing that is sent."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("_"):
                raise ImmutableError(
                    f"{name} cannot be assigned, since clients and their views never change: make a view with "
                    'client.namespace("...") or client.with_options(...), or another client'
                )
            object.__setattr__(self, name, value)


class CallInfo(NamedTuple):
    """What transport, logs and errors need to know of a call. It is `request.extensions["interactor"]`."""

    namespace: str | None
    path: str
    """The path of the operation, with its ids percent-encoded and without the path of the server."""
    max_retries: int
    ends_at: float | None
    """The deadline, an instant of `time.monotonic()`."""
    secrets: tuple[str, ...]
    """Secrets of the request, which no error message may quote."""

    def __repr__(self) -> str:
        return f"CallInfo(namespace={self.namespace!r}, max_retries={self.max_retries}, ends_at={self.ends_at})"


class View(NamedTuple):
    """The settings of one view."""

    config: InteractorConfig
    namespace: str | None
    timeout: float
    max_retries: int
    deadline: float | None
    idempotency_key: str | None = None
    extras: Extras = NO_EXTRAS
    on_response: tuple[OnResponse, ...] = ()

    @classmethod
    def of(cls, config: InteractorConfig) -> View:
        return cls(config, config.namespace, config.timeout, config.max_retries, config.deadline)

    def describe(self) -> str:
        """The server and the namespace, for reprs."""
        namespace = "" if self.namespace is None else f", namespace={self.namespace!r}"
        return f"core_api_url={self.config.core_api_url!r}{namespace}"

    def with_namespace(self, namespace: str) -> View:
        require(namespace_problem(namespace))
        return self._replace(namespace=namespace)

    def with_options(
        self,
        timeout: float | None,
        max_retries: int | None,
        deadline: float | None,
        idempotency_key: str | None,
        headers: Mapping[str, str | None] | None,
        query: Query | None,
        on_response: OnResponse | None,
    ) -> View:
        view = self._replace(
            timeout=self.timeout if timeout is None else timeout,
            max_retries=self.max_retries if max_retries is None else max_retries,
            deadline=self.deadline if deadline is None else deadline,
            idempotency_key=self.idempotency_key if idempotency_key is None else idempotency_key,
        )
        require(seconds_problem("timeout", view.timeout))
        warn_of_milliseconds(view.timeout)
        require(number_problem("max_retries", view.max_retries, 0))
        if view.deadline is not None:
            require(seconds_problem("deadline", view.deadline))
        if view.idempotency_key is not None:
            require(idempotency_key_problem(view.idempotency_key))
        if headers is not None or query is not None:
            view = view._replace(extras=self.extras.with_more(headers, query))
        if on_response is not None:
            check_callback(on_response)
            view = view._replace(on_response=(*self.on_response, on_response))
        return view

    def ends_at(self) -> float | None:
        """The deadline of a call that begins now, an instant of `time.monotonic()`."""
        return None if self.deadline is None else time.monotonic() + self.deadline

    def prepare(self, url: httpx.URL | str, arguments: dict[str, Any]) -> httpx.URL | str:
        """Complete the arguments of `httpx.Client.build_request`, and return the URL to build it with."""
        extensions = arguments.get("extensions") or {}
        operation = extensions.get("operation")
        # The default encoding of httpx is ASCII, and a namespace may be any text.
        headers = arguments["headers"] = httpx.Headers(arguments.get("headers"), encoding="utf-8")
        server = self.config.core_api_url
        if operation is not None and operation.server == "account":
            server = self.config.account_server_url
        elif "x-namespace" in headers:
            require(namespace_problem(headers["x-namespace"]))
        elif self.namespace is not None:
            headers["X-Namespace"] = self.namespace
        if operation is not None and operation.idempotency_key:
            if "idempotency-key" in headers:
                require(idempotency_key_problem(headers["idempotency-key"]))
            else:
                headers["Idempotency-Key"] = self.idempotency_key or str(uuid.uuid4())
        secrets = [self.config.client_secret, *extensions.get("secrets", ())]
        if self.extras is not NO_EXTRAS:
            for name, value in self.extras.headers.items():
                headers.setdefault(name, value)
            if self.extras.query:
                given = arguments.get("params")
                # httpx drops the query of a URL where there are params.
                given = httpx.URL(url).params if given is None else given
                arguments["params"] = httpx.QueryParams(self.extras.query).merge(given)
            secrets += self.extras.secrets
        if "timeout" in arguments and arguments["timeout"] is None:
            del arguments["timeout"]  # None means no timeout to httpx
        body = arguments.get("json")
        if isinstance(body, dict) and not _SECRET_FIELDS.isdisjoint(body):
            secrets += [body[name] for name in _SECRET_FIELDS & body.keys() if isinstance(body[name], str)]
        path = str(url)
        call = CallInfo(headers.get("x-namespace"), path, self.max_retries, self.ends_at(), tuple(secrets))
        arguments["extensions"] = {**extensions, "interactor": call}
        return _parsed(f"{server}{path}") if isinstance(url, str) and path.startswith("/") else url


# httpx would parse the path, and then again the whole URL: 60 us, a tenth of a call. Most calls use a URL again.
@functools.lru_cache(maxsize=512)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)
