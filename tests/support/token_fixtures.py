"""Pytest fixtures of tests whose clients have a token store."""

from __future__ import annotations

import pytest

import interactor_ext._interactor.tokens.store_access as store_access
from tests.support.waiting import PATIENCE


@pytest.fixture
def awaited_token_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients wait for their store however busy the machine is, instead of going on without it after two seconds."""
    monkeypatch.setattr(store_access, "_PATIENCE", PATIENCE)
