"""Handlers of webhook subscriptions. A secret is only returned at creation and at rotation."""

from __future__ import annotations

import secrets

from interactor_ext.sandbox.platform.handlers import ApiCall, create, data, handles, update
from interactor_ext.sandbox.storage.records import JsonObject, Record


@handles("create_webhook")
def create_webhook(call: ApiCall) -> JsonObject:
    secret = call.body.pop("secret", "") or _new_secret()
    return _with_secret(create(call, {"active": True}, private={"secret": secret}))


@handles("update_webhook")
def update_webhook(call: ApiCall) -> JsonObject:
    webhook = update(call)
    if not webhook.public["active"]:
        call.state.outbox.cancel(webhook)
    return data(webhook.public)


@handles("delete_webhook")
def delete_webhook(call: ApiCall) -> None:
    webhook = call.record()
    call.state.store.remove(webhook)
    call.state.outbox.cancel(webhook)


@handles("rotate_webhook_secret")
def rotate_webhook_secret(call: ApiCall) -> JsonObject:
    webhook = call.record()
    call.state.store.change(webhook, private={"secret": _new_secret()})
    return _with_secret(webhook)


def _with_secret(webhook: Record) -> JsonObject:
    return data({**webhook.public, "secret": webhook.private["secret"]})


def _new_secret() -> str:
    return f"whsec_{secrets.token_hex(24)}"
