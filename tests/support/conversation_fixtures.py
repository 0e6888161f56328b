"""Pytest fixtures for tests that wait for replies, in addition to `sandbox_fixtures`."""

from __future__ import annotations

import pytest

import interactor_ext._interactor.views.status_waits as status_waits
from interactor_ext.chat import _room_queue, _state
from interactor_ext.retry import RetryPolicy


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts and between polls of a room last milliseconds. For how long it polls doesn't change."""
    pauses = [
        (RetryPolicy, "backoff", lambda policy, failures: 0.005),
        (_state, "_POLL_PAUSES", (0.01,) * 900),
        (_room_queue, "_POLL_PAUSES", (0.01,) * 3000),
        (status_waits, "_FIRST_PAUSE", 0.01),
    ]
    for place, name, value in pauses:
        monkeypatch.setattr(place, name, value)
