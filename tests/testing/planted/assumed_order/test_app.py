from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import make_server

import pytest

import app
from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox


@pytest.fixture
def user(
    interactor_client: InteractorClient, interactor_webhook_secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractorClient]:
    """A customer whose events reach the application."""
    monkeypatch.setattr(app, "DATABASE", tmp_path / "accounts.db")
    user = interactor_client.namespace("user_alice")
    with make_server("127.0.0.1", 0, app.router.wsgi) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        user.webhooks.create(url=url, events=app.router.events, secret=interactor_webhook_secret)
        yield user
        server.shutdown()


def test_connected_account_is_on_the_page(interactor_sandbox: Sandbox, user: InteractorClient) -> None:
    account = interactor_sandbox.add_credential("google", namespace="user_alice")["id"]
    interactor_sandbox.run_until_idle()
    assert app.accounts("user_alice") == {account: "connected"}


def test_page_asks_to_connect_an_expired_account_again(interactor_sandbox: Sandbox, user: InteractorClient) -> None:
    account = interactor_sandbox.add_credential("google", namespace="user_alice")["id"]
    interactor_sandbox.wait_for_deliveries()
    interactor_sandbox.expire_credential(account)
    interactor_sandbox.run_until_idle()
    assert account in app.accounts("user_alice")


@pytest.mark.interactor_invariant
def page_shows_what_the_platform_knows(user: InteractorClient) -> None:
    known = {each.id: "expired" if each.status == "expired" else "connected" for each in user.credentials.iterate()}
    assert app.accounts("user_alice") == known
