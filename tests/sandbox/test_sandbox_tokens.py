"""Access tokens as JSON Web Tokens: verification against the key set, tampering, revocation."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.sandbox_caller import Caller, fetch_token, problem, revoke

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


def test_token_verifies_against_jwks(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox, scope="rooms:read assistants:read")
    claims = verified(sandbox, token)
    assert (claims["sub"], claims["client_id"]) == (sandbox.client_id, sandbox.client_id)
    assert claims["scope"] == "assistants:read rooms:read"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["jti"] != verified(sandbox, fetch_token(sandbox))["jti"]
    [key] = patient.get(f"{sandbox.account_server_url}/oauth/jwks").json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


@pytest.mark.parametrize("change", ["payload", "signature", "none"])
def test_tampered_token_returns_401(sandbox: Sandbox, change: str) -> None:
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


# Making one takes longer than all else. It keeps no connection: nobody closes it.
CLIENT = patient.Client(headers={"connection": "close"})


def test_authorization_scheme_variants_accept_token_until_revoked(sandbox: Sandbox) -> None:
    token = fetch_token(sandbox)
    for status in (200, 401):
        for header in (f"bearer {token}", f"BEARER {token}", f"Bearer   {token}"):
            answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": header})
            assert answer.status_code == status, header.partition(" ")[0]
        for header in (f"Bearer\t{token}", f"Token {token}", f"Bearer{token}", token):
            answer = CLIENT.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": header})
            assert answer.status_code == 401
        revoke(sandbox, token)


def test_token_made_to_expire_stays_expired_after_clock_set_back(sandbox: Sandbox) -> None:
    with Caller(sandbox) as caller:
        sandbox.faults.add("list_rooms", kind="expired_token")
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")
        sandbox.clock.advance(-3600)
        problem(caller.get("/rooms"), 401, "AUTH_ERROR")
