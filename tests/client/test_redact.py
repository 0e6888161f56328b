"""Masking of secrets in records and errors, in every notation, and in linear time."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import structlog

from interactor_ext import InteractorClient, ValidationError
from interactor_ext.logs import RedactingFilter
from tests.support.linear_time import assert_linear_time
from tests.support.pages import DOCS, blocks
from tests.support.scripted_server import OddServer, js
from tests.support.wire import Wire

SECRET = "hunter2hunter2"
Point = namedtuple("Point", "x y")


def passed(message: Any, *args: Any, secrets: tuple[str, ...] = (SECRET,), **extra: Any) -> logging.LogRecord:
    record = logging.Logger("app").makeRecord("app", logging.INFO, "f.py", 1, message, args, None, extra=extra)
    assert RedactingFilter(secrets).filter(record)
    return record


def quoted(message: str, *, secret: str = SECRET) -> str:
    """What an error quotes of a server that says this."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"error": {"code": "X", "message": message}})

    settings = {**Wire(answer).settings, "client_secret": secret}
    with InteractorClient(**settings) as client, pytest.raises(ValidationError) as caught:
        client.rooms.list()
    return str(caught.value).partition(" (")[0]


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ((SECRET,), ("***",)),
        ({SECRET}, {"***"}),
        (frozenset({SECRET}), frozenset({"***"})),
        (SECRET.encode(), b"***"),
        (b"\xff " + SECRET.encode(), b"\xff ***"),
        ({"a": (SECRET, [SECRET.encode()])}, {"a": ("***", [b"***"])}),
        ({"token": b"opaque"}, {"token": "***"}),
        ({b"token": b"opaque"}, {b"token": "***"}),
        ({"password": ["opaque"], "token": None}, {"password": "***", "token": None}),
        ({(SECRET, 1): 5}, {"('***', 1)": 5}),
        (("x-api-key", "opaque"), ("x-api-key", "***")),
        ([["token", {"value": "opaque"}], ["X", "1"]], [["token", "***"], ["X", "1"]]),
        (httpx.Headers({"X-Api-Key": "opaque", "X": "1"}), {"x-api-key": "***", "x": "1"}),
        (httpx.Headers({"Cookie": "opaque", "X": "1"}).multi_items(), [("cookie", "***"), ("x", "1")]),
        (httpx.Headers({"Authorization": "opaque"}).raw, [(b"Authorization", "***")]),
        (ValueError(SECRET), "***"),
    ],
)
def test_secret_in_any_notation_is_masked(value: Any, cleaned: Any) -> None:
    assert vars(passed("m", x=value))["x"] == cleaned
    for record in (passed("%s", value), passed("%(value)s", {"value": value}), passed([value])):
        assert SECRET not in record.getMessage()
        assert "opaque" not in record.getMessage()


def test_extra_field_named_like_a_secret_is_masked() -> None:
    record = vars(passed("m", token="opaque", client_secret=["opaque"], password=None, name_of="opaque"))
    named = [record[name] for name in ("token", "client_secret", "password", "name_of")]
    assert named == ["***", "***", None, "opaque"]


def test_secrets_with_a_common_prefix_are_masked_whole() -> None:
    assert passed("v=abcd1234efgh5678", secrets=("abcd1234", "abcd1234efgh5678")).getMessage() == "v=***"


def test_secret_of_several_lines_is_masked() -> None:
    key = 'line 1 of "it"\nline 2'
    assert passed("pem: %s!", key, secrets=(key,)).getMessage() == "pem: ***!"
    assert passed(f"{[key]} {json.dumps([key])}", secrets=(key,)).getMessage() == """['***'] ["***"]"""


def test_record_without_secret_stays_unchanged() -> None:
    text = "\ta  b\r\n\x1b[31m" + "x" * 20_000 + "\n"
    headers, point, wide = httpx.Headers({"X": "1"}), Point(1, "b"), list(range(500))
    record = passed(text, text=text, headers=headers, point=point, wide=wide, n=5)
    assert record.getMessage() == text
    about = vars(record)
    assert about["text"] == text
    assert [about[name] for name in ("headers", "point", "wide")] == [headers, point, wide]
    assert about["headers"] is headers
    assert about["point"] is point
    assert passed("%s %s %d", "token", "expired", 5).getMessage() == "token expired 5"
    assert passed({"event": "e", "token": "opaque"}).msg == {"event": "e", "token": "***"}


def test_redacting_filter_masks_tracebacks_as_a_processor_of_structlog() -> None:
    redact = RedactingFilter([SECRET])
    record = logging.makeLogRecord({"msg": "m", "exc_info": (ValueError, ValueError(SECRET), None)})
    assert redact.filter(record)
    processors = [structlog.processors.format_exc_info, redact, structlog.processors.KeyValueRenderer()]
    line = structlog.stdlib.ProcessorFormatter(processors=processors).format(record)
    assert "exception='ValueError: ***'" in line


FAILS = """
import logging
password = "letmein-please"
try:
    raise ValueError("client_secret=hunter2hunter2")
except ValueError:
    logging.getLogger("interactor.webhooks").exception("A handler failed")
sentry_sdk.flush(60)
"""


@pytest.mark.full
def test_events_of_sentry_are_masked_as_the_page_says() -> None:
    pytest.importorskip("sentry_sdk", reason="needs: pip install sentry-sdk")
    (recipe,) = (block.code for block in blocks(DOCS / "how-to" / "logs.md") if "sentry_sdk.init" in block.code)
    with OddServer(lambda _: js(200, {})) as sentry:
        script = "from interactor_ext.logs import RedactingFilter\n" + recipe + FAILS
        environment = {**os.environ, "SENTRY_DSN": sentry.url.replace("://", "://key@") + "/1"}
        subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)
        received = b"".join(gzip.decompress(call.body) for call in sentry.calls).decode()
    assert "A handler failed" in received
    assert '"client_secret=***"' in received
    assert "hunter2" not in received
    assert "letmein" not in received


def test_masked_json_line_stays_valid_json() -> None:
    line = {"a": "b\tc", "text": "x" * 5000, "password": None, "client_secret": ["opaque"], "access_token": "opaque"}
    shown = json.loads(passed(json.dumps(line)).getMessage())
    assert shown == {**line, "client_secret": "***", "access_token": "***"}


def test_object_that_cannot_be_inspected_is_masked_without_error() -> None:
    class Odd(dict[str, str]):
        def items(self) -> Any:
            raise RuntimeError

    knot: dict[str, Any] = {"children": []}
    knot["children"] = [{"parent": knot, "name": SECRET} for _ in range(200)]
    record = vars(passed("m", odd=Odd(a=SECRET), knot=knot))
    assert record["odd"] == "***"
    assert record["knot"]["children"][199] == {"parent": "…", "name": "***"}


TEXTS = {
    "eyJhbGci.eyJzdWIi.sig": "***",
    "session-eyJhbGci.eyJzdWIi.sig, a.b": "session-***, a.b",
    "a.b.eyJhbGci.eyJzdWIi.": "a.b.***",
    "secret=foo(token:'8f3a61c9'": "secret=***'***'",
    "token=" + "a" * 50 + "1": "token=***",
    "password=bob, dbPassword: bob": "password=***, dbPassword: ***",
    "password=>bob, 'password' => 'bob'": "password=>***, 'password' => '***'",
    "{'password': b'opaque', 'api_key': ('opaque',)}": "{'password': b'***', 'api_key': '***'}",
    "secret: ['8f3a61c9']": 'secret: "***"',
    "Basic dXNlcjpwYXNz": "Basic ***",
    "Authorization: Bearer tok_1": "Authorization: Bearer ***",
    "at http://user:p#a/s?s@proxy.test:3128!": "at http://***@proxy.test:3128!",
    "redis://:hunter2@h:6379/0 and https://token@h/x": "redis://***@h:6379/0 and https://***@h/x",
    "see postgres://u:p/q@db:1/x now": "see postgres://***@db:1/x now",
    "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- it was": "*** it was",
    "sk-proj-Ab3dEf6hIj9, AKIAIOSFODNN7EXAMPLE, xoxb-17653672481-aBc": "***, ***, ***",
    "GET https://b.s3.test/k?X-Amz-Signature=ab%2F&x=1": "GET https://b.s3.test/k?X-Amz-Signature=***&x=1",
}


def test_text_that_looks_like_a_secret_is_masked() -> None:
    assert {text: passed(text).getMessage() for text in TEXTS} == TEXTS
    assert [text for text in TEXTS.values() if passed(text).getMessage() != text] == []


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication is required, not a bearer token",
        "The token has expired; the client secret is wrong; password: too short; token: malformed",
        "This is Bearer-only, see RFC 6750; a basic plan of 2024",
        'WWW-Authenticate: Basic realm="x", Bearer error="invalid_request"',
        'HTTP Request: POST https://x.test/oauth/token "HTTP/1.1 200 OK"',
        "see https://x.test:8080/@user?mail=a@b.test or mail to a@b.test; state=ship, tokens=512",
        "scikit's sk-learn-based task-2024-list, ask-me-2024-anything, npm_config_registry, ghp_, eyJ-eyJ-",
        "-----BEGIN of a message, that is",
    ],
)
def test_ordinary_words_are_not_masked(text: str) -> None:
    assert passed(text).getMessage() == text
    assert quoted(text) == text


@pytest.mark.parametrize("secret", ["client", "secret", "token", "id", "and", "Bearer", "response"])
def test_secret_that_is_an_ordinary_word_masks_no_other_word(secret: str) -> None:
    text = "The client secret is wrong: responses have no token. Bearers and identities are unknown"
    assert passed(text, secrets=(secret,)).getMessage() == text
    assert quoted(text, secret=secret) == text


def test_short_secret_is_masked_as_a_whole_word_and_a_long_one_with_a_digit_within_words() -> None:
    whole = {
        "is hunter22, or 'hunter22'": "is ***, or '***'",
        "hunter221 xhunter22 hunter22s my_hunter22": "hunter221 xhunter22 hunter22s my_hunter22",
        "a\\nhunter22\\n": "a\\n***\\n",
        "a%20hunter22%20": "a%20***%20",
        "\\u003dhunter22": "\\u003d***",
        "\x1b[31mhunter22\x1b[0m \x1b[1mhunter22": "\x1b[31m***\x1b[0m \x1b[1m***",
    }
    assert {text: passed(text, secrets=("hunter22",)).getMessage() for text in whole} == whole
    assert passed("xsecret_8f3a61c9d2y", secrets=("secret_8f3a61c9d2",)).getMessage() == "x***y"


def test_control_characters_are_removed_from_errors() -> None:
    assert quoted("a\u202eb\u2066c\u200fd\x9be\x7ff\u061cg\x85h") == "a b c d e f g h"


PARTS = (
    "http://a:|://a:b|://|postgres://|-----BEGIN A-----|x-amz-signature=|sig%3D|SG.aaaaaaaa|sk-a|sk_a|eyJ-|-eyJ|eyJa."
    "|eyJ.a-|token|token=|token:|token:a|token: {|token\\|token:'aaaaaa |'token|password='|secret=a|basic |bearer "
    '|a-|a_|a.|a[a|"tokens":[|"a|\\'
)


@pytest.mark.parametrize("part", PARTS.split("|"))
def test_masking_takes_linear_time(part: str) -> None:
    filtering = RedactingFilter()

    def task(size: int) -> Callable[[], object]:
        record = logging.makeLogRecord({"msg": (part * size)[:size]})
        return lambda: filtering.filter(record)

    assert_linear_time(task, 1_000)
