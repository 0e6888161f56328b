"""vcrpy, set so that a cassette can be committed: no secret reaches the file, whatever else a test configures."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

MASK = "MASKED"
RECORD = "INTERACTOR_RECORD"
SECRET_FIELDS = frozenset({"access_token", "client_id", "client_secret", "refresh_token", "secret", "token"})
# Elsewhere `code` is the code of an error.
SECRET_REQUEST_FIELDS = SECRET_FIELDS | {"code"}
SECRET_QUERY_FIELDS = frozenset({"token"})
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "idempotency-key"})
# What differs from one recording to the next and says nothing about the format.
VOLATILE_HEADERS = frozenset({"accept-encoding", "connection", "content-length", "host", "traceparent", "user-agent"})


def recorder(folder: str | Path, **settings: Any) -> Any:
    """A `vcr.VCR` whose cassettes lie in `folder`; `settings` are further ones of vcrpy.

    It replays, and answers a call that is not on the cassette with an error. With INTERACTOR_RECORD in the environment
    it records anew. Calls are told apart by method, address, query and JSON body, secrets aside.

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


def masked(body: bytes | str | None, secrets: frozenset[str] = SECRET_FIELDS) -> Any:
    """A JSON body with its secrets masked; what is not JSON comes back as it is, and None for an empty one."""
    if not body:
        return None
    try:
        return _masked_value(json.loads(body), secrets)
    except ValueError:
        return body


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

        clean = {
            "requests": [_clean_request(request) for request in cassette["requests"]],
            "responses": [_clean_response(response) for response in cassette["responses"]],
        }
        FilesystemPersister.save_cassette(path, clean, serializer)


def _clean_request(request: Any) -> Any:
    clean = copy.copy(request)
    clean.uri = _masked_uri(request.uri)
    clean.headers = _clean_headers(request.headers)
    clean.body = _clean_body(request.body, SECRET_REQUEST_FIELDS)
    return clean


def _clean_response(response: dict[str, Any]) -> dict[str, Any]:
    body = {**response["body"], "string": _clean_body(response["body"].get("string"), SECRET_FIELDS)}
    return {**response, "headers": _clean_headers(response["headers"]), "body": body}


def _clean_headers(headers: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in headers.items() if name.lower() not in VOLATILE_HEADERS}
    return {name: _masked_header(value) if name.lower() in SECRET_HEADERS else value for name, value in kept.items()}


def _masked_header(value: Any) -> Any:
    return [MASK for _ in value] if isinstance(value, list) else MASK


def _clean_body(body: Any, secrets: frozenset[str]) -> Any:
    clean = masked(body, secrets)
    return body if clean is None or clean is body else json.dumps(clean, ensure_ascii=False).encode()


def _masked_value(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: MASK if key in secrets else _masked_value(item, secrets) for key, item in value.items()}
    return [_masked_value(item, secrets) for item in value] if isinstance(value, list) else value


def _masked_uri(uri: str) -> str:
    parts = urlsplit(uri)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not any(name in SECRET_QUERY_FIELDS for name, _ in query):
        return uri
    clean = [(name, MASK if name in SECRET_QUERY_FIELDS else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(clean)))


def _same_uri(replayed: Any, recorded: Any) -> None:
    assert _masked_uri(replayed.uri) == _masked_uri(recorded.uri)


def _same_body(replayed: Any, recorded: Any) -> None:
    assert masked(replayed.body, SECRET_REQUEST_FIELDS) == masked(recorded.body, SECRET_REQUEST_FIELDS)
