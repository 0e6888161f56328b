"""Calls to a provider with a user's credential: auth for httpx, httpx2 and requests, which manages its token."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import httpx

from interactor_client.api.credentials import get_credential_token, refresh_credential
from interactor_ext._engine.call import Call
from interactor_ext._engine.errors import APIStatusError, ConfigurationError, CredentialExpiredError
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.lazy import LazyModule
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.responses.status_error import status_error
from interactor_ext._engine.waiting import Closing, require_asyncio
from interactor_ext._interactor.config.checks import is_loopback, require, url_problem
from interactor_ext._interactor.tokens import Token
from interactor_ext._interactor.tokens.auth import AsyncBearerAuth, BearerAuth, TokenPlan, bearer, token_from
from interactor_ext._interactor.tokens.cache import AsyncTokenCache, TokenCache
from interactor_ext._interactor.views import httpx2_auth
from interactor_ext._interactor.views.shared_state import AsyncSharedState, SharedState, fetch_with, fetch_with_async
from interactor_ext._interactor.views.view import OfOneProcess, View

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = LazyModule("httpx2")

C = TypeVar("C", bound=TokenCache | AsyncTokenCache)
Origin = tuple[str, bytes, int | None]

# A token is replaced this many seconds before its expiry, because the platform may return one with as little left.
_BUFFER = 60.0
# How many credentials' tokens a client keeps; then it forgets the least recently used one.
_MAX_CREDENTIALS = 1_000


class _Credential(Generic[C]):
    """A credential: its tokens, and how to request them from the platform."""

    def __init__(self, namespace: str | None, credential_id: str, tokens: C) -> None:
        self.namespace = namespace
        self.id = credential_id
        self.tokens = tokens
        self._refused: str | None = None
        self._last: tuple[str, ...] = ()

    def __repr__(self) -> str:
        owner = "" if self.namespace is None else f", namespace={self.namespace!r}"
        return f"credential_id={self.id!r}{owner}"

    def refuse(self, token: Token) -> None:
        """The provider has refused a token. If the platform returns the same one again, it is told to refresh it."""
        self._refused = token.access_token

    def plan(self) -> TokenPlan:
        try:
            token = yield from self._get()
            # Once per refusal, which may have had another reason: a token that can't be refreshed may still be good.
            refused, self._refused = self._refused, None
            if token.access_token == refused:
                response = yield from self._send(refresh_credential._get_kwargs(self.id))
                if not response.is_success:
                    raise status_error(response)
                token = yield from self._get()
        except APIStatusError as error:
            if error.code != "REFRESH_FAILED":
                raise
            raise self._expired(error) from error
        return token

    def _get(self) -> TokenPlan:
        asked_at = time.time()
        response = yield from self._send(get_credential_token._get_kwargs(self.id))
        token = token_from(response, asked_at, "CredentialToken")
        self._last = (token.access_token,)
        return token

    def _send(self, request: dict[str, Any]) -> Generator[dict[str, Any], httpx.Response, httpx.Response]:
        response = yield request
        # No error quotes the token that the platform returned earlier.
        Call.of(response.request).secrets += self._last
        return response

    def _expired(self, error: APIStatusError) -> CredentialExpiredError:
        owner = "" if self.namespace is None else f" of namespace {self.namespace!r}"
        return CredentialExpiredError(
            f"The credential {self.id}{owner} can no longer be used. {error}",
            credential_id=self.id,
            namespace=self.namespace,
            code=error.code,
            status=error.status,
            details=error.details,
            request_id=error.request_id,
            headers=error.headers,
        )


class _Destinations:
    """Where a credential's token may be sent: to `hosts`, or to the origin of the first request."""

    def __init__(self, credential_id: str, hosts: Iterable[str] | str | None, closing: Closing) -> None:
        self._what = f"The token of credential {credential_id}"
        self._closing = closing
        self._lock = fork_safe_lock()
        self._allowed = None if hosts is None else _origins([hosts] if isinstance(hosts, str) else hosts)

    def admits(self, request: httpx.Request) -> bool:
        """Raise ConfigurationError for a request that must not carry the token."""
        # A redirect that is followed by hand, `client.send(response.next_request)`; httpx itself calls the auth once.
        if Call.of(request).token is not None and self._allowed is None:
            raise ConfigurationError(
                f"{self._what} is for the host of the first call, but this request was already sent once and "
                "may have been redirected elsewhere. Name the provider's hosts in credential_auth(..., "
                "hosts=[...])."
            )
        require(self._problem(request.url))
        return True

    def check(self, url: httpx.URL | str) -> None:
        try:
            if "\\" in str(url):  # some clients take "https://a\\@b" for a URL of a, others of b
                raise httpx.InvalidURL("it has a backslash")
            problem = self._problem(httpx.URL(url))
        except (httpx.InvalidURL, UnicodeError) as error:
            problem = f"{self._what} was requested for an invalid URL: {error}"
        require(problem)

    def _problem(self, url: httpx.URL) -> str | None:
        self._closing.check()
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if not url.host:
            return f"{self._what} needs the host of the call: give the client a base_url, or call an absolute URL."
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.raw_host.decode("ascii"))):
            return f"{self._what} is only sent over https, or over http to this machine, but not to {origin}."
        with self._lock:
            if self._allowed is None:
                self._allowed = frozenset({_origin(url)})
        if _origin(url) in self._allowed:
            return None
        return (
            f"{self._what} isn't for {origin}. If that is the provider's host, add it to "
            "credential_auth(..., hosts=[...]); if not, make this call without the auth."
        )


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host, url.port


def _origins(hosts: Iterable[str]) -> frozenset[Origin]:
    """The origins of a host with or without a port, or of a URL. Whether http may be used is decided for each
    request."""
    origins: set[Origin] = set()
    for host in hosts:
        urls = [host] if "://" in str(host) else [f"https://{host}", f"http://{host}"]
        for each in urls:
            if not isinstance(host, str) or url_problem("hosts", each) or "*" in host or httpx.URL(each).path != "/":
                raise ConfigurationError(
                    f"hosts contains {clean_text(repr(host))}, which isn't a host name. Write names such as "
                    "'www.googleapis.com' in full, with the port if it isn't 443."
                )
            origins.add(_origin(httpx.URL(each)))
    if not origins:
        raise ConfigurationError(
            "hosts is empty: name the provider's hosts, or leave it out to use the host of the first call."
        )
    return frozenset(origins)


def _credential(
    shared: SharedState | AsyncSharedState, namespace: str | None, credential_id: str, tokens: Callable[..., C]
) -> _Credential[C]:
    """Return the credential, one for all views of a client."""
    get_credential_token._get_kwargs(credential_id)  # raises ValueError now rather than in a call to the provider
    known: dict[tuple[str | None, str], _Credential[C]] = shared.credentials
    key = namespace, credential_id
    with shared.credential_lock:
        known[key] = found = known.pop(key, None) or _Credential(*key, tokens(None, buffer=_BUFFER))
        if len(known) > _MAX_CREDENTIALS:
            del known[next(iter(known))]
    return found


def _for_token_request(view: View) -> View:
    """Return the view with the client's deadline, because callers that wait for the token have their own. The view's
    idempotency key is left out, because it belongs to the user's own calls.
    """
    return view._replace(deadline=view.config.deadline, idempotency_key=None)


class _BaseAuth(OfOneProcess, httpx.Auth):
    """What both auths have in common."""

    _credential: _Credential[Any]
    _tokens: Any

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._credential})"

    def _reject(self, token: Token) -> None:
        self._credential.refuse(token)
        self._tokens.reject(token)

    def httpx2_auth(self) -> httpx2.Auth:
        """The same auth for httpx2's client of the same kind. Raises ImportError if httpx2 isn't installed."""
        return httpx2_auth.Httpx2Auth(self)


class CredentialAuth(_BaseAuth, BearerAuth):
    """Auth for a provider's httpx.Client, returned by `InteractorClient.credential_auth`."""

    def __init__(self, shared: SharedState, view: View, credential_id: str, hosts: Iterable[str] | str | None) -> None:
        self._view = view
        self._destinations = _Destinations(credential_id, hosts, shared.transport.closing)
        self._credential = credential = _credential(shared, view.namespace, credential_id, TokenCache)
        fetch = fetch_with(shared.open(_for_token_request(view)).http, credential.plan)
        super().__init__(credential.tokens, self._destinations.admits, lambda request: view.ends_at(), fetch)

    def headers(self, url: httpx.URL | str, *, refused: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers for a call to this URL without httpx. They contain the token: keep them out of logs.

        `refused`: headers that the provider rejected with 401, to get new ones. Raises the same errors as such calls.
        """
        self._destinations.check(url)
        if refused is not None:
            self._reject(_token_of(refused))
        return _headers(self._tokens.get(self._view.ends_at(), self._fetch))

    def requests_auth(self) -> Callable[[Any], Any]:
        """The same auth for `requests`: `requests.get(url, auth=...)`, `session.auth = ...`."""
        return _RequestsAuth(self)

    def async_auth_flow(self, request: httpx.Request) -> NoReturn:
        """Raises ConfigurationError: this auth is for `httpx.Client`."""
        raise ConfigurationError(
            "This auth belongs to an InteractorClient. httpx.AsyncClient needs one from an AsyncInteractorClient."
        )


class AsyncCredentialAuth(_BaseAuth, AsyncBearerAuth):
    """Auth for a provider's httpx.AsyncClient, returned by `AsyncInteractorClient.credential_auth`."""

    def __init__(
        self, shared: AsyncSharedState, view: View, credential_id: str, hosts: Iterable[str] | str | None
    ) -> None:
        self._view = view
        self._destinations = destinations = _Destinations(credential_id, hosts, shared.transport.closing)
        self._credential = credential = _credential(shared, view.namespace, credential_id, AsyncTokenCache)
        fetch = fetch_with_async(shared.open(_for_token_request(view)).http, credential.plan)

        def wants_token(request: httpx.Request) -> bool:
            require_asyncio()
            return destinations.admits(request)

        super().__init__(credential.tokens, wants_token, lambda request: view.ends_at(), fetch)

    async def headers(self, url: httpx.URL | str, *, refused: Mapping[str, str] | None = None) -> dict[str, str]:
        """Like `CredentialAuth.headers`, for aiohttp and others."""
        require_asyncio()
        self._destinations.check(url)
        if refused is not None:
            self._reject(_token_of(refused))
        return _headers(await self._tokens.get(self._view.ends_at(), self._fetch))

    def sync_auth_flow(self, request: httpx.Request) -> NoReturn:
        """Raises ConfigurationError: this auth is for `httpx.AsyncClient`."""
        raise ConfigurationError(
            "This auth belongs to an AsyncInteractorClient. httpx.Client needs one from an InteractorClient."
        )


class _RequestsAuth:
    """The auth of `requests`, which removes the header if a redirect leads to another origin."""

    def __init__(self, auth: CredentialAuth) -> None:
        self._auth = auth

    def __repr__(self) -> str:
        return repr(self._auth)

    def __call__(self, request: Any) -> Any:
        headers = self._auth.headers(request.url)
        request.headers.update(headers)
        request.register_hook("response", partial(self._replay, headers))
        return request

    def _replay(self, signed: dict[str, str], response: Any, **options: Any) -> Any:
        """Repeat the request of a 401 with a new token, and return the response."""
        request = response.request
        if response.status_code != 401 or request.headers.get("Authorization") != signed["Authorization"]:
            return response
        if not isinstance(request.body, bytes | str | None):  # consumed: only the next call gets a new token
            self._auth._reject(_token_of(signed))
            self._auth._tokens.replayed(refused=True)
            return response
        response.content  # noqa: B018 - an unread body would keep its connection
        response.close()
        again = request.copy()
        again.headers.update(self._auth.headers(request.url, refused=signed))
        answer = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        self._auth._tokens.replayed(refused=answer.status_code == 401)
        return answer


def _headers(token: Token) -> dict[str, str]:
    return {"Authorization": bearer(token)}


def _token_of(headers: Mapping[str, str]) -> Token:
    return Token(headers.get("Authorization", "").removeprefix("Bearer "), 0.0, 0.0)
