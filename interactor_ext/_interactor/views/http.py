"""The HTTP side of a view: what its resource classes call, and the httpx client that sends and records each request.

What every call needs happens here or below, so endpoint functions called with `user.api` get it as well.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, Self, TypeVar

import httpx

from interactor_client.types import AsyncEventStream, EventStream, OnInvalid, Page
from interactor_ext._engine import deprecation, pages
from interactor_ext._engine.arguments import require_callback
from interactor_ext._engine.call import Call
from interactor_ext._engine.call_log import log_answer, log_failure
from interactor_ext._engine.errors import ConfigurationError, InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.responses.connection_error import connection_error, interrupt_behind
from interactor_ext._engine.responses.read import ACCEPT_ENCODING, read_response
from interactor_ext._engine.streams import events, stream
from interactor_ext._engine.waiting import Closing, require_asyncio
from interactor_ext._interactor import __version__, models
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.views import ensuring, partial_pages, unsendable
from interactor_ext._interactor.views.reports import RATE_LIMITS, RateLimits, tell
from interactor_ext._interactor.views.view import OfOneProcess, View

if TYPE_CHECKING:
    from interactor_ext._engine.calls.retrying import AsyncRetryingTransport, RetryingTransport
    from interactor_ext._engine.retry_policy import RetryPolicy
    from interactor_ext._engine.telemetry_events import Reporter

T = TypeVar("T")
KwargsOf = Callable[[int], dict[str, Any]]

# A host that accepts no connection within this time is down; only the response may take long.
_CONNECT_TIMEOUT = 5.0


class _NoCookies(httpx.Cookies):
    """Stores no cookies: a session cookie would carry one tenant's identity into another's request."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        raise ConfigurationError("this client doesn't send cookies")


_NO_COOKIES = _NoCookies()


def headers_of_client(user_agent_suffix: str | None = None) -> dict[str, str]:
    """The headers that identify the client, the same for all its calls. Cassettes leave them out."""
    python = ".".join(map(str, sys.version_info[:3]))
    agent = f"interactor-sdk-python/{__version__} (python/{python}; httpx/{httpx.__version__})"
    if user_agent_suffix:
        agent = f"{agent} {user_agent_suffix}"
    return {"User-Agent": agent, "Accept-Encoding": ACCEPT_ENCODING}


class HttpContext(NamedTuple):
    """What the HTTP clients of all views share, created once because a web service makes a view for each request."""

    base_url: httpx.URL
    headers: httpx.Headers
    limits: RateLimits
    policy: RetryPolicy
    reporter: Reporter | None
    ensured: dict[str, Any]
    """Resources that `ensure` found recently."""

    @classmethod
    def of(cls, config: InteractorConfig, policy: RetryPolicy, reporter: Reporter | None) -> HttpContext:
        headers = httpx.Headers({"Accept": "application/json", **headers_of_client(config.user_agent_suffix)})
        return cls(httpx.URL(f"{config.core_api_url}/"), headers, RateLimits(), policy, reporter, {})


class _OfView(OfOneProcess):
    """What the httpx clients of sync and async views share: settings, the way to build a request, and no cookies."""

    def __init__(
        self,
        view: View,
        context: HttpContext,
        transport: RetryingTransport | AsyncRetryingTransport,
        auth: httpx.Auth | None,
    ) -> None:
        settings: dict[str, Any] = {
            "auth": auth,
            "transport": transport,
            "base_url": context.base_url,
            "headers": context.headers,
            "timeout": httpx.Timeout(view.timeout, connect=min(view.timeout, _CONNECT_TIMEOUT)),
            "follow_redirects": False,
            "trust_env": False,
        }
        super().__init__(**settings)
        self.view = view
        self.context = context
        self.reporter: Reporter | None = context.reporter
        self.closing: Closing = transport.closing

    def build_request(self, method: str, url: httpx.URL | str, **arguments: Any) -> httpx.Request:
        try:
            # If a user gave the client a query of its own, httpx merges it with `params` only and drops the URL's.
            keep_params = bool(self.params)  # type: ignore[attr-defined]
            prepared = self.view.prepare(url, arguments, keep_params=keep_params)
            request: httpx.Request = super().build_request(method, prepared, **arguments)  # type: ignore[misc]
        except unsendable.ERRORS as error:
            raise unsendable.explained(error, method, arguments, url) from None
        return request

    @property
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise ConfigurationError("this client doesn't send cookies")


class ViewClient(_OfView, httpx.Client):
    """The `httpx.Client` of one view. It owns nothing, so closing it does nothing, and it can be used again."""

    def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        began = time.perf_counter()
        try:
            self.view.check_namespace(request)
            response = super().send(request, **arguments)
        except Exception as error:
            raise_failure(error, request, began)
        try:
            record_response(self, request, response, began)
        except BaseException:
            # A deprecation warning turned into an error: the caller doesn't get the response and can't close it.
            response.close()
            raise
        return response

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object, **__: object) -> None:
        pass


class AsyncViewClient(_OfView, httpx.AsyncClient):
    """`ViewClient` for the asynchronous client."""

    async def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        require_asyncio()
        began = time.perf_counter()
        try:
            self.view.check_namespace(request)
            response = await super().send(request, **arguments)
        except Exception as error:
            raise_failure(error, request, began)
        try:
            record_response(self, request, response, began)
        except BaseException:
            # A deprecation warning turned into an error: the caller doesn't get the response and can't close it.
            await response.aclose()
            raise
        return response

    async def aclose(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object, **__: object) -> None:
        pass


def raise_failure(error: Exception, request: httpx.Request, began: float) -> NoReturn:
    """Raise what `send` raises for an exception of httpx, the transport or the auth flow. Logs a failed call."""
    if isinstance(error, InteractorError):
        log_failure(request, error, began)
        raise error
    if isinstance(error, Warning):
        raise error  # a deprecation warning, turned into an error, from the token request
    if (interrupt := interrupt_behind(error)) is not None:
        raise interrupt from interrupt.__cause__
    failure = connection_error(error, request)
    log_failure(request, failure, began)
    raise failure from failure.__cause__


def record_response(
    client: ViewClient | AsyncViewClient, request: httpx.Request, response: httpx.Response, began: float
) -> None:
    """Record a response's rate limits and deprecation, log the call, and run the callbacks."""
    call = Call.of(request)
    if response.is_closed and not call.is_stream:  # a stream may be closed with its events unread, as with httpx's mock
        # httpx makes a reference cycle of a response and its stream. Leaving these cycles and their connections to the
        # garbage collector costs a third of a call's time.
        response.stream = _READ
    # One pass: each lookup in httpx's headers scans all of them, and eight lookups cost 2 % of a call.
    headers = {name.lower(): value for name, value in response.headers.raw}
    if not RATE_LIMITS.isdisjoint(headers):
        # The call's: it may name a namespace other than its view's.
        client.context.limits.observe(headers, call.namespace)
    if logger.isEnabledFor(logging.INFO if 200 <= response.status_code < 300 else logging.WARNING):
        log_answer(request, response, headers, began)
    if client.view.on_response:
        tell(client.view.on_response, request, response, time.perf_counter() - began)
    if client.context.ensured and (response.status_code in (404, 422) or request.method in ("PATCH", "DELETE")):
        ensuring.forget(client.context.ensured, request)
    if b"deprecation" in headers or b"sunset" in headers:
        deprecation.warn_if_deprecated(response)


_READ = httpx.ByteStream(b"")

H = TypeVar("H", bound=ViewClient | AsyncViewClient)


class _Sender(Generic[H]):
    """What both senders have in common."""

    event_models: ModuleType = models
    checks_paging: bool = True

    def __init__(self, http: H, user_of: Callable[[View], Any]) -> None:
        self.http: H = http
        self._user_of = user_of

    def __repr__(self) -> str:
        return self.http.view.describe()  # a resource puts its name around this

    def user(self) -> Any:
        """The view, as users see it. Made anew, because a cycle of view and sender would outlive its last user."""
        return self._user_of(self.http.view)

    def _walk(self, kwargs: dict[str, Any], prefetch: int) -> pages.PageWalk[Any]:
        """Return the walk through the list whose first request has these arguments.

        Raises ValueError when `iterate` is called, rather than when the iterator is first used.
        """
        if self.checks_paging:
            pages.check_paging(kwargs.get("params", {}))
        pages.check_prefetch(prefetch)
        operation, forward = kwargs["extensions"]["operation"], kwargs["extensions"].get("forward", False)
        return pages.PageWalk(f"{operation.method} {operation.path}", forward=forward)


class ViewSender(_Sender[ViewClient]):
    """What the resource classes of a sync view call."""

    def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(self.http.request(**kwargs), parse)

    def page(self, kwargs: dict[str, Any], parse: pages.ParseList[T]) -> Page[T]:
        params = kwargs.get("params", {})
        if self.checks_paging:
            pages.check_paging(params)
        return pages.read_page(self.http.request(**kwargs), parse, params)

    def iterate(
        self, get_kwargs: KwargsOf, parse: pages.ParseList[T], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> Iterator[T]:
        walk = self._walk(get_kwargs(1), prefetch)
        require_callback("on_invalid", on_invalid)
        read = pages.read_page if on_invalid is None else partial_pages.read_partial_page

        def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            return read(self.http.request(**kwargs), parse, kwargs.get("params") or {})

        return pages.iterate(fetch, prefetch, on_invalid, walk)

    def stream(self, kwargs: dict[str, Any], family: str, **options: Any) -> EventStream[Any]:
        reader = event_reader(family, self.event_models)
        return stream.Stream(self.http, kwargs, reader, **options, **_stream_settings(self.http))


class AsyncViewSender(_Sender[AsyncViewClient]):
    """What the resource classes of an async view call."""

    async def send(self, kwargs: dict[str, Any], parse: Callable[[httpx.Response], T]) -> T:
        return read_response(await self.http.request(**kwargs), parse)

    async def page(self, kwargs: dict[str, Any], parse: pages.ParseList[T]) -> Page[T]:
        params = kwargs.get("params", {})
        if self.checks_paging:
            pages.check_paging(params)
        return pages.read_page(await self.http.request(**kwargs), parse, params)

    def iterate(
        self, get_kwargs: KwargsOf, parse: pages.ParseList[T], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> AsyncIterator[T]:
        walk = self._walk(get_kwargs(1), prefetch)
        require_callback("on_invalid", on_invalid, is_awaited=True)
        read = pages.read_page if on_invalid is None else partial_pages.read_partial_page

        async def fetch(number: int) -> Page[T]:
            kwargs = get_kwargs(number)
            return read(await self.http.request(**kwargs), parse, kwargs.get("params") or {})

        return pages.aiterate(fetch, prefetch, on_invalid, walk)

    def stream(self, kwargs: dict[str, Any], family: str, **options: Any) -> AsyncEventStream[Any]:
        reader = event_reader(family, self.event_models)
        return stream.AsyncStream(self.http, kwargs, reader, **options, **_stream_settings(self.http))


@functools.cache
def event_reader(family: str, models: ModuleType = models) -> events.EventReader:
    """Return the reader for a family of events, a key of `models.EVENT_MODELS`."""
    names = models.EVENT_MODELS[family]
    return events.EventReader({event_type: getattr(models, name).from_dict for event_type, name in names.items()})


def _stream_settings(http: ViewClient | AsyncViewClient) -> dict[str, Any]:
    view = http.view
    return {
        "policy": dataclasses.replace(http.context.policy, max_retries=view.max_retries),
        "deadline": view.ends_at(),
        "max_event_size": max(1, view.config.max_response_size // 4),
    }
