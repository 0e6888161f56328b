"""A delivery is verified, and counts once."""

from pathlib import Path

import pytest

import inbox
from interactor_ext.testing import WebhookFactory


def test_message_comes_once(
    interactor_webhook: WebhookFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "FOLDER", tmp_path)
    delivery = interactor_webhook("room.message.created", {"role": "user", "content": "Hello?"}, namespace="user_alice")
    assert delivery.tampered().send(inbox.router.asgi).status == 401
    assert [delivery.send(inbox.router.asgi).status for _ in range(2)] == [200, 200]
    assert inbox.messages() == [("user_alice", "Hello?")]
