"""The relay as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from weakref import finalize

from interactor_ext._engine.effects import Effects, run_sync
from interactor_ext._engine.waiting.event_loop import loop_thread
from interactor_ext.relay._http import Refused, Request, Response
from interactor_ext.relay._reader import Reader
from interactor_ext.webhooks.wsgi import headers_of, read_body

_STATUS = {each.value: f"{each.value} {each.phrase}" for each in HTTPStatus}


def serve(
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    answer: Callable[[Request], Effects[Response | None]],
) -> Iterable[bytes]:
    """Handle one HTTP request. The platform's streams run in the event loop that the process keeps in a thread."""
    response = run_sync(answer(request_of(environ)))
    assert response is not None
    body = [response.body] if isinstance(response.body, bytes) else Stream(response.body)
    try:
        start_response(_STATUS[response.status], list(response.headers.items()))
    except BaseException:
        # A server only closes the iterable it received.
        if isinstance(body, Stream):
            body.close()
        raise
    return body


class Stream:
    """Blocks of events, until the server closes it, drops it, or the events end."""

    def __init__(self, blocks: Reader) -> None:
        self._blocks = blocks
        self.close = finalize(self, lambda: loop_thread.start(blocks.aclose()))
        self.close.atexit = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = loop_thread.result_of(self._blocks.next())
        if block is None:
            raise StopIteration
        return block

    def next(self) -> Future[bytes | None]:
        """Return the future of the next block, which is None at the end."""
        return loop_thread.start(self._blocks.next())


def request_of(environ: dict[str, Any]) -> Request:
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""

    def read_sent(limit: int) -> bytes:
        body = read_body(environ, limit)
        if isinstance(body, int):
            raise Refused(body)
        return body

    return Request(
        method=environ["REQUEST_METHOD"],
        scheme=environ.get("wsgi.url_scheme", "http"),
        path=environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace"),
        raw_path=raw.partition("?")[0].encode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
        headers=headers_of(environ),
        scope=environ,
        read_body=read_sent,
    )
