"""Access tokens of the sandbox: anybody can verify them, and the sandbox itself can end them."""

from __future__ import annotations

from typing import Any

import httpx
import jwt
import pytest

from interactor_ext.sandbox import Sandbox
from tests.integration.sandbox_caller import Caller, fetch_token, problem

pytest_plugins = ["tests.integration.sandbox_fixtures"]


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
