"""A relay on a real socket, and pages that talk to it the way browsers do."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from interactor_ext.relay import Relay
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.http.server import Server, listen
from interactor_ext.sse import SSEDecoder

MOUNT = "/interactor"
_COOKIE_KEY = b"the application's own key"


def cookie_for(namespace: str) -> str:
    """The session cookie of a user who has signed in."""
    return f"session={namespace}.{_signature(namespace)}"


def namespace_of(cookie: str) -> str | None:
    """The user of this session cookie; None for a forged one."""
    namespace, _, signature = cookie.removeprefix("session=").rpartition(".")
    return namespace if namespace and hmac.compare_digest(signature, _signature(namespace)) else None


def authorize(scope: Any) -> str | None:
    """For ASGI, WSGI and Django."""
    environ = getattr(scope, "META", scope)
    if "headers" in environ:
        return namespace_of(dict(environ["headers"]).get(b"cookie", b"").decode("latin-1"))
    return namespace_of(environ.get("HTTP_COOKIE", ""))


def _signature(namespace: str) -> str:
    return hmac.new(_COOKIE_KEY, namespace.encode(), "sha256").hexdigest()


class RelayServer:
    """The sandbox's uvicorn, which stops at once, in a separate thread, with one relay mounted at MOUNT."""

    def __init__(self, sandbox: Sandbox, port: int, options: dict[str, Any]) -> None:
        self._client_options = options.pop("client", {})
        self._sandbox = sandbox
        self._options = {"authorize": authorize, "drain_timeout": 0.1, **options}
        self._socket = listen("127.0.0.1", port)
        self.port: int = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = self.origin + MOUNT

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["type"] == "http"  # uvicorn tries the lifespan protocol first, and continues without it
            assert scope["path"].startswith(f"{MOUNT}/")
            await self.relay({**scope, "root_path": MOUNT}, receive, send)

        self._server = Server(app, before_shutdown=lambda: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60)

    def close_relay(self) -> None:
        """End the streams; the server continues."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self.relay.aclose(), self._loop).result(60)

    def stop(self) -> None:
        """Like a restart: the streams end, then the server."""
        self.close_relay()
        self._server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def page(self, namespace: str | None = "user_1", **headers: str) -> Page:
        return Page(self.url, self.origin, namespace, headers)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._sandbox.async_client(**self._client_options) as client:
            self.relay = Relay(client, **self._options)
            self._ready.set()
            await self._server.serve(sockets=[self._socket])


@contextmanager
def relaying(sandbox: Sandbox, *, port: int = 0, **options: Any) -> Iterator[RelayServer]:
    """A relay of this sandbox; `options` are the relay's, and `client` its client's."""
    server = RelayServer(sandbox, port, options)
    server.start()
    try:
        yield server
    finally:
        if server._thread.is_alive():
            server.stop()


class Page(httpx.Client):
    """What a page on the relay's own origin sends, with its user's session cookie."""

    def __init__(self, url: str, origin: str, namespace: str | None, headers: dict[str, str]) -> None:
        signed_in = {} if namespace is None else {"cookie": cookie_for(namespace)}
        super().__init__(base_url=url, headers={"origin": origin, **signed_in, **headers}, timeout=60)

    def say(self, room: str, content: str, **headers: str) -> httpx.Response:
        return self.post(f"/rooms/{room}/messages", json={"content": content}, headers=headers)

    def events(self, path: str, last_event_id: str | None = None) -> Events:
        headers = {} if last_event_id is None else {"last-event-id": last_event_id}
        request = self.build_request("GET", path, headers=headers)
        return Events(self.send(request, stream=True))

    def room_events(self, room: str, last_event_id: str | None = None) -> Events:
        return self.events(f"/rooms/{room}/stream", last_event_id)


class Events:
    """A stream, read the way an EventSource does: `with` closes it, iterating yields the events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.received = b""
        self._decoder = SSEDecoder()
        self._chunks = response.iter_raw()
        self._ready: list[dict[str, Any]] = []

    @property
    def last_event_id(self) -> str:
        return self._decoder.last_event_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self._ready or self.read():
            if self._ready:
                yield self._ready.pop(0)

    def next(self) -> dict[str, Any]:
        """The next event, with its id under `id`."""
        for event in self:
            return event
        raise AssertionError("the stream ended")

    def contents(self, count: int) -> list[str]:
        """The contents of this many events, all parts of replies."""
        return [self.next()["content"] for _ in range(count)]

    def until(self, event_type: str) -> list[dict[str, Any]]:
        """The events up to the first of this type."""
        events = []
        for event in self:
            events.append(event)
            if event["type"] == event_type:
                return events
        raise AssertionError(f"the stream ended before a {event_type}: {events}")

    def until_id(self) -> str:
        """The last received id, as soon as there is one, even if no event has come."""
        while not self._decoder.last_event_id:
            assert self.read(), "the stream ended"
        return self._decoder.last_event_id

    def read(self) -> bool:
        """Receive more; False at the end."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self.received += chunk
        self._ready += [{"id": event.id, **json.loads(event.data)} for event in self._decoder.feed(chunk)]
        return True


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["content"] for event in events if event["type"] == "message.delta")
