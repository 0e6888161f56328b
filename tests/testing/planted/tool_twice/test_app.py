import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import make_server

import pytest

import app
from interactor_ext.sandbox import Sandbox

SEED = {
    "user_alice": {
        "tools": [{"id": "refund", "name": "refund", "description": "Gives money back.", "parameters": {}}],
        "assistants": [
            {"id": "desk", "name": "Desk", "model": "gpt-4", "system_prompt": "You help.", "tools": ["refund"]}
        ],
        "rooms": [{"id": "room_1", "assistant_id": "desk"}],
        "replies": [{"when": "broken", "call": ["refund", {"order": "A-7", "amount": 30}], "then": "It is done."}],
    }
}


@pytest.fixture(scope="session")
def interactor_sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    seed = tmp_path_factory.mktemp("seed") / "seed.json"
    seed.write_text(json.dumps(SEED))
    with Sandbox(seed=seed).run() as sandbox:
        yield sandbox


@pytest.fixture
def shop(
    interactor_sandbox: Sandbox, interactor_webhook_secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The application, as the platform reaches it."""
    monkeypatch.setattr(app, "DATABASE", tmp_path / "bank.db")
    with make_server("127.0.0.1", 0, app.router.wsgi) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with interactor_sandbox.client(namespace="user_alice") as user:
            url, events = f"http://127.0.0.1:{server.server_port}/", app.router.events
            user.webhooks.create(url=url, events=events, secret=interactor_webhook_secret)
        yield
        server.shutdown()


def test_customer_gets_the_money_back(interactor_sandbox: Sandbox, shop: None) -> None:
    with interactor_sandbox.client(namespace="user_alice") as user:
        user.messages.send("room_1", "The lamp came broken.")
        interactor_sandbox.run_until_idle()
        assert user.messages.list("room_1", order="desc").data[0].content == "It is done."
    assert ("A-7", 30) in app.refunds()


@pytest.mark.interactor_invariant
def no_order_is_refunded_twice(shop: None) -> None:
    assert max(Counter(order for order, _ in app.refunds()).values(), default=0) <= 1
