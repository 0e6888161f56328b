"""Handlers of the account server. Tokens are RS256-signed JSON Web Tokens that verify against its key set.

`iss` is the URL of the account server and `aud` the URL of the core API, with the host name of the token request.
`iat` and `exp` are times of the sandbox's clock. A token requested with a `resource` (RFC 8707) has that as its `aud`,
and gives access to nothing else.
"""

from __future__ import annotations

from interactor_ext.sandbox.platform.contract import ACCOUNT_PREFIX, CORE_PREFIX
from interactor_ext.sandbox.platform.handlers import ApiCall, data, handles
from interactor_ext.sandbox.storage.records import JsonObject


@handles("create_token")
def create_token(call: ApiCall) -> JsonObject:
    accounts = call.state.accounts
    client = accounts.authenticate(call.body["client_id"], call.body["client_secret"])
    audience = call.body.get("resource") or call.origin + CORE_PREFIX
    return data(accounts.issue(client, call.body.get("scope"), issuer=call.origin + ACCOUNT_PREFIX, audience=audience))


@handles("revoke_token")
def revoke_token(call: ApiCall) -> None:
    client = call.state.accounts.authenticate(call.body["client_id"], call.body["client_secret"])
    call.state.accounts.revoke(call.body["token"], client)


@handles("get_jwks")
def get_jwks(call: ApiCall) -> JsonObject:
    return {"keys": call.state.accounts.key_set()}
