"""What the recorder takes for a secret, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext.testing.masking import Place, cleaned_body, masked_body, masked_headers, masked_uri
from tests.support.linear_time import assert_linear_time

CORE = "https://core.interactor.com/api/v1"
JSON = {"content-type": "application/json"}


def sent(body: Any, path: str = "/rooms") -> Any:
    return masked_body(json.dumps(body), JSON, Place.of(CORE + path, sent=True))


def read(body: Any, path: str = "/rooms") -> Any:
    return masked_body(json.dumps(body), JSON, Place.of(CORE + path, sent=False))


@pytest.mark.parametrize(
    "name",
    ["client_secret", "access_token", "apiKey", "X-Api-Key", "dbPassword", "dsn", "private_key", "Authorization"],
)
def test_a_secret_is_known_by_its_name_at_any_depth(name: str) -> None:
    assert read({"data": [{"config": {"headers": {name: "s"}}}]}) == {
        "data": [{"config": {"headers": {name: "MASKED"}}}]
    }
    assert masked_headers({name: ["s"]}, frozenset()) == {name: ["MASKED"]}


@pytest.mark.parametrize("name", ["max_tokens", "token_type", "secret_expires_at", "current_state", "idempotency_key"])
def test_what_only_sounds_like_one_stays(name: str) -> None:
    assert read({name: "x"}) == {name: "x"}


def test_the_config_of_a_data_source_is_masked_whole_and_no_other() -> None:
    config = {"url": "https://x.test", "login": ["u", 7], "ssl": True}
    masked = {"url": "MASKED", "login": ["MASKED", "MASKED"], "ssl": True}
    assert sent({"config": config}, "/data-sources/ds_1") == {"config": masked}
    assert read({"data": [{"type": "database", "config": config}]}) == {
        "data": [{"type": "database", "config": masked}]
    }
    assert read({"config": config, "semantic_mappings": []}) == {"config": masked, "semantic_mappings": []}
    assert sent({"type": "http", "config": config}, "/workflows") == {"type": "http", "config": config}


def test_code_and_state_are_secret_where_oauth_is_spoken() -> None:
    assert sent({"code": "c", "state": "s"}, "/oauth/callback") == {"code": "MASKED", "state": "MASKED"}
    assert read({"state": "s"}, "/oauth/initiate") == {"state": "MASKED"}
    assert read({"error": {"code": "NOT_FOUND"}}, "/oauth/callback") == {"error": {"code": "NOT_FOUND"}}
    assert read({"state": "ship"}) == {"state": "ship"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://u:p@x.test/a", "http://MASKED@x.test/a"),
        ("see postgres://u:p/q@db:1/x now", "see postgres://MASKED@db:1/x now"),
        ("https://x.test/@user?a=b@c", "https://x.test/@user?a=b@c"),
        ("https://x.test/go?a=1&state=st_1&code=c_1", "https://x.test/go?a=1&state=MASKED&code=MASKED"),
        ('{"password": "p\\"q", "a": 1}', '{"password": "MASKED", "a": 1}'),
        ("Bearer abcdefghijklmnop.q", "Bearer MASKED"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.sig", "MASKED"),
        ("a state=of affairs", "a state=of affairs"),
    ],
)
def test_secrets_within_a_text(text: str, masked: str) -> None:
    assert read({"a": text}) == {"a": masked}
    assert read({"a": masked}) == {"a": masked}


def test_an_address_loses_its_user_and_the_secrets_of_its_query() -> None:
    assert masked_uri("http://u:p@x.test:8/a?b=c%20d&token=t") == "http://x.test:8/a?b=c+d&token=MASKED"
    assert masked_uri("http://x.test/a?b=c%20d") == "http://x.test/a?b=c%20d"


def test_an_event_stream_keeps_its_form() -> None:
    body = (
        'id: 1\r\ndata: {"a": "\u2028", "state": "x"}\r\n\r\n'
        'data:{"arguments": "{\\"password\\": \\"p\\"}"}\n\n: token=t\n'
    )
    clean = cleaned_body(body.encode(), {"content-type": "text/event-stream"}, Place.of(CORE, sent=False)).decode()
    assert clean == (
        'id: 1\r\ndata: {"a": "\u2028", "state": "x"}\r\n\r\n'
        'data: {"arguments": "{\\"password\\": \\"MASKED\\"}"}\n\n: token=MASKED\n'
    )


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b'{"a":  1}', b'{"a":  1}'),
        (b'{"secret": "s", "secret": null}', b'{"secret": null}'),
        (b'{"secret": "s", ', b'{"secret": "MASKED", '),
        (b'{"secret": 12, ', b'{"secret": "MASKED", '),
        (b"\xff\x00", b"\xff\x00"),
        (b"[" * 100_000, b"MASKED"),
        (b"", b""),
        (None, None),
        (object(), b"MASKED"),
    ],
)
def test_a_body_is_written_anew_only_where_it_must(body: Any, clean: Any) -> None:
    assert cleaned_body(body, JSON, Place()) == clean


def test_a_form_of_several_parts_is_masked_whole() -> None:
    assert cleaned_body(b"--x ...", {"Content-Type": ["multipart/form-data; boundary=x"]}, Place()) == b"MASKED"


@pytest.mark.parametrize("part", ["a_", "\\", '"a', "://", "token", "eyJ.", "bearer ", "a.", "postgres://", "'token"])
def test_the_time_it_takes_grows_with_the_length_alone(part: str) -> None:
    def task(size: int) -> Callable[[], object]:
        text = (part * size)[:size]
        return lambda: masked_body(text, {}, Place())

    assert_linear_time(task, 3_000)
