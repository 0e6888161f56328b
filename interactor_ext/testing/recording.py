"""Configures vcrpy for cassettes to commit: no secret that masking.py recognizes reaches the file, whatever else a test
configures. Also makes event streams recordable, which vcrpy would read to their end before passing them on.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import httpx

from interactor_ext._engine.redaction import clean_text
from interactor_ext._interactor.views import http
from interactor_ext.testing.masking import BodyMasker, masked_headers, masked_text

RECORD = "INTERACTOR_RECORD"
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "idempotency-key"})
# Besides the client's own: headers that differ between recordings or describe the transfer. Bodies on a cassette aren't
# compressed.
LEFT_OUT = frozenset({"connection", "content-encoding", "content-length", "host", "traceparent"})

# With its scheme, and the user before an `@`.
_LOCAL_SERVER = re.compile(r"(https?://(?:[^/@\s\"]*@)?)(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?![\w.:-])")
_DELIVERY = "x-interactor-signature"
# The cassettes that this process has recorded: a second block with one of them appends to it.
_recorded: set[str] = set()


def recorder(folder: str | Path, **settings: Any) -> Any:
    """A `vcr.VCR` with cassettes in `folder`; `settings` are further settings of vcrpy.

    It replays, and raises an error for a call that isn't on the cassette. With INTERACTOR_RECORD in the environment it
    records again; several blocks of one process append to a cassette. Calls are matched by method, URL, query and JSON
    body, with secrets masked. Servers on this machine, such as a sandbox, appear as `localhost` without a port, because
    their port changes from run to run. Webhook deliveries of a sandbox are neither recorded nor replayed.

    Raises ImportError without vcrpy 9.0 or newer.
    """
    try:
        import vcr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Cassettes need vcrpy: pip install vcrpy", name="vcr") from error
    if int(vcr.__version__.partition(".")[0]) < 9:
        raise ImportError(f"Cassettes need vcrpy 9 or newer, not {vcr.__version__}", name="vcr")
    _record_streams_as_they_come()
    recording = is_recording()
    made: Any = vcr.VCR(
        **{
            "cassette_library_dir": str(folder),
            "path_transformer": vcr.VCR.ensure_suffix(".yaml"),
            "record_mode": "all" if recording else "none",
            "decode_compressed_response": True,
            **settings,
        }
    )
    made.register_persister(_Persister(replace=recording))
    made.register_matcher("masked_uri", _same_uri)
    made.register_matcher("masked_body", _same_body)
    made.match_on = settings.get("match_on", ["method", "masked_uri", "masked_body"])
    return made


def is_recording() -> bool:
    return bool(os.environ.get(RECORD))


class _Persister:
    """vcrpy's persister, which masks secrets before writing, after all filters of the test."""

    def __init__(self, *, replace: bool) -> None:
        self._replace = replace

    def load_cassette(self, path: str | Path, serializer: Any) -> Any:
        from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister

        if self._replace and os.path.abspath(path) not in _recorded:
            raise CassetteNotFoundError
        return FilesystemPersister.load_cassette(path, serializer)

    def save_cassette(self, path: str | Path, cassette: dict[str, Any], serializer: Any) -> None:
        from vcr.persisters.filesystem import FilesystemPersister

        pairs = list(zip(cassette["requests"], cassette["responses"], strict=True))
        clean = {
            **cassette,
            "requests": [_clean_request(request) for request, _ in pairs],
            "responses": [_clean_response(*pair) for pair in pairs],
        }
        FilesystemPersister.save_cassette(path, clean, serializer)
        _recorded.add(os.path.abspath(path))


def _record_streams_as_they_come() -> None:
    """Patch vcrpy to record an event stream when it is closed, because it may have no end."""
    from vcr.stubs import httpx_stubs

    for name, is_async in (("vcr_handle_request", False), ("vcr_handle_async_request", True)):
        make = getattr(httpx_stubs, name)
        if not hasattr(make, "records_streams"):
            setattr(httpx_stubs, name, _recording_streams(make, is_async=is_async))
    httpx_stubs.CannotOverwriteExistingCassetteException = _not_on_cassette


def _recording_streams(make: Any, *, is_async: bool) -> Any:
    """Wrap vcrpy's factory of httpx transport handlers, to pass event streams on unread."""

    def make_handler(cassette: Any, real: Any, *rest: Any) -> Any:
        handle = make(cassette, real, *rest)

        def is_new_stream(request: httpx.Request) -> bool:
            # The event streams that the SDK opens. Others, such as MCP's, have a body and end by themselves, so vcrpy
            # can record them.
            is_stream = request.method == "GET" and request.headers.get("accept") == "text/event-stream"
            return is_stream and not (cassette.write_protected or cassette.can_play_response_for(_asked(request)))

        @functools.wraps(real)
        def handle_stream(transport: Any, request: httpx.Request) -> Any:
            if is_new_stream(request):
                return _recorded_when_closed(cassette, request, real(transport, request))
            return (real if _DELIVERY in request.headers else handle)(transport, request)

        @functools.wraps(real)
        async def handle_stream_async(transport: Any, request: httpx.Request) -> Any:
            if is_new_stream(request):
                return _recorded_when_closed(cassette, request, await real(transport, request))
            return await (real if _DELIVERY in request.headers else handle)(transport, request)

        return handle_stream_async if is_async else handle_stream

    make_handler.records_streams = True  # type: ignore[attr-defined]
    return make_handler


def _not_on_cassette(cassette: Any, failed_request: Any) -> Exception:
    """Make vcrpy's error for a request that isn't on the cassette, with advice. vcrpy's own names its settings."""
    from vcr.errors import CannotOverwriteExistingCassetteException

    path, uri = cassette._path, _clean_uri(failed_request.uri)
    lacks = f"{path} has no unused response for" if os.path.exists(path) else f"There is no cassette {path} for"
    nearest = ""
    if similar := cassette.find_requests_with_most_matches(failed_request):
        differences = max(similar, key=lambda each: SequenceMatcher(None, each[0].uri, uri).ratio())[-1]
        told = clean_text("; ".join(f"{name.removeprefix('_same_')}: {words}" for name, words in differences))
        nearest = f" The closest recorded request differs: {told}." if differences else _ALL_USED
    advice = f"If the request is right, run this test once with {RECORD}=1, which records it again"
    error: Exception = CannotOverwriteExistingCassetteException(cassette=cassette, failed_request=failed_request)
    error.args = (f"{lacks} {failed_request.method} {uri}.{nearest} {advice}",)
    return error


_ALL_USED = " All recorded ones have been used: the test made fewer requests when it was recorded."


def _asked(request: httpx.Request) -> Any:
    from vcr.request import Request

    return Request(request.method, str(request.url), b"", request.headers)


def _recorded_when_closed(cassette: Any, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    chunks: list[bytes] = []
    headers = {name: response.headers.get_list(name) for name in response.headers}
    status = {"code": response.status_code, "message": response.reason_phrase}

    def record() -> None:
        body = {"string": b"".join(chunks)}
        cassette.append(_asked(request), {"status": status, "headers": headers, "body": body})

    response.stream = _Recorded(response.stream, chunks, record)
    return response


class _Recorded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A byte stream, sync or async, that records the bytes read when it is closed."""

    def __init__(self, inner: Any, chunks: list[bytes], record: Callable[[], None]) -> None:
        self._inner = inner
        self._chunks = chunks
        self._record = functools.cache(record)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._chunks.append(chunk)
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._chunks.append(chunk)
            yield chunk

    def close(self) -> None:
        self._record()
        self._inner.close()

    async def aclose(self) -> None:
        self._record()
        await self._inner.aclose()


def _clean_request(request: Any) -> Any:
    body = BodyMasker(request.uri).cleaned(request.body, request.headers)
    return type(request)(request.method, _clean_uri(request.uri), body, _clean_headers(request.headers))


def _clean_response(request: Any, response: dict[str, Any]) -> dict[str, Any]:
    clean = BodyMasker(request.uri, is_sent=False).cleaned(response["body"].get("string"), response["headers"])
    body = {**response["body"], "string": clean}
    return {**response, "headers": _clean_headers(response["headers"]), "body": body}


def _clean_headers(headers: dict[str, Any]) -> dict[str, Any]:
    left_out = LEFT_OUT | {name.lower() for name in http.headers_of_client()}
    kept = {name: value for name, value in headers.items() if name.lower() not in left_out}
    return masked_headers(kept, SECRET_HEADERS)


def _same_uri(replayed: Any, recorded: Any) -> None:
    _require_same(_clean_uri(replayed.uri), _clean_uri(recorded.uri))


def _same_body(replayed: Any, recorded: Any) -> None:
    _require_same(_masked_body(replayed), _masked_body(recorded))


def _require_same(new: str, old: str) -> None:
    assert new == old, f"{new:.200}, recorded is {old:.200}"


def _clean_uri(uri: str) -> str:
    return _LOCAL_SERVER.sub(r"\1localhost", masked_text(uri))


def _masked_body(request: Any) -> str:
    body = BodyMasker(request.uri).masked(request.body, request.headers)
    return _LOCAL_SERVER.sub(r"\1localhost", json.dumps(body, sort_keys=True, default=repr))
