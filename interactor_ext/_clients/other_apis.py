"""What packages of other APIs import: clients, pages of lists, and responses that are read while they arrive."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from types import ModuleType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote_plus

import httpx

from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import Operation, PageMeta
from interactor_ext._engine.arguments import require_kind
from interactor_ext._engine.call import Call, describe_request
from interactor_ext._engine.deprecation import link_to, links_in
from interactor_ext._engine.errors import ConfigurationError, ResponseValidationError, StreamError
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.sse import DEFAULT_MAX_EVENT_SIZE, SSEDecoder
from interactor_ext._interactor.config import InteractorConfig, checks
from interactor_ext._interactor.tokens.auth import TokenPlan, token_from
from interactor_ext._interactor.views import shared_state
from interactor_ext._interactor.views.extras import Extras
from interactor_ext._interactor.views.http import AsyncViewClient, ViewClient, raise_failure
from interactor_ext._interactor.views.low_level import AsyncViewApi, ViewApi
from interactor_ext._interactor.views.view import View

T = TypeVar("T")
Parse = Callable[[httpx.Response], T]


class _Config(InteractorConfig):
    """The settings of a client for another API, under the names of ours. Reads no environment variables."""

    def __init__(self, base_url: str, grant: Sequence[Any], timeout: float, deadline: float | None) -> None:
        checks.require(checks.url_problem("base_url", base_url))
        checks.require(checks.seconds_problem("timeout", timeout))
        checks.require(None if deadline is None else checks.seconds_problem("deadline", deadline))
        url, client_id, secret, given = grant
        scopes = checks.scopes_of(given)
        checks.require(checks.scopes_problem(scopes))
        vars(self).update(account_server_url=url, client_id=client_id, client_secret=secret, scopes=scopes)
        vars(self).update(core_api_url=base_url.rstrip("/"), timeout=timeout, deadline=deadline)


def _own_token(config: InteractorConfig, secret: str | None = None) -> TokenPlan:
    asked_at, url = time.time(), httpx.URL(config.account_server_url)
    response = yield {
        "method": "POST",
        "url": url,
        # https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        "auth": httpx.BasicAuth(quote_plus(config.client_id), quote_plus(str(config.client_secret))),
        "data": {"grant_type": "client_credentials"} | ({"scope": " ".join(config.scopes)} if config.scopes else {}),
        "extensions": {"operation": Operation("token", "", "POST", url.path, "core", False, False)},
    }
    return token_from(response, asked_at)


class _Credentials(Extras):
    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.headers.values(), *self.query.values())


class _View(View):
    """A view of another API, which has no namespaces."""

    def describe(self) -> str:
        return f"base_url={self.config.core_api_url!r}"

    def _add_extras(self, added: Extras, url: httpx.URL | str, arguments: dict[str, Any]) -> None:
        if "cookie" in added.headers and "cookie" in arguments["headers"]:
            arguments["headers"]["Cookie"] += f"; {added.headers['cookie']}"
        super()._add_extras(Extras(added.headers, {}), url, arguments)

    def check_namespace(self, request: httpx.Request) -> None:
        if self.extras is not None:
            Call.of(request).hidden_query = {**self.extras.query} or None


def check(keywords: dict[str, Any], *, required: bool) -> None:
    """Check the keywords of a client for one security scheme, which isn't used if all have their defaults: None for the
    first, otherwise "". A user name or a password can be empty.

    Raises:
        ConfigurationError: One is missing, or isn't a string that can be sent.
    """
    first = next(iter(keywords))
    if required or keywords[first] is not None or any(keywords.values()):
        for name, value in keywords.items():
            if value != "" or name not in ("username", "password"):
                checks.require(checks.credential_problem(name, "", value))


def connect(
    models: ModuleType,
    base_url: str,
    credentials: Sequence[tuple[str, str, Any]],
    *,
    is_async: bool,
    timeout: float,
    deadline: float | None,
    retry_policy: RetryPolicy | None,
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None,
) -> tuple[Any, Callable[[], Any]]:
    """Return the sender of a client, and the function that closes it.

    A credential has a place (auth, grant, header or query), a name (of the header, in lower case) and a value: None, if
    it isn't used; for auth, an `httpx.Auth`; for grant, the URL of the token endpoint, client id, secret and scopes.
    """
    names = [name for place, name, value in credentials if place != "query" and value is not None]
    if len({*names}) < len(names):
        raise ConfigurationError("Two of the credentials are for the same header. Pass only one of them.")
    values: dict[str, dict[str, Any]] = {"auth": {}, "grant": {}, "header": {}, "query": {}}
    for place, name, value in credentials:
        values[place] |= {} if value is None else {name: value}
    policy = RetryPolicy() if retry_policy is None else retry_policy
    require_kind("retry_policy", policy, RetryPolicy)
    config = _Config(base_url, values["grant"].get("authorization", ("", "", "", ())), timeout, deadline)
    options = shared_state.ClientOptions(transport, None, policy, None, None, None, _View, _own_token)
    shared: Any = (shared_state.AsyncSharedState if is_async else shared_state.SharedState)(config, options)
    if not values["grant"]:
        shared._auth = values["auth"].get("authorization")
    extras = _Credentials(values["header"], values["query"])
    sender = shared.open(_View.of(config)._replace(max_retries=policy.max_retries, extras=extras))
    sender.event_models, sender.checks_paging = models, False
    return sender, shared.close


class _Api(ViewApi):
    def read(self, response: httpx.Response, parse: Callable[[httpx.Response], Any]) -> Any:
        parts = super().read(response, parse)
        return parts if response.is_closed else self._reported(parts, response.request)

    def _reported(self, parts: Iterator[T], request: httpx.Request) -> Iterator[T]:
        began = time.perf_counter()
        try:
            yield from parts
        except Exception as error:
            raise_failure(error, request, began)


class _AsyncApi(AsyncViewApi):
    def read(self, response: httpx.Response, parse: Callable[[httpx.Response], Any]) -> Any:
        parts = super().read(response, parse)
        return parts if response.is_closed else self._reported(parts, response.request)

    async def _reported(self, parts: AsyncIterator[T], request: httpx.Request) -> AsyncIterator[T]:
        began = time.perf_counter()
        try:
            async for part in parts:
                yield part
        except Exception as error:
            raise_failure(error, request, began)


def low_level(sender: Any) -> Any:
    """Return the low-level client of a sender for reading a response while it arrives, with this SDK's errors."""
    http: ViewClient | AsyncViewClient = sender.http
    return _AsyncApi(http) if isinstance(http, AsyncViewClient) else _Api(http)


class Pages(Generic[T]):
    """The pages of a list with `x-pagination`. Its methods are arguments of `Sender.iterate`."""

    def __init__(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], list[T]], **mark: Any) -> None:
        """`style` is cursor, link, offset or page. `parameter` is the query parameter that selects a page, and `first`
        its value for the first page. `path` leads to the next cursor or link in the body, as in `meta.next`; "" for a
        `Link` header.
        """
        self._parse, self._mark = parse, mark
        # Unlike page numbers and offsets, cursors and links keep their place when the list changes.
        kwargs["extensions"]["forward"] = mark["style"] in ("cursor", "link")
        self._requests, self._number = [kwargs], 1
        self.data: list[T] = []
        self.meta: PageMeta | None = None

    def request(self, number: int) -> dict[str, Any]:
        """Return the request for a page, by its number from 1."""
        self._number = number
        return self._requests[number - 1]

    def parse(self, response: httpx.Response) -> Self:
        """Read the page that was requested last."""
        self.data = self._parse(response)
        after = self._after(response, self._requests[self._number - 1])
        self._requests[self._number :] = [] if after is None else [after]
        self.meta = PageMeta(self._number, max(1, len(self.data)), None, None, after is not None)
        return self

    def _after(self, response: httpx.Response, kwargs: dict[str, Any]) -> dict[str, Any] | None:
        style, parameter, path = self._mark["style"], self._mark["parameter"], self._mark["path"]
        place: Any = response.json() if path else None
        for name in path.split(".") if path else ():
            place = place.get(name) if isinstance(place, dict) else None
        if style == "link":
            links = (each for value in response.headers.get_list("link") for each in links_in(value))
            url = response.url.join(place or link_to(links, "next", None) or "")
            if (url.scheme, url.netloc) != (response.url.scheme, response.url.netloc):
                what = (
                    f"The response to {describe_request(response.request)} names a page on another server: {url.host}"
                )
                raise ResponseValidationError(f"{what}. It wasn't requested.", status=response.status_code)
            return None if url == response.url else {**kwargs, "url": str(url), "params": None}
        params = kwargs.get("params", {})
        if style != "cursor":
            step = len(self.data) if style == "offset" else 1
            place = params.get(parameter, self._mark["first"]) + step if self.data else None
        return {**kwargs, "params": {**params, parameter: place}} if place else None


class _Parts(Generic[T]):
    """`kind` is lines, events or bytes. Each part is parsed like the body of a response of its own."""

    def __init__(self, client: Client, response: httpx.Response, kind: str, parse: Parse[T]) -> None:
        if _is_other(response, kind):
            raise DecodeError("response", "", "isn't an event stream")
        self._client, self._response, self._kind, self._parse = client, response, kind, parse
        self._events, self._line, self.ended = SSEDecoder(), bytearray(), False

    def read(self, chunk: bytes) -> Iterator[T]:
        """The parts that end in this chunk. An empty chunk ends the last line."""
        for part in self._split(chunk):
            whole = httpx.Response(self._response.status_code, content=part, request=self._response.request)
            self.ended = self._kind == "events" and part == b"[DONE]" and self._is_json(whole)
            if self.ended:
                return
            yield self._client.read(whole, self._parse)

    def _is_json(self, end: httpx.Response) -> bool:
        """Whether events are JSON, which `[DONE]` isn't: servers send it after the last one."""
        try:
            self._parse(end)
        except DecodeError:
            return True
        return False

    def _split(self, chunk: bytes) -> list[bytes]:
        if self._kind == "events":
            return [each.data.encode() for each in self._events.feed(chunk)]
        if self._kind == "bytes":
            return [chunk] if chunk else []
        first, *others = chunk.split(b"\n")
        self._line += first
        if len(self._line) > DEFAULT_MAX_EVENT_SIZE:
            raise StreamError(f"A line of the response is longer than {DEFAULT_MAX_EVENT_SIZE} bytes.")
        if chunk and not others:
            return []
        lines, self._line = [bytes(self._line), *others[:-1]], bytearray(b"".join(others[-1:]))
        return [each for each in lines if each.strip()]


def _is_other(response: httpx.Response, kind: str) -> bool:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "events" and media_type not in ("", "text/event-stream")


@contextmanager
def opened(client: Client, kwargs: dict[str, Any], kind: str, parse: Parse[T]) -> Generator[Iterator[T], None, None]:
    def items(parts: _Parts[T], response: httpx.Response) -> Iterator[T]:
        for chunk in chain(response.iter_bytes(), (b"",)):
            yield from parts.read(chunk)
            if parts.ended:
                return

    with client.get_httpx_client().stream(**kwargs) as response:
        if not response.is_success or _is_other(response, kind):
            response.read()
        yield client.read(response, lambda each: items(_Parts(client, each, kind, parse), each))


@asynccontextmanager
async def opened_async(
    client: Client, kwargs: dict[str, Any], kind: str, parse: Parse[T]
) -> AsyncGenerator[AsyncIterator[T], None]:
    async def items(parts: _Parts[T], response: httpx.Response) -> AsyncIterator[T]:
        async for chunk in response.aiter_bytes():
            for item in parts.read(chunk):
                yield item
            if parts.ended:
                return
        for item in parts.read(b""):
            yield item

    async with client.get_async_httpx_client().stream(**kwargs) as response:
        if not response.is_success or _is_other(response, kind):
            await response.aread()
        yield client.read(response, lambda each: items(_Parts(client, each, kind, parse), each))
