"""A plugin with fixtures of PostgreSQL and Redis: one server of each for the whole run, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.redis_server import redis_server


@pytest.fixture(scope="session")
def postgres_of_run() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_of_run: PostgresServer) -> PostgresServer:
    """Without any of our tables."""
    postgres_of_run.run("DROP TABLE IF EXISTS interactor_webhook_claims, interactor_webhook_queue")
    return postgres_of_run


@pytest.fixture(scope="session")
def redis_of_run() -> Iterator[str]:
    with redis_server() as socket:
        yield socket


@pytest.fixture
def redis_socket(redis_of_run: str, redis: Any) -> str:
    """The socket of a Redis without keys."""
    return redis_of_run


@pytest.fixture
def redis(redis_of_run: str) -> Iterator[Any]:
    from redis import Redis

    with Redis(unix_socket_path=redis_of_run) as client:
        client.flushall()
        yield client
