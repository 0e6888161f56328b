"""Access tokens of the sandbox: anybody can verify them, and the sandbox itself can end them."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, fetch_token, problem

pytest_plugins = ["tests.support.sandbox_fixtures"]


def verified(sandbox: Sandbox, token: str, **options: Any) -> dict[str, Any]:
    keys = jwt.PyJWKClient(f"{sandbox.account_server_url}/oauth/jwks")
    return dict(
        jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["RS256"],
            audience=sandbox.core_api_url,
            issuer=sandbox.account_server_url,
            **options,
        )
    )


def revoke(sandbox: Sandbox, token: str) -> None:
    body = {"token": token, "client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    assert httpx.post(f"{sandbox.account_server_url}/oauth/revoke", json=body).is_success


def test_a_token_verifies_against_the_served_keys(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox, scope="rooms:read assistants:read")
    claims = verified(sandbox, token)
    assert (claims["sub"], claims["client_id"]) == (sandbox.client_id, sandbox.client_id)
    assert claims["scope"] == "assistants:read rooms:read"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["jti"] != verified(sandbox, fetch_token(sandbox))["jti"]


def test_the_key_set_holds_no_private_part(sandbox: Sandbox) -> None:
    [key] = httpx.get(f"{sandbox.account_server_url}/oauth/jwks").json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


def test_its_times_are_those_of_the_clock(sandbox: Sandbox) -> None:
    sandbox.clock.advance(-7200)
    token = fetch_token(sandbox)
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(sandbox, token)
    with Caller(sandbox, token=token) as caller:
        assert caller.get("/rooms").status_code == 200


@pytest.mark.parametrize("change", ["payload", "signature", "none"])
def test_a_token_that_was_tampered_with_is_refused(sandbox: Sandbox, change: str) -> None:
    token = fetch_token(sandbox, scope="rooms:read")
    head, payload, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"scope": "admin"}
    forged = {
        "payload": ".".join([head, jwt.encode(claims, "k" * 32).split(".")[1], signature]),
        "signature": ".".join([head, payload, signature[::-1]]),
        "none": jwt.encode(claims, None, algorithm="none"),
    }[change]
    with Caller(sandbox, token=forged) as caller:
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")


def test_a_revoked_token_is_refused_though_its_signature_is_good(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox)
    revoke(sandbox, token)
    assert verified(sandbox, token)
    with Caller(sandbox, token=token) as caller:
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")


def test_a_token_of_another_sandbox_with_the_same_key_is_refused(sandbox: Sandbox) -> None:
    with Sandbox().run() as other:
        token = fetch_token(other)
        assert jwt.get_unverified_header(token) == jwt.get_unverified_header(fetch_token(sandbox))
    with Caller(sandbox, token=token) as caller:
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")


# Making one takes longer than all else.
CLIENT = httpx.Client()
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def other_texts(token: str) -> dict[str, str]:
    """Texts that a lenient decoder of base64url reads as the same token."""
    head, payload, signature = token.split(".")
    # The last character of 256 bytes carries two bits of them and four that nobody needs.
    last = BASE64URL.index(signature[-1])
    assert last % 16 == 0
    return {
        "padding": f"{token}==",
        "too much padding": f"{token}====",
        "one padding": f"{token}=",
        "unused bits": token[:-1] + BASE64URL[last + 1],
        "foreign characters": f"{token}!~",
        "foreign character inside": ".".join([head, payload, signature[:10] + "*" + signature[10:]]),
        "the other alphabet": token.replace("-", "+").replace("_", "/"),
        "padded payload": ".".join([head, payload + "=", signature]),
        "a fourth part": f"{token}.",
        "non-ASCII": f"{token}\u00e9",
        "a space of Unicode": f"{token}\u00a0",
    }


def random_texts(token: str, seed: int) -> Iterator[str]:
    """The token with one character put in, taken out or exchanged."""
    chance = random.Random(seed)
    for _ in range(60):
        at = chance.randrange(len(token) + 1)
        character = chance.choice(string.printable[:-6] + "\u00e9")
        cut = chance.choice([0, 0, 1])
        changed = token[:at] + chance.choice([character, ""]) + token[at + cut :]
        if changed.strip(" ") != token:
            yield changed.strip(" ")


def answers(sandbox: Sandbox, token: str) -> set[int]:
    """How the API answers to a token, in the header and in the address of a stream."""
    core = sandbox.core_api_url
    in_header = CLIENT.get(f"{core}/rooms", headers={"authorization": f"Bearer {token}".encode()})
    in_address = CLIENT.get(f"{core}/rooms/none/stream", params={"token": token})
    return {in_header.status_code, in_address.status_code}


@pytest.mark.parametrize("revoked", [True, False])
def test_only_the_text_that_was_issued_is_the_token(sandbox: Sandbox, revoked: bool) -> None:
    token = fetch_token(sandbox)
    variants = other_texts(token)
    assert len({*variants.values(), token}) >= len(variants)
    # Before the revocation as well, so that none of them is remembered from a time when the token was good.
    before = {name: answers(sandbox, text) for name, text in variants.items() if text != token}
    if revoked:
        revoke(sandbox, token)
    after = {name: answers(sandbox, text) for name, text in variants.items() if text != token}
    assert before == after == {name: {401} for name in after}
    assert answers(sandbox, token) == ({401} if revoked else {200, 404})


@pytest.mark.parametrize("seed", range(3))
def test_no_change_of_a_token_is_accepted(sandbox: Sandbox, seed: int) -> None:
    token = fetch_token(sandbox)
    for text in random_texts(token, seed):
        answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": f"Bearer {text}".encode()})
        assert answer.status_code == 401, text


def test_another_text_revokes_nothing_and_the_token_itself_still_can_be(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox)
    for text in other_texts(token).values():
        if text != token:
            revoke(sandbox, text)
    assert answers(sandbox, token) == {200, 404}
    revoke(sandbox, token)
    assert answers(sandbox, token) == {401}


def test_the_scheme_is_read_as_http_says_and_a_revoked_token_stays_revoked_under_each(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox)
    for status in (200, 401):
        for header in (f"bearer {token}", f"BEARER {token}", f"Bearer   {token}"):
            answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": header})
            assert answer.status_code == status, header.partition(" ")[0]
        for header in (f"Bearer\t{token}", f"Token {token}", f"Bearer{token}", token):
            answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": header})
            assert answer.status_code == 401
        revoke(sandbox, token)


def test_two_tokens_in_one_request_are_refused(sandbox: Sandbox) -> None:
    headers = [("authorization", f"Bearer {fetch_token(sandbox)}")] * 2
    answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers=headers)
    assert set(problem(answer, 422, "VALIDATION_ERROR")) == {"authorization"}


def test_a_token_that_was_made_to_expire_stays_so_though_the_clock_goes_back(sandbox: Sandbox) -> None:
    with Caller(sandbox) as caller:
        sandbox.faults.add("list_rooms", kind="expired_token")
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")
        sandbox.clock.advance(-3600)
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")


def test_no_other_text_of_a_token_outlives_a_restart(tmp_path: Path) -> None:
    """After it, tokens are known by their signature alone."""
    data = tmp_path / "platform.db"
    with Sandbox(data=data).run() as first:
        good, ended = fetch_token(first), fetch_token(first)
        revoke(first, ended)
    with Sandbox(data=data).run() as second:
        for token in (good, ended):
            for text in other_texts(token).values():
                assert text == token or answers(second, text) == {401}
        assert answers(second, ended) == {401}
        assert answers(second, good) == {200, 404}
