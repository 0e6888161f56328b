"""A provider and the platform that stores a credential for it, on real sockets, and ways to call the provider."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self

import httpx

from tests.support import patient
from tests.support.clock import Clock
from tests.support.scripted_server import Answer, Asked, OddServer, js
from tests.support.waiting import PATIENCE


class Credentials:
    """The platform's side: any credential's tokens are provider_1, provider_2, and so on, each valid for `expires_in`
    seconds of the clock. `tokens` are those that the provider accepts.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.expires_in: Any = 3600
        self.number = 1
        self.tokens = {"provider_1"}
        self.gate = threading.Event()  # while closed, no token is issued
        self.gate.set()
        self.refuses: Answer = None
        self.refuses_refresh: Answer = None
        self._ends_at = clock.now + 3600
        self._lock = threading.Lock()
        self.server = OddServer(self._answer)

    @property
    def asked(self) -> Counter[str]:
        """How many requests there were, by method and end of the path."""
        return Counter(f"{asked.method} {asked.target.rpartition('/')[2]}" for asked in self.server.calls)

    def refresh(self, *, keeps_old: bool = False) -> None:
        with self._lock:
            if not keeps_old:
                self.tokens.discard(f"provider_{self.number}")
            self.number += 1
            self.tokens.add(f"provider_{self.number}")
            self._ends_at = self.clock.now + 3600

    def _answer(self, asked: Asked) -> Answer:
        assert self.gate.wait(PATIENCE)
        if asked.method == "POST":
            if self.refuses_refresh is None:
                self.refresh()
            return self.refuses_refresh or js(200, {"data": {}})
        if self.refuses is not None:
            return self.refuses
        if self.clock.now >= self._ends_at - 30:
            self.refresh(keeps_old=True)
        fields = {} if self.expires_in is None else {"expires_in": self.expires_in}
        return js(200, {"data": {"access_token": f"provider_{self.number}", "token_type": "Bearer", **fields}})


class World:
    """The platform, the provider and somebody else's server."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.credentials = Credentials(self.clock)
        self.answer: Callable[[Asked], Answer] = self.by_token
        self.provider = OddServer(lambda asked: self.answer(asked))
        self.stranger = OddServer(lambda asked: js(401 if asked.target == "/401" else 200, {"at": "the stranger"}))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in (self.credentials.server, self.provider, self.stranger):
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.credentials.gate.set()
        self._stack.__exit__(*exc_info)

    def by_token(self, asked: Asked) -> Answer:
        """The provider's own response."""
        if asked.token in self.credentials.tokens:
            return js(200, {"body": asked.body.decode()})
        return js(401, {"error": "invalid_token"})

    @property
    def settings(self) -> dict[str, Any]:
        return self.credentials.server.settings | {"namespace": "user_1"}

    @property
    def tokens_seen(self) -> list[str]:
        """The tokens that the provider was sent, in order."""
        return [asked.token for asked in self.provider.calls]

    def auth(self, user: Any, credential_id: str = "cred_1", **options: Any) -> Any:
        """The credential's auth, with the world's clock."""
        auth = user.credential_auth(credential_id, **options)
        auth._tokens._clock = self.clock
        return auth


async def send(auth: Any, method: str, url: str, **arguments: Any) -> httpx.Response:
    """Call the provider as a user would, with an httpx client of the auth's own kind. Redirects are followed."""
    follow_redirects = arguments.pop("follow_redirects", True)
    return await follow(auth, httpx.Request(method, url, **arguments), follow_redirects=follow_redirects)


async def follow(auth: Any, request: httpx.Request, *, follow_redirects: bool = False) -> httpx.Response:
    """Send a request, such as `response.next_request`, by hand."""
    options: dict[str, Any] = {"auth": auth, "follow_redirects": follow_redirects, "timeout": PATIENCE}
    if not type(auth).__name__.startswith("Async"):
        with patient.Client(**options) as http:
            return http.send(request)
    async with patient.AsyncClient(**options) as async_http:
        return await async_http.send(request)


class _Turns(httpx.BaseTransport):
    """A connection for each request, at most 20 at a time. With hundreds of threads, httpcore's pool sometimes closes a
    connection that another thread is reading from; with hundreds of tasks it takes seconds.
    """

    def __init__(self) -> None:
        self._turns = threading.Semaphore(20)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._turns, httpx.HTTPTransport(verify=False) as transport:
            response = transport.handle_request(request)
            response.read()
            return response


class _AsyncTurns(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(20)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._turns, httpx.AsyncHTTPTransport(verify=False) as transport:
            response = await transport.handle_async_request(request)
            await response.aread()
            return response


async def send_at_once(auth: Any, number: int, url: str) -> list[Any]:
    """Make this many calls at the same time, each in its own thread or task, and return their responses or errors."""
    options: dict[str, Any] = {"auth": auth, "timeout": httpx.Timeout(PATIENCE)}
    if type(auth).__name__.startswith("Async"):
        async with httpx.AsyncClient(**options, transport=_AsyncTurns()) as async_http:
            return await asyncio.gather(*(async_http.get(url) for _ in range(number)), return_exceptions=True)
    barrier = threading.Barrier(number)

    def work() -> httpx.Response:
        barrier.wait(PATIENCE)
        return http.get(url)

    with httpx.Client(**options, transport=_Turns()) as http, ThreadPoolExecutor(number) as pool:
        calls = [pool.submit(work) for _ in range(number)]
        return [call.exception() or call.result() for call in calls]
