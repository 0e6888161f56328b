"""Handlers of credentials: the OAuth flow that connects one, its token, refresh and expiry.

The sandbox also plays the provider: `authorization_url` leads to its own `/_sandbox/authorize`, which sends the user
on to the redirect_uri with a code, or with an error such as `access_denied`. A flow lives ten minutes and is `pending`
until complete_oauth receives the code. A credential's token lasts an hour of the sandbox's clock, and is refreshed when
it is requested in its last 30 seconds or later. A credential that can't be refreshed becomes `expired`, and requests
for its token get 409 REFRESH_FAILED: the user must connect again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from interactor_ext.sandbox.platform.handlers import ApiCall, data, handles
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.platform.timed import facts
from interactor_ext.sandbox.problems import conflict, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record

FLOW_LIFETIME = 600
TOKEN_LIFETIME = 3600
# A token with fewer seconds left is refreshed before it is returned.
MARGIN = 30


@handles("initiate_oauth")
def initiate_oauth(call: ApiCall) -> JsonObject:
    body = call.body
    service_id = body.get("service_id", "")
    state = secrets.token_urlsafe(16)
    flow = call.state.store.add(
        "flow",
        call.namespace,
        {"status": "pending"},
        private={
            "state": state,
            "code": "",
            "provider": body.get("provider")
            or service_id.removeprefix("svc_").split("_")[0],  # google of svc_google_calendar
            "service_id": service_id,
            "scopes": body.get("scopes", []),
            "redirect_uri": body["redirect_uri"],
            "expires_at": call.state.clock.now() + FLOW_LIFETIME,
        },
    )
    url = f"{call.origin}/_sandbox/authorize?{urlencode({'flow': flow.id})}"
    return data({"authorization_url": url, "state": state, "flow_id": flow.id})


@handles("complete_oauth")
def complete_oauth(call: ApiCall) -> JsonObject:
    flow = _flow_by_state(call, call.body["state"])
    if _status(call.state, flow) != "pending":
        raise invalid(("state", f"this flow is {flow.public['status']}; start a new one"))
    if call.body["provider"] != flow.private["provider"]:
        raise invalid(("provider", "isn't the provider of this flow"))
    if not flow.private["code"] or not secrets.compare_digest(
        call.body["code"].encode(), flow.private["code"].encode()
    ):
        raise invalid(("code", "isn't the code that this flow returned"))
    credential = connect(
        call.state,
        call.namespace,
        provider=flow.private["provider"],
        service_id=flow.private["service_id"],
        scopes=flow.private["granted"],
        account=flow.private["account"],
    )
    call.state.store.change(flow, {"status": "completed", "credential_id": credential.id}, private={"code": ""})
    return data(credential.public)


@handles("get_oauth_status")
def get_oauth_status(call: ApiCall) -> JsonObject:
    # Without a namespace the id is enough, as on the consent page, because it can't be guessed.
    flow = call.state.store.search("flow", call.path["flow_id"]) if not call.namespace else None
    flow = flow or call.record("flow")
    _status(call.state, flow)
    shown = {name: value for name, value in flow.public.items() if name != "id"}
    return data({"flow_id": flow.id, **shown})


@handles("delete_credential")
def delete_credential(call: ApiCall) -> None:
    credential = call.record()
    call.state.store.remove(credential)
    _publish(call.state, "credential.revoked", credential)


@handles("refresh_credential")
def refresh_credential(call: ApiCall) -> JsonObject:
    credential = call.record()
    _refresh(call.state, credential)
    return data(credential.public)


@handles("get_credential_token")
def get_credential_token(call: ApiCall) -> JsonObject:
    credential = call.record()
    margin = MARGIN if credential.private["refreshable"] else 0
    if credential.public["status"] != "active" or _left(call.state, credential) <= margin:
        _refresh(call.state, credential)
    return data(
        {
            "access_token": credential.private["access_token"],
            "token_type": "Bearer",
            "expires_in": int(_left(call.state, credential)),
            "scope": " ".join(credential.public["scopes"]),
        }
    )


def connect(
    state: State,
    namespace: str,
    *,
    provider: str,
    service_id: str = "",
    scopes: Iterable[str] = (),
    expires_in: float = TOKEN_LIFETIME,
    refreshable: bool = True,
    status: str = "active",
    account: str = "",
) -> Record:
    """Create a credential, as at the end of a flow. Without a service, it gets one named after the provider.

    The `account` at the provider is in the event's `metadata`.
    Raises ValueError for an expiry that can't be formatted.
    """
    service_id = service_id or f"svc_{provider}"
    now = state.clock.stamp()
    public = {
        "provider": provider,
        "status": status,
        "scopes": list(scopes),
        "created_at": now,
        "updated_at": now,
        "expires_at": state.clock.stamp(expires_in),
    }
    private = {
        "service_id": service_id,
        "refreshable": refreshable,
        "expires_at": state.clock.now() + expires_in,
        "access_token": _new_token(),
        "account": account,
    }
    credential = state.store.add("credential", namespace, public, private=private)
    if status == "active":
        more = {"scopes": public["scopes"], "metadata": {"account": account} if account else {}}
        _publish(state, "credential.connected", credential, service_id=service_id, **more)
        state.timed.watch(credential)
    return credential


def expire(state: State, credential_id: str) -> Record:
    """Expire a credential permanently. Raises Problem: 404 if the id is unknown, 409 unless it is active."""
    credential = state.store.lookup("credential", credential_id)
    if credential.public["status"] != "active":
        raise conflict(f"This credential is already {credential.public['status']}.")
    state.timed.expire_now(credential)
    return credential


def authorize(
    state: State, flow_id: str, *, error: str = "", scopes: Collection[str] | None = None, account: str = ""
) -> str:
    """Record the user's decision; returns the redirect URL. Raises Problem for an ended or unknown flow.

    `error` is the provider's error, sent instead of a code. `scopes` are the scopes that the user grants (None: all),
    and
    `account` is the account at the provider.
    """
    flow = pending_flow(state, flow_id)
    if error:
        state.store.change(flow, {"status": "failed", "error": error})
        return _with_query(flow.private["redirect_uri"], error=error, state=flow.private["state"])
    asked = flow.private["scopes"]
    if unknown := set(scopes or ()) - set(asked):
        raise invalid(("scope", f"this flow doesn't request {', '.join(sorted(unknown))}"))
    granted = asked if scopes is None else [each for each in asked if each in scopes]
    state.store.change(flow, private={"code": secrets.token_urlsafe(16), "granted": granted, "account": account})
    return _with_query(flow.private["redirect_uri"], code=flow.private["code"], state=flow.private["state"])


def pending_flow(state: State, flow_id: str) -> Record:
    """Return the flow that waits for a decision or for its code. Raises Problem if it has ended or is unknown."""
    flow = state.store.lookup("flow", flow_id)
    if not is_pending(state, flow):
        raise conflict(f"This flow is {flow.public['status']}.")
    return flow


def is_pending(state: State, flow: Record) -> bool:
    return _status(state, flow) == "pending"


def _left(state: State, credential: Record) -> float:
    return float(credential.private["expires_at"] - state.clock.now())


def _refresh(state: State, credential: Record) -> None:
    if not credential.private["refreshable"] or credential.public["status"] == "revoked":
        _publish(state, "credential.error", credential, error="The provider refused to refresh the token.")
        raise conflict("The provider refused to refresh this credential. Connect it again.", code="REFRESH_FAILED")
    expiry = state.clock.stamp(TOKEN_LIFETIME)
    state.store.change(
        credential,
        {"status": "active", "expires_at": expiry, "updated_at": state.clock.stamp()},
        private={"access_token": _new_token(), "expires_at": state.clock.now() + TOKEN_LIFETIME},
    )
    _publish(state, "credential.refreshed", credential, expires_at=expiry)


def _publish(state: State, event: str, credential: Record, **more: object) -> None:
    state.publish(event, credential.namespace, {**facts(credential), **more})


def _flow_by_state(call: ApiCall, state: str) -> Record:
    for flow in call.state.store.all("flow", call.namespace):
        if flow.private["state"] == state:
            return flow
    raise invalid(("state", "doesn't belong to a flow in this namespace"))


def _status(state: State, flow: Record) -> str:
    if flow.public["status"] == "pending" and flow.private["expires_at"] <= state.clock.now():
        state.store.change(flow, {"status": "expired"})
    return str(flow.public["status"])


def _with_query(url: str, **added: str) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query, fragment=""))


def _new_token() -> str:
    return f"provider_{secrets.token_urlsafe(24)}"
