"""vcrpy, set so that a cassette can be committed: no secret that masking.py knows reaches the file, whatever else a
test configures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from interactor_ext.testing.masking import Place, cleaned_body, masked_body, masked_headers, masked_uri, masked_value

RECORD = "INTERACTOR_RECORD"
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "idempotency-key"})
# What differs from one recording to the next and says nothing about the format; and a body on a cassette has no coding.
LEFT_OUT = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "host", "traceparent", "user-agent"}
)

# The cassettes that this process has recorded: a second block on one of them goes on, and leaves the first one's calls.
_recorded: set[str] = set()


def recorder(folder: str | Path, **settings: Any) -> Any:
    """A `vcr.VCR` whose cassettes lie in `folder`; `settings` are further ones of vcrpy.

    It replays, and answers a call that is not on the cassette with an error. With INTERACTOR_RECORD in the environment
    it records anew; what one process records on a cassette in several blocks is all on it. Calls are told apart by
    method, address, query and JSON body, secrets aside.

    Raises ModuleNotFoundError without vcrpy.
    """
    try:
        import vcr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("cassettes need vcrpy: pip install vcrpy", name="vcr") from error
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
    """vcrpy's own, with the secrets taken out on the way to the file, behind every filter that a test may set."""

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
            # Not by loading them into the new block: it would answer from them instead of asking the server.
            before, answers, *rest = FilesystemPersister.load_cassette(path, serializer)
            requests, responses = [*before, *requests], [*answers, *responses]
            metadata = {**(rest[0] if rest else {}), **metadata}
        clean: dict[str, Any] = {
            "requests": [_clean_request(request) for request in requests],
            "responses": [_clean_response(*each) for each in zip(requests, responses, strict=True)],
        }
        if metadata:
            clean["metadata"] = masked_value(metadata, Place())
        FilesystemPersister.save_cassette(path, clean, serializer)
        _recorded.add(key)


def _clean_request(request: Any) -> Any:
    body = cleaned_body(_body_of(request), request.headers, Place.of(request.uri, sent=True))
    return type(request)(request.method, masked_uri(request.uri), body, _clean_headers(request.headers))


def _clean_response(request: Any, response: dict[str, Any]) -> dict[str, Any]:
    place = Place.of(request.uri, sent=False)
    body = {**response["body"], "string": cleaned_body(response["body"].get("string"), response["headers"], place)}
    return {**response, "headers": _clean_headers(response["headers"]), "body": body}


def _clean_headers(headers: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in headers.items() if name.lower() not in LEFT_OUT}
    return masked_headers(kept, SECRET_HEADERS)


def _body_of(request: Any) -> Any:
    body = request.body
    if hasattr(body, "read"):
        return body.read()
    return b"".join(body) if hasattr(body, "__next__") else body


def _same_uri(replayed: Any, recorded: Any) -> None:
    assert masked_uri(replayed.uri) == masked_uri(recorded.uri)


def _same_body(replayed: Any, recorded: Any) -> None:
    assert _masked_body(replayed) == _masked_body(recorded)


def _masked_body(request: Any) -> Any:
    return masked_body(_body_of(request), request.headers, Place.of(request.uri, sent=True))
