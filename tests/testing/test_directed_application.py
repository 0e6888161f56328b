"""An application's own test of its assistant, credentials and tenants, with a sandbox that does as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Thread
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from interactor_ext import ConflictError, PermissionDeniedError, get_client
from interactor_ext.sandbox import Sandbox


def get_order(order_id: int) -> dict[str, Any]:
    """Looks up an order."""
    return {"order": order_id, "status": "sent"}


def stock(environ: Any, start_response: Any) -> list[bytes]:
    """The application's callback."""
    event = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({event["data"]["arguments"]["article"]: 3}).encode()]


@pytest.fixture
def stock_url() -> Iterator[str]:
    with make_server("127.0.0.1", 0, stock) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_help_desk_with_scripted_sandbox(interactor_sandbox: Sandbox, stock_url: str) -> None:
    user = get_client().namespace("org_a")
    order = user.tools.create(name="get_order", description="Looks up an order.", parameters={})
    count = user.tools.create(name="stock", description="Counts.", parameters={}, callback_url=stock_url)
    bot = user.assistants.create(name="Desk", model="gpt-4", system_prompt="", tools=[order.id, count.id])
    room = user.rooms.create(assistant_id=bot.id)
    interactor_sandbox.replies.add(when="hours", say="From nine to five.")
    interactor_sandbox.replies.add(when="order", call=("get_order", {"order_id": 7}), then="It left on Monday.")
    interactor_sandbox.replies.add(when="lamp", call=("stock", {"article": "lamp"}))
    assert user.messages.send(room.id, content="Your hours?").content == "From nine to five."
    with user.chat(room.id, "Where is my order?", tools=[get_order]) as reply:
        assert reply.message().content == "It left on Monday."
    with user.chat(room.id, "Do you have a lamp?") as reply:
        assert reply.message().content == 'Desk here. stock answered {"lamp": 3}.'
    credential = interactor_sandbox.add_credential("google", namespace="org_a")
    interactor_sandbox.expire_credential(credential["id"])
    with pytest.raises(ConflictError, match="connect the credential again"):
        user.credentials.get_token(credential["id"])
    interactor_sandbox.add_client("desk", "desk_secret", namespaces=["org_a"])
    desk = interactor_sandbox.client(client_id="desk", client_secret="desk_secret", namespace="org_b")
    with desk, pytest.raises(PermissionDeniedError, match="may use this namespace"):
        desk.rooms.list()
