"""Fixtures of a PostgreSQL server, as a plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres_server import PostgresServer, postgres_server


@pytest.fixture(scope="module")
def postgres_of_module() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_of_module: PostgresServer) -> PostgresServer:
    """Without a table of ours."""
    postgres_of_module.run("DROP TABLE IF EXISTS interactor_webhook_claims")
    return postgres_of_module
