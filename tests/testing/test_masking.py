"""What a cassette has in place of secrets: each test records calls, and reads what reached the file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from interactor_ext.testing import recorder

CORE = "https://core.interactor.com/api/v1"
JSON = "application/json"
Record = Callable[..., dict[str, Any]]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """Records one call, and returns its request or response as it is on the cassette."""
    monkeypatch.setenv("INTERACTOR_RECORD", "1")
    numbers = itertools.count()

    def make(
        part: str, body: Any, url: str = "/rooms", kind: str = JSON, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        typed = {"Content-Type": kind, **(headers or {})}
        is_sent = part == "request"

        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [] if is_sent else list(typed.items()))
            return [b"" if is_sent else content]

        name = f"call_{next(numbers)}"
        with (
            recorder(tmp_path).use_cassette(name),
            httpx.Client(transport=httpx.WSGITransport(app), base_url=CORE) as client,
        ):
            client.post(url, **({"content": content, "headers": typed} if is_sent else {}))
        (interaction,) = yaml.safe_load((tmp_path / f"{name}.yaml").read_text())["interactions"]
        found: dict[str, Any] = interaction[part]
        return found

    return make


@pytest.fixture
def sent(record: Record) -> Callable[..., Any]:
    """The JSON body of a recorded request."""
    return lambda body, url="/rooms": json.loads(record("request", body, url)["body"])


@pytest.fixture
def read(record: Record) -> Callable[..., Any]:
    """The JSON body of a recorded response."""
    return lambda body, url="/rooms": json.loads(record("response", body, url)["body"]["string"])


SECRET_NAMES = [
    *("client_secret", "access_token", "apiKey", "X-Api-Key", "dbPassword", "dsn", "private_key", "Authorization"),
    *("tokens", "accessTokens", "refresh_tokens", "secrets", "client_secrets", "credentials", "dbCredentials"),
    *("passwords", "api_keys", "privateKeys", "cookies", "accountKey", "signing_key", "SharedAccessKey", "client_id"),
    *("signature", "sig", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId"),
    *("password2", "new_password_1", "passwordConfirmation", "tokens[0]", "user[password]", "credentials[]"),
    *("GoogleAccessId", "X-Goog-Signature", "Key-Pair-Id", "aws_access_key_id", "aws_secret_access_key"),
]
OTHER_NAMES = [
    *("max_tokens", "token_type", "secret_expires_at", "current_state", "idempotency_key", "totalTokens", "code"),
    *("completion_tokens", "tokens_used", "credential_id", "public_key", "keys", "signature_version", "design"),
]


def test_values_of_secret_names_are_masked_at_any_depth(read: Any) -> None:
    given = dict.fromkeys([*SECRET_NAMES, *OTHER_NAMES], "s")
    masked = dict.fromkeys(SECRET_NAMES, "MASKED") | dict.fromkeys(OTHER_NAMES, "s")
    assert read({"data": [{"config": {"headers": given}}]}) == {"data": [{"config": {"headers": masked}}]}


def test_list_that_begins_with_a_secret_name_is_kept(read: Any) -> None:
    schema = {"required": ["token", "id"], "columns": [["password", "text"]]}
    assert read({"data": schema}) == {"data": schema}


def test_headers_are_masked_by_name_and_by_form(record: Record) -> None:
    given = {
        "X-Api-Key": "s",
        "X-Session-Token": "s",
        "Set-Cookie": "a=s",
        "X-A": "Bearer abcdefg.h",
        "X-B": "of a token",
    }
    headers = record("response", {}, headers=given)["headers"]
    found = {name.lower(): value for name, (value,) in headers.items() if name.lower() != "content-type"}
    secret = dict.fromkeys(("x-api-key", "x-session-token", "set-cookie"), "MASKED")
    assert found == {**secret, "x-a": "Bearer MASKED", "x-b": "of a token"}


def test_data_source_config_is_masked_completely(sent: Any, read: Any) -> None:
    config = {"url": "https://x.test", "login": ["u", 7], "ssl": True}
    masked = {"url": "MASKED", "login": ["MASKED", "MASKED"], "ssl": True}
    assert sent({"config": config}, "/data-sources/ds_1") == {"config": masked}
    for about in ({"type": "database"}, {"semantic_mappings": []}):
        assert read({"data": [{**about, "config": config}]}) == {"data": [{**about, "config": masked}]}
    assert sent({"type": "http", "config": config}, "/workflows") == {"type": "http", "config": config}


def test_code_and_state_are_masked_in_oauth_paths(sent: Any, read: Any) -> None:
    assert sent({"code": "c", "state": "s"}, "/oauth/callback") == {"code": "MASKED", "state": "MASKED"}
    assert read({"state": "s"}, "/oauth/initiate") == {"state": "MASKED"}
    assert read({"error": {"code": "NOT_FOUND"}}, "/oauth/callback") == {"error": {"code": "NOT_FOUND"}}
    assert read({"state": "ship"}) == {"state": "ship"}


TEXTS = {
    "https://x.test/go?a=1&state=st_1&code=c_1": "https://x.test/go?a=1&state=MASKED&code=MASKED",
    "a state=of affairs": "a state=of affairs",
    '{"password": "p\\"q", "a": 1}': '{"password": "MASKED", "a": 1}',
    '{"a": {"tokens": ["t1", 2], "n": 1}}': '{"a": {"tokens": "MASKED", "n": 1}}',
    '[{"credentials": {"user": "u"}}]': '[{"credentials": "MASKED"}]',
    '{"secrets": ["a': '{"secrets": "MASKED"',
    "whsec_abc123def456": "whsec_MASKED",
    "db:\n  password: hunter2x\n  X-Api-Key: 8f3a61c9\n": "db:\n  password: MASKED\n  X-Api-Key: MASKED\n",
    "user[password]=hunter2&password2=hunter2": "user[password]=MASKED&password2=MASKED",
    "k: -----BEGIN RSA PRIVATE KEY-----\nMIIE\nxyz=\n-----END RSA PRIVATE KEY-----\nend": "k: MASKED\nend",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl": "MASKED",
    '{"pem": "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"}': '{"pem": "MASKED\\n"}',
    "https://a.blob.core.windows.net/c?sv=1&sig=a%2B%3D&se=2": "https://a.blob.core.windows.net/c?sv=1&sig=MASKED&se=2",
    "/x?AWSAccessKeyId=AK&Signature=s%3D&Expires=1": "/x?AWSAccessKeyId=MASKED&Signature=MASKED&Expires=1",
    "u=https%3A%2F%2Fx%3Fsig%3Da%252B%26token%3Dt%26n%3D1": "u=https%3A%2F%2Fx%3Fsig%3DMASKED%26token%3DMASKED%26n%3D1",
}


def test_secrets_within_text_are_masked_and_stay_masked_in_a_replay(read: Any) -> None:
    assert dict(zip(TEXTS, read([[text] for text in TEXTS]), strict=True)) == {
        text: [masked] for text, masked in TEXTS.items()
    }
    again = [[masked] for masked in TEXTS.values()]
    assert read(again) == again


def test_prose_and_counts_are_not_masked(read: Any) -> None:
    body = {
        "texts": [
            "A secret of good passwords: credentials, tokens and cookies are kept apart.",
            "The token: it has expired. Password: at least 8 characters, of 2 kinds; see token 2",
            "The signature of the design; sign and resign; a sig of 2",
            "https://x.test/tokens/2?page=1&q=the+tokens&tokens=512",
        ],
        "counts": {"tokens": 512, "credentials": None, "secrets": True},
    }
    assert read(body) == body


def test_container_of_secrets_keeps_its_structure(read: Any) -> None:
    credentials = {"user": "u", "port": 5432, "ssl": True}
    assert read({"credentials": credentials, "tokens": ["a", {"b": None}], "passwords": []}) == {
        "credentials": {"user": "MASKED", "port": "MASKED", "ssl": True},
        "tokens": ["MASKED", {"b": None}],
        "passwords": [],
    }


KEYS = [
    *("sk-abcdEFGH1234567890abcd", "sk-proj-Ab3_x-9yzABC", "sk-ant-api03-Ab3dEf6hIj9", "sk_live_4eC39HqLyjWDarjtT1"),
    *("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "gho_16C7e42F292c", "github_pat_11ABCDEFG0abcdefg"),
    *("glpat-AbCd3f6hIj9kLmN", "xoxb-123456789012-abcdefGHIJ", "xoxp-1-abcdefgh", "xapp-1-A02-abcdef"),
    *("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    *("ya29.a0AfH6SMBx-yz_1", "GOCSPX-abcdefghijkl", "npm_a1b2c3d4e5f6g7h8i9", "hf_AbCdEf123456"),
    *("SG.ngeVfQFYQlKU0ufo.8x5d1TwL2iGABf9DHoTf", "shpat_0123456789abcdef", "pypi-AgEIcHlwaS5vcmc1"),
    *("eyJhbGciOiJI.eyJzdWIiOiIx.sig", "hooks.slack.com/services/T00/B00/Xyz1Xyz1"),
]


def test_provider_key_prefixes_are_masked_anywhere(record: Record) -> None:
    texts = [
        text
        for key in KEYS
        for text in (key, f"the key {key}, or ({key})", f"a={key}&b", f'{{"a": "{key}"}}', f"x%3D{key} \\n{key}")
    ]
    lines = "".join(f"data: {text}\ndata: {json.dumps({'a': text})}\n\n" for text in texts)
    form = "&".join(f"a{number}={key}" for number, key in enumerate(KEYS))
    path = "/".join(key.replace("/", "~") for key in KEYS[:-1])
    recorded = [
        record("response", {"a": texts, **{key: {"b": key} for key in KEYS}}),
        record("response", {"a": texts}, "/data-sources"),
        record("response", "\n".join(texts).encode(), kind="text/plain"),
        record("response", lines.encode(), kind="text/event-stream"),
        record(
            "request", form.encode(), f"/{path}?{form}", "application/x-www-form-urlencoded", {"X-A": ", ".join(KEYS)}
        ),
    ]
    assert [key for key in KEYS if key in str(recorded)] == []


def test_user_info_and_query_secrets_of_a_url_are_masked(record: Record) -> None:
    for url, masked in (
        ("http://u:p@x.test:8/a?b=c%20d&token=t", "http://MASKED@x.test:8/a?b=c%20d&token=MASKED"),
        ("http://x.test/a?b=c%20d", "http://x.test/a?b=c%20d"),
    ):
        assert record("request", {}, url)["uri"] == masked


EVENT_STREAMS = {
    'data: {"n": 1}\n\ndata: -----BEGIN PRIVATE KEY-----\ndata: MIIE\ndata: -----END PRIVATE KEY-----\n\n'
    'data: {"content": "-----BEGIN PRIVATE KEY-----MIIE"}\n\ndata: {"n": 2}\n\n': 'data: {"n": 1}\n\ndata: MASKED\n\n'
    'data: {"content": "MASKED"}\n\ndata: {"n": 2}\n\n',
    'id: 1\r\ndata: {"a": "\u2028", "state": "x"}\r\n\r\n'
    'data:{"arguments": "{\\"password\\": \\"p\\"}"}\n\n: token=t\n': 'id: 1\r\ndata: {"a": "\u2028", "state": "x"}\r\n'
    '\r\ndata:{"arguments": "{\\"password\\": \\"MASKED\\"}"}\n\n: token=MASKED\n',
}


def test_event_stream_keeps_its_structure(record: Record) -> None:
    for stream, masked in EVENT_STREAMS.items():
        assert record("response", stream.encode(), kind="text/event-stream")["body"]["string"] == masked


def test_body_that_is_no_json_is_masked_as_text(record: Record) -> None:
    for body, kept in {
        b'{"secret": "s", ': '{"secret": "MASKED", ',
        b'{"secret": 12, ': '{"secret": "MASKED", ',
        b"\xff\x00": b"\xff\x00",
        b"": "",
    }.items():
        assert record("response", body)["body"]["string"] == kept


def test_multipart_form_is_masked_completely(record: Record) -> None:
    assert record("request", b"--x ...", kind="multipart/form-data; boundary=x")["body"] == "MASKED"
