"""The account server. Tokens are opaque, so the key set is empty: there is nothing for a caller to verify by itself."""

from __future__ import annotations

from .handlers import Call, data, handles
from .state import JsonObject


@handles("create_token")
def create_token(call: Call) -> JsonObject:
    accounts = call.state.accounts
    client = accounts.authenticate(call.body["client_id"], call.body["client_secret"])
    return data(accounts.issue(client, call.body.get("scope")))


@handles("revoke_token", status=204)
def revoke_token(call: Call) -> None:
    client = call.state.accounts.authenticate(call.body["client_id"], call.body["client_secret"])
    call.state.accounts.revoke(call.body["token"], client)


@handles("get_jwks")
def get_jwks(call: Call) -> JsonObject:
    return {"keys": []}
