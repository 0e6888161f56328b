"""Which texts the recorder masks as secrets, and which it leaves unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext.testing.masking import BodyMasker, masked_headers, masked_uri
from tests.support.linear_time import assert_linear_time

CORE = "https://core.interactor.com/api/v1"
JSON = {"content-type": "application/json"}


def sent(body: Any, path: str = "/rooms") -> Any:
    return BodyMasker(CORE + path, is_sent=True).masked(json.dumps(body), JSON)


def read(body: Any, path: str = "/rooms") -> Any:
    return BodyMasker(CORE + path, is_sent=False).masked(json.dumps(body), JSON)


@pytest.mark.parametrize(
    "name",
    [
        *("client_secret", "access_token", "apiKey", "X-Api-Key", "dbPassword", "dsn", "private_key", "Authorization"),
        *("tokens", "accessTokens", "refresh_tokens", "secrets", "client_secrets", "credentials", "dbCredentials"),
        *("passwords", "api_keys", "privateKeys", "cookies", "accountKey", "signing_key", "SharedAccessKey"),
        *("signature", "sig", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId"),
        *("password2", "new_password_1", "passwordConfirmation", "tokens[0]", "user[password]", "credentials[]"),
        *("GoogleAccessId", "X-Goog-Signature", "Key-Pair-Id", "aws_access_key_id", "aws_secret_access_key"),
    ],
)
def test_secret_names_are_masked_at_any_depth(name: str) -> None:
    assert read({"data": [{"config": {"headers": {name: "s"}}}]}) == {
        "data": [{"config": {"headers": {name: "MASKED"}}}]
    }
    assert masked_headers({name: ["s"]}, frozenset()) == {name: ["MASKED"]}


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "token_type", "secret_expires_at", "current_state", "idempotency_key", "totalTokens"),
        *("completion_tokens", "tokens_used", "credential_id", "public_key", "keys", "signature_version", "design"),
    ],
)
def test_similar_names_are_not_masked(name: str) -> None:
    assert read({name: "x"}) == {name: "x"}


def test_data_source_config_is_masked_completely() -> None:
    config = {"url": "https://x.test", "login": ["u", 7], "ssl": True}
    masked = {"url": "MASKED", "login": ["MASKED", "MASKED"], "ssl": True}
    assert sent({"config": config}, "/data-sources/ds_1") == {"config": masked}
    assert read({"data": [{"type": "database", "config": config}]}) == {
        "data": [{"type": "database", "config": masked}]
    }
    assert read({"config": config, "semantic_mappings": []}) == {"config": masked, "semantic_mappings": []}
    assert sent({"type": "http", "config": config}, "/workflows") == {"type": "http", "config": config}


def test_code_and_state_are_masked_in_oauth_paths() -> None:
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
        ("X: Basic dXNlcjpwYXNz", "X: Basic MASKED"),
        ("db:\n  password: hunter2x\n  X-Api-Key: 8f3a61c9\n", "db:\n  password: MASKED\n  X-Api-Key: MASKED\n"),
        ("user[password]=hunter2&password2=hunter2", "user[password]=MASKED&password2=MASKED"),
        ("http://u:p#a/s?s@x.test/a", "http://MASKED@x.test/a"),
        ("k: -----BEGIN RSA PRIVATE KEY-----\nMIIE\nxyz=\n-----END RSA PRIVATE KEY-----\nend", "k: MASKED\nend"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "MASKED"),
        ('{"pem": "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"}', '{"pem": "MASKED\\n"}'),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=AK%2F1&X-Amz-Date=2&X-Amz-Signature=ab12",
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=MASKED&X-Amz-Date=2&X-Amz-Signature=MASKED",
        ),
        (
            "https://a.blob.core.windows.net/c?sv=1&sig=a%2B%3D&se=2",
            "https://a.blob.core.windows.net/c?sv=1&sig=MASKED&se=2",
        ),
        ("/x?AWSAccessKeyId=AK&Signature=s%3D&Expires=1", "/x?AWSAccessKeyId=MASKED&Signature=MASKED&Expires=1"),
        (
            "u=https%3A%2F%2Fx%3Fsig%3Da%252B%26token%3Dt%26n%3D1",
            "u=https%3A%2F%2Fx%3Fsig%3DMASKED%26token%3DMASKED%26n%3D1",
        ),
        ('{"a": {"tokens": ["t1", 2], "n": 1}}', '{"a": {"tokens": "MASKED", "n": 1}}'),
        ('[{"credentials": {"user": "u"}}]', '[{"credentials": "MASKED"}]'),
        ('{"secrets": ["a', '{"secrets": "MASKED"'),
    ],
)
def test_secrets_within_text_are_masked(text: str, masked: str) -> None:
    assert read({"a": text}) == {"a": masked}
    assert read({"a": masked}) == {"a": masked}


KEYS = [
    *("sk-abcdEFGH1234567890abcd", "sk-proj-Ab3_x-9yzABC", "sk-ant-api03-Ab3dEf6hIj9", "sk_live_4eC39HqLyjWDarjtT1"),
    *(
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "gho_16C7e42F292c",
        "github_pat_11ABCDEFG0abcdefg",
        "glpat-AbCd3f6hIj9kLmN",
    ),
    *(
        "xoxb-123456789012-abcdefGHIJ",
        "xoxp-1-abcdefgh",
        "xapp-1-A02-abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
    ),
    *(
        "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        "ya29.a0AfH6SMBx-yz_1",
        "GOCSPX-abcdefghijkl",
        "npm_a1b2c3d4e5f6g7h8i9",
    ),
    *("hf_AbCdEf123456", "SG.ngeVfQFYQlKU0ufo.8x5d1TwL2iGABf9DHoTf", "shpat_0123456789abcdef", "pypi-AgEIcHlwaS5vcmc1"),
    *("eyJhbGciOiJI.eyJzdWIiOiIx.sig", "hooks.slack.com/services/T00/B00/Xyz1Xyz1"),
]


@pytest.mark.parametrize("key", KEYS)
def test_provider_key_prefixes_are_masked_anywhere(key: str) -> None:
    for text in (key, f"the key {key}, or ({key})", f"a={key}&b", f'{{"a": "{key}"}}', f"x%3D{key} \\n{key}"):
        for place in ("/rooms", "/data-sources"):
            assert key not in str(read({"a": [text], key: {"b": text}}, place))
        assert key not in str(BodyMasker().masked(text, {}))
        assert key not in str(
            BodyMasker().masked(f"a={key}&b=1", {"content-type": "application/x-www-form-urlencoded"})
        )
        assert key not in masked_uri(f"https://x.test/{key}/y?q={key}#{key}")
        assert key not in str(masked_headers({"X-Upstream": text}, frozenset()))
        stream = f"data: {text}\ndata: {json.dumps({'a': text})}\n\n"
        assert key not in BodyMasker().masked(stream, {"content-type": "text/event-stream"}).decode()


def test_whsec_secrets_keep_their_prefix() -> None:
    assert read({"a": "whsec_abc123def456"}) == {"a": "whsec_MASKED"}


@pytest.mark.parametrize(
    "text",
    [
        "The token has expired. Basic authentication or a bearer token is required.",
        "A secret of good passwords: credentials, tokens and cookies are kept apart.",
        "scikit's sk-learn-based, ask-me-2024-anything, the AKIA prefix, eyJ and ghp_ too",
        "The token: it has expired. Password: at least 8 characters, of 2 kinds; see token 2",
        "The signature of the design; sign and resign; a sig of 2",
        "https://x.test/tokens/2?page=1&q=the+tokens&tokens=512",
        "-----BEGIN of it",
    ],
)
def test_ordinary_prose_is_not_masked(text: str) -> None:
    assert read({"a": text, "tokens": 512, "credentials": None, "secrets": True}) == {
        "a": text,
        "tokens": 512,
        "credentials": None,
        "secrets": True,
    }
    assert masked_headers({"X": text}, frozenset()) == {"X": text}


def test_container_of_secrets_keeps_its_structure() -> None:
    assert read(
        {"credentials": {"user": "u", "port": 5432, "ssl": True}, "tokens": ["a", {"b": None}], "passwords": []}
    ) == {
        "credentials": {"user": "MASKED", "port": "MASKED", "ssl": True},
        "tokens": ["MASKED", {"b": None}],
        "passwords": [],
    }


def test_pem_block_in_event_stream_leaves_other_events() -> None:
    block = "data: -----BEGIN PRIVATE KEY-----\ndata: MIIE\ndata: -----END PRIVATE KEY-----\n\n"
    cut = 'data: {"content": "-----BEGIN PRIVATE KEY-----MIIE"}\n\n'
    body = f'data: {{"n": 1}}\n\n{block}{cut}data: {{"n": 2}}\n\n'
    clean = BodyMasker().cleaned(body, {"content-type": "text/event-stream"})
    assert clean.decode() == 'data: {"n": 1}\n\ndata: MASKED\n\ndata: {"content": "MASKED"}\n\ndata: {"n": 2}\n\n'


def test_url_loses_user_info_and_query_secrets() -> None:
    assert masked_uri("http://u:p@x.test:8/a?b=c%20d&token=t") == "http://x.test:8/a?b=c+d&token=MASKED"
    assert masked_uri("http://x.test/a?b=c%20d") == "http://x.test/a?b=c%20d"


def test_event_stream_keeps_its_structure() -> None:
    body = (
        'id: 1\r\ndata: {"a": "\u2028", "state": "x"}\r\n\r\n'
        'data:{"arguments": "{\\"password\\": \\"p\\"}"}\n\n: token=t\n'
    )
    clean = BodyMasker(CORE, is_sent=False).cleaned(body.encode(), {"content-type": "text/event-stream"}).decode()
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
def test_body_is_rewritten_only_when_masked(body: Any, clean: Any) -> None:
    assert BodyMasker().cleaned(body, JSON) == clean


def test_multipart_form_is_masked_completely() -> None:
    assert BodyMasker().cleaned(b"--x ...", {"Content-Type": ["multipart/form-data; boundary=x"]}) == b"MASKED"


@pytest.mark.parametrize(
    "part",
    [
        "sig%3D",
        "sk-a",
        '"tokens":[',
        "-----BEGIN A-----",
        "http://a:",
        "a_",
        "\\",
        '"a',
        "://",
        "token",
        "eyJ.",
        "bearer ",
        "a.",
        "postgres://",
        "'token",
    ],
)
def test_masking_takes_linear_time(part: str) -> None:
    def task(size: int) -> Callable[[], object]:
        text = (part * size)[:size]
        return lambda: BodyMasker().masked(text, {})

    assert_linear_time(task, 3_000)
