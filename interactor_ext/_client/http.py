"""The HTTP clients of the views: light, over a transport that they share, and with one tree of errors.

Whatever cuts across calls happens here or below, so that an endpoint function called with `user.api` gets it as well.
"""

from __future__ import annotations

import platform
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import httpx

from interactor_ext._client.view import SENDABLE, View
from interactor_ext._config import InteractorConfig
from interactor_ext._errors import APIConnectionError, APITimeoutError, ConfigurationError, InteractorError
from interactor_ext._responses._request_info import describe_request, secrets_of, url_variable
from interactor_ext._version import __version__
from interactor_ext.limits._observed import RateLimits
from interactor_ext.logs._calls import log_answer, log_failure
from interactor_ext.transports._closed import CLOSED
from interactor_ext.transports._decoding import ACCEPT_ENCODING, BodyRefused
from interactor_ext.transports._interrupts import interrupt_behind
from interactor_ext.transports._waiters import require_asyncio

if TYPE_CHECKING:
    from interactor_ext.retry import RetryPolicy
    from interactor_ext.telemetry._events import Reporter


class _NoCookies(httpx.Cookies):
    """A session cookie would carry one tenant's identity into another's request. The API has no use for any."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        raise ConfigurationError("this client sends no cookies")


_NO_COOKIES = _NoCookies()


class Common(NamedTuple):
    """What all views of a client share, made ready once: a view is made for each request of a web service."""

    base_url: httpx.URL
    headers: httpx.Headers
    limits: RateLimits
    policy: RetryPolicy
    reporter: Reporter | None

    @classmethod
    def of(cls, config: InteractorConfig, policy: RetryPolicy, reporter: Reporter | None = None) -> Common:
        agent = f"interactor-sdk-python/{__version__} (python/{platform.python_version()}; httpx/{httpx.__version__})"
        if config.user_agent_suffix:
            agent = f"{agent} {config.user_agent_suffix}"
        headers = httpx.Headers({"User-Agent": agent, "Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING})
        return cls(httpx.URL(f"{config.core_api_url}/"), headers, RateLimits(), policy, reporter)


class SharedTransport(httpx.BaseTransport):
    """The transport of a client, as its views see it: they may use it, not close it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.is_closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_closed:
            raise ConfigurationError(CLOSED)
        return self._inner.handle_request(request)

    def shut(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._inner.close()


class AsyncSharedTransport(httpx.AsyncBaseTransport):
    """`SharedTransport` for the asynchronous client."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_closed:
            raise ConfigurationError(CLOSED)
        return await self._inner.handle_async_request(request)

    async def shut(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self._inner.aclose()


class ViewClient(httpx.Client):
    """The `httpx.Client` of one view. It owns nothing, so closing it does nothing, and it can be used again."""

    def __init__(self, view: View, common: Common, transport: SharedTransport, auth: httpx.Auth | None) -> None:
        super().__init__(
            base_url=common.base_url,
            headers=common.headers,
            timeout=view.httpx_timeout(),
            auth=auth,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )
        self.view = view
        self.policy = common.policy
        self.reporter = common.reporter
        self._limits = common.limits

    @property
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise ConfigurationError("this client sends no cookies")

    def build_request(self, method: str, url: httpx.URL | str, **arguments: Any) -> httpx.Request:
        url = self.view.prepare(url, arguments)
        with SENDABLE:
            return super().build_request(method, url, **arguments)

    def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        began = time.perf_counter()
        try:
            response = super().send(request, **arguments)
        except InteractorError as error:
            log_failure(request, error, began)
            raise
        except Warning:
            raise  # the caller has made an error of it, and the token request of this call met with it
        except Exception as error:
            if (interrupt := interrupt_behind(error)) is not None:
                raise interrupt from interrupt.__cause__
            failure = connection_error(error, request)
            log_failure(request, failure, began)
            raise failure from _quotable(error, request)
        try:
            _take_note(self, request, response, began)
        except BaseException:
            # A warning that is made an error: nobody would get the stream, to close it.
            response.close()
            raise
        return response

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        pass


class AsyncViewClient(httpx.AsyncClient):
    """`ViewClient` for the asynchronous client."""

    def __init__(self, view: View, common: Common, transport: AsyncSharedTransport, auth: httpx.Auth | None) -> None:
        super().__init__(
            base_url=common.base_url,
            headers=common.headers,
            timeout=view.httpx_timeout(),
            auth=auth,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )
        self.view = view
        self.policy = common.policy
        self.reporter = common.reporter
        self._limits = common.limits

    @property
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise ConfigurationError("this client sends no cookies")

    def build_request(self, method: str, url: httpx.URL | str, **arguments: Any) -> httpx.Request:
        url = self.view.prepare(url, arguments)
        with SENDABLE:
            return super().build_request(method, url, **arguments)

    async def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        require_asyncio()
        began = time.perf_counter()
        try:
            response = await super().send(request, **arguments)
        except InteractorError as error:
            log_failure(request, error, began)
            raise
        except Warning:
            raise  # the caller has made an error of it, and the token request of this call met with it
        except Exception as error:
            if (interrupt := interrupt_behind(error)) is not None:
                raise interrupt from interrupt.__cause__
            failure = connection_error(error, request)
            log_failure(request, failure, began)
            raise failure from _quotable(error, request)
        try:
            _take_note(self, request, response, began)
        except BaseException:
            # A warning that is made an error: nobody would get the stream, to close it.
            await response.aclose()
            raise
        return response

    async def aclose(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        pass


def _take_note(
    view: ViewClient | AsyncViewClient, request: httpx.Request, response: httpx.Response, began: float
) -> None:
    """Of what an answer says beside what was asked for."""
    if response.is_closed:
        # httpx ties a response and its stream into a knot, and with it all that they hold of the connection. Left to
        # the garbage collector, the knots cost a third of the time of a call.
        response.stream = _READ
    # One pass over all headers costs less than to look up a few of them.
    said = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in ((name.lower(), value) for name, value in response.headers.raw)
        if name.startswith(_TELLING)
    }
    about = request.extensions.get("interactor")
    # A call may name another namespace than its view's; one without ours was built by hand.
    view._limits.observe(said, view.view.namespace if about is None else about.namespace)
    log_answer(request, response, said.get("x-request-id"), began)
    if "deprecation" in said or "sunset" in said:
        from interactor_ext.deprecation import notice

        notice(response)


_TELLING = (b"x-ratelimit-", b"deprecation", b"sunset", b"x-request-id")
_READ = httpx.ByteStream(b"")


def connection_error(error: Exception, request: httpx.Request) -> APIConnectionError:
    """Our error for whatever kept a request from being answered, be it httpx's or a foreign transport's."""
    from interactor_ext._redaction import clean_text
    from interactor_ext.transports._attempts import may_have_been_sent

    what = f"{describe_request(request)} at {request.url.netloc.decode('ascii', 'replace')}"
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    if isinstance(error, httpx.PoolTimeout):
        return APITimeoutError(
            f"{what}: no connection was free within {timeouts.get('pool')} s. Nothing was sent.", sent=False
        )
    sent = not isinstance(error, httpx.TransportError) or may_have_been_sent(error)
    if isinstance(error, httpx.ConnectTimeout) and not sent:
        return APITimeoutError(
            f"{what}: no connection within {timeouts.get('connect')} s. Nothing was sent.", sent=False
        )
    if isinstance(error, httpx.TimeoutException):
        # The `read` of a stream is how long it may be silent once it has begun.
        is_stream = getattr(request.extensions.get("operation"), "stream", False)
        waited = timeouts.get("pool" if is_stream else "read")
        return APITimeoutError(f"{what}: no answer within {waited} s. The request may have arrived.")
    if isinstance(error, httpx.LocalProtocolError):
        return APIConnectionError(f"{what}: the request breaks the rules of HTTP")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        # Names are looked up in threads, and nothing else that is done before a request is sent needs one.
        return APIConnectionError(
            f"{what}: no thread could be started to look up the host. Nothing was sent. This process has as many "
            "threads as it may have: use fewer, or raise the limit (`ulimit -u`, the pids limit of a container)",
            sent=False,
        )
    text = clean_text(str(error), secrets_of(request)) or "no reason was given"
    if isinstance(error, httpx.DecodingError):
        problem = "was refused" if isinstance(error, BodyRefused) else "cannot be unpacked"
        return APIConnectionError(f"{what}: the answer {problem}: {text}")
    advice = f". Check {url_variable(request)}" if isinstance(error, httpx.ConnectError) else ""
    return APIConnectionError(f"{what}: no answer came: {text} ({type(error).__name__}){advice}", sent=sent)


def _quotable(error: Exception, request: httpx.Request) -> Exception | None:
    """The cause to be shown beneath our error: none that quotes what was sent in confidence."""
    # This one's text quotes the header that it does not like.
    if isinstance(error, httpx.LocalProtocolError):
        return None
    from interactor_ext._redaction import holds_secret

    return None if holds_secret(str(error), secrets_of(request)) else error
