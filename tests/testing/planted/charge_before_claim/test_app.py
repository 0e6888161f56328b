from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from app import app, database
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the application, with a database of its own."""
    monkeypatch.setitem(app.config, "DATABASE", tmp_path / "fees.db")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/webhooks"
    server.shutdown()


def charged() -> list[str]:
    with closing(database()) as db:
        return [account for (account,) in db.execute("SELECT account FROM charges ORDER BY account")]


def test_forged_event_charges_nobody(interactor_webhook: WebhookFactory, shop: str) -> None:
    assert interactor_webhook("credential.connected").tampered().post(shop).status == 401


def test_each_account_is_charged(interactor_sandbox: Sandbox, interactor_webhook_secret: str, shop: str) -> None:
    with interactor_sandbox.client(namespace="user_alice") as user:
        user.webhooks.create(url=shop, events=["credential.connected"], secret=interactor_webhook_secret)
    accounts = [interactor_sandbox.add_credential(name, namespace="user_alice")["id"] for name in ("google", "slack")]
    interactor_sandbox.run_until_idle()
    assert set(charged()) == set(accounts)


@pytest.mark.interactor_invariant
def no_account_is_charged_twice(shop: str) -> None:
    assert len(charged()) == len(set(charged()))
