"""Configures vcrpy for cassettes to commit: no secret that masking.py recognizes reaches the file, whatever else a
test configures. And so that event streams can be recorded, which vcrpy would read to their end before anybody else.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from interactor_ext._client import http
from interactor_ext.testing.masking import BodyMasker, masked_headers, masked_uri

RECORD = "INTERACTOR_RECORD"
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "idempotency-key"})
# Beside those of the client: headers that differ between recordings or describe the transfer. Bodies on a cassette are
# not compressed.
LEFT_OUT = frozenset({"connection", "content-encoding", "content-length", "host", "traceparent"})

# With its scheme and what stands before an `@`.
_LOCAL_SERVER = re.compile(r"(https?://(?:[^/@\s\"]*@)?)(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?![\w.:-])")
_DELIVERY = "x-interactor-signature"
# The cassettes that this process has recorded: a second block on one of them appends to it.
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
            "record_mode": "once" if recording else "none",
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
    """vcrpy's persister with secrets masked before writing, after every filter of the test."""

    def __init__(self, *, replace: bool) -> None:
        self._replace = replace

    def load_cassette(self, path: str | Path, serializer: Any) -> Any:
        from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister

        if self._replace:
            raise CassetteNotFoundError
        return FilesystemPersister.load_cassette(path, serializer)

    def save_cassette(self, path: str | Path, cassette: dict[str, Any], serializer: Any) -> None:
        from vcr.persisters.filesystem import FilesystemPersister

        requests, responses = list(cassette["requests"]), list(cassette["responses"])
        metadata = dict(cassette.get("metadata") or {})
        key = os.path.abspath(path)
        if self._replace and key in _recorded and os.path.exists(key):
            # Not loaded into the new block: it would replay them instead of calling the server.
            before, answers, *rest = FilesystemPersister.load_cassette(path, serializer)
            requests, responses = [*before, *requests], [*answers, *responses]
            metadata = {**(rest[0] if rest else {}), **metadata}
        clean: dict[str, Any] = {
            "requests": [_clean_request(request) for request in requests],
            "responses": [_clean_response(*each) for each in zip(requests, responses, strict=True)],
        }
        if metadata:
            clean["metadata"] = BodyMasker().clean(metadata)
        FilesystemPersister.save_cassette(path, clean, serializer)
        _recorded.add(key)


def _record_streams_as_they_come() -> None:
    """Patch vcrpy to record an event stream when it is closed, as it may have no end."""
    from vcr.stubs import httpx_stubs

    for name, is_async in (("vcr_handle_request", False), ("vcr_handle_async_request", True)):
        make = getattr(httpx_stubs, name)
        if not hasattr(make, "records_streams"):
            setattr(httpx_stubs, name, _recording_streams(make, is_async=is_async))
    with suppress(ImportError):  # without aiohttp
        from vcr.stubs import aiohttp_stubs

        if not hasattr(aiohttp_stubs.record_response, "records_streams"):
            aiohttp_stubs.record_response = _recording_streams_of_aiohttp(aiohttp_stubs.record_response)


def _recording_streams(make: Any, *, is_async: bool) -> Any:
    """Wrap vcrpy's factory of httpx transport handlers, so that event streams are passed on unread."""
    from vcr.errors import CannotOverwriteExistingCassetteException

    def make_handler(cassette: Any, real: Any, *rest: Any) -> Any:
        def real_unless_stream(transport: Any, request: httpx.Request) -> httpx.Response:
            return _unless_stream(real(transport, request))

        async def real_unless_stream_async(transport: Any, request: httpx.Request) -> httpx.Response:
            return _unless_stream(await real(transport, request))

        handle = make(cassette, real_unless_stream_async if is_async else real_unless_stream, *rest)

        @functools.wraps(real)
        def handle_stream(transport: Any, request: httpx.Request) -> httpx.Response:
            try:
                passed = real if _DELIVERY in request.headers else handle
                response: httpx.Response = passed(transport, request)
            except _EventStreamError as found:
                return _recorded_when_closed(cassette, request, found.response)
            except CannotOverwriteExistingCassetteException as error:
                raise _with_advice(error) from None
            return response

        @functools.wraps(real)
        async def handle_stream_async(transport: Any, request: httpx.Request) -> httpx.Response:
            try:
                passed = real if _DELIVERY in request.headers else handle
                response: httpx.Response = await passed(transport, request)
            except _EventStreamError as found:
                return _recorded_when_closed(cassette, request, found.response)
            except CannotOverwriteExistingCassetteException as error:
                raise _with_advice(error) from None
            return response

        return handle_stream_async if is_async else handle_stream

    make_handler.records_streams = True  # type: ignore[attr-defined]
    return make_handler


def _recording_streams_of_aiohttp(record_response: Any) -> Any:
    """The same for vcrpy's function that records a response of aiohttp, which `AiohttpTransport` has below it."""

    @functools.wraps(record_response)
    async def record_or_wait(cassette: Any, request: Any, response: Any) -> None:
        if not _is_event_stream(response.headers):
            await record_response(cassette, request, response)
            return
        headers = {str(name): response.headers.getall(name) for name in response.headers}
        status = {"code": response.status, "message": response.reason}
        response.content = _RecordedContent(response.content)

        def record() -> None:
            body = {"string": b"".join(response.content.chunks)}
            cassette.append(request, {"status": status, "headers": headers, "body": body})

        once = functools.cache(record)
        for name in ("close", "release"):
            setattr(response, name, functools.partial(_after, once, getattr(response, name)))

    record_or_wait.records_streams = True  # type: ignore[attr-defined]
    return record_or_wait


def _after(first: Callable[[], object], then: Callable[[], Any]) -> Any:
    first()
    return then()


class _RecordedContent:
    """The content of a response of aiohttp, which keeps what was read by `iter_chunked`, as httpx-aiohttp reads it."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.chunks: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._content.iter_chunked(size):
            self.chunks.append(chunk)
            yield chunk


def _with_advice(error: Any) -> Any:
    """vcrpy's error for a request that is not on the cassette, with what to do: its own names settings of vcrpy."""
    path, request = error.cassette._path, error.failed_request
    lacks = f"{path} has no unused response for" if os.path.exists(path) else f"There is no cassette {path} for"
    with_headers = any(each.__name__ == "headers" for each in error.cassette._match_on)
    nearest = _nearest(_parts(request, with_headers), [_parts(each, with_headers) for each in error.cassette.requests])
    advice = f"If the request is right, run this test once with {RECORD}=1, which records it again"
    error.args = (f"{lacks} {request.method} {_clean_uri(request.uri)}.{nearest} {advice}",)
    return error


def _parts(request: Any, with_headers: bool) -> dict[str, Any]:
    """What a request is compared by, by name; secrets are masked."""
    url = urlsplit(_clean_uri(request.uri))
    parts = {"method": request.method, "server": url.netloc, "path": url.path}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        parts[f"query parameter {name}"] = value
    if with_headers:
        headers = masked_headers(dict(request.headers), SECRET_HEADERS)
        parts |= {f"header {name.lower()}": value for name, value in headers.items()}
    return {**parts, **_flat("body", json.loads(_masked_body(request)))}


def _flat(name: str, value: Any) -> dict[str, Any]:
    """The values in a JSON value, by their paths."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    flat = {key: each for part, inner in items for key, each in _flat(f"{name}.{part}", inner).items()}
    return flat or {name: value}


def _nearest(request: dict[str, Any], recorded: list[dict[str, Any]]) -> str:
    """How the recorded request that is most like this one differs from it."""

    def differing(other: dict[str, Any]) -> list[str]:
        return [name for name in {**request, **other} if request.get(name, _ABSENT) != other.get(name, _ABSENT)]

    def distance(other: dict[str, Any]) -> tuple[int, int]:
        names = differing(other)
        segments = set(request["path"].split("/")) ^ set(other["path"].split("/"))
        return len({"method", "server"} & set(names)) + len(segments), len(names)

    if not recorded:
        return ""
    nearest = min(recorded, key=distance)
    if not (names := differing(nearest)):
        return " All recorded ones have been used: the test made fewer requests when it was recorded."
    values = [tuple(f"{each.get(name, _ABSENT)!r:.80}" for each in (request, nearest)) for name in names[:_MOST_SHOWN]]
    shown = [f"the {name} is {new}, recorded is {old}" for name, (new, old) in zip(names, values, strict=False)]
    more = f"; and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f" The closest recorded request differs: {'; '.join(shown)}{more}."


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()
_MOST_SHOWN = 5


class _EventStreamError(Exception):
    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


def _unless_stream(response: httpx.Response) -> httpx.Response:
    if _is_event_stream(response.headers):
        raise _EventStreamError(response)
    return response


def _is_event_stream(headers: Any) -> bool:
    return bool(headers.get("content-type", "").startswith("text/event-stream"))


def _recorded_when_closed(cassette: Any, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    from vcr.request import Request

    chunks: list[bytes] = []
    headers = {name: response.headers.get_list(name) for name in response.headers}
    status = {"code": response.status_code, "message": response.reason_phrase}

    def record() -> None:
        body = {"string": b"".join(chunks)}
        asked = Request(request.method, str(request.url), b"", request.headers)
        cassette.append(asked, {"status": status, "headers": headers, "body": body})

    response.stream = _Recorded(response.stream, chunks, record)
    return response


class _Recorded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A byte stream, sync or async, that records what was read once it is closed."""

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
    body = BodyMasker(request.uri).cleaned(_body_of(request), request.headers)
    return type(request)(request.method, _clean_uri(request.uri), body, _clean_headers(request.headers))


def _clean_response(request: Any, response: dict[str, Any]) -> dict[str, Any]:
    clean = BodyMasker(request.uri, is_sent=False).cleaned(response["body"].get("string"), response["headers"])
    body = {**response["body"], "string": clean}
    return {**response, "headers": _clean_headers(response["headers"]), "body": body}


def _clean_headers(headers: dict[str, Any]) -> dict[str, Any]:
    left_out = LEFT_OUT | {name.lower() for name in http.headers_of_client()}
    kept = {name: value for name, value in headers.items() if name.lower() not in left_out}
    return masked_headers(kept, SECRET_HEADERS)


def _body_of(request: Any) -> Any:
    body = request.body
    if hasattr(body, "read"):
        return body.read()
    return b"".join(body) if hasattr(body, "__next__") else body


def _same_uri(replayed: Any, recorded: Any) -> None:
    assert _clean_uri(replayed.uri) == _clean_uri(recorded.uri)


def _same_body(replayed: Any, recorded: Any) -> None:
    assert _masked_body(replayed) == _masked_body(recorded)


def _clean_uri(uri: str) -> str:
    return _LOCAL_SERVER.sub(r"\1localhost", masked_uri(uri))


def _masked_body(request: Any) -> Any:
    body = BodyMasker(request.uri).masked(_body_of(request), request.headers)
    return _LOCAL_SERVER.sub(r"\1localhost", json.dumps(body, sort_keys=True, default=repr))
