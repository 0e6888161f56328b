"""Many processes on one store, duplicates in any order, kill -9 inside handlers and of the server: each event is
completed once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.webhooks import (
    ClaimState,
    PostgresEventQueue,
    PostgresEventStore,
    RedisEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookRouter,
    WebhookVerifier,
    _threads,
    sign,
)
from tests.support.cases import NIGHTLY
from tests.support.postgres_server import PostgresServer, killing
from tests.support.webhook_deliveries import SECRET, body_of
from tests.support.webhook_fleet import NAME, Fleet, receive, work

pytest_plugins = ["tests.support.server_fixtures"]

Open = Callable[[], Any]
# How many events, deliveries and killed processes the long forms have.
EVENTS, DELIVERIES, VICTIMS = (6000, 10_000, 40) if NIGHTLY else (120, 240, 4)


def open_redis(socket: str) -> RedisEventStore:
    from redis import Redis

    return RedisEventStore(Redis(unix_socket_path=socket))


def open_postgres(kind: Callable[[str], Any], dsn: str) -> Any:
    # A killed server is away for longer than what has been handled waits to be recorded.
    _threads._RECORD_RETRY_DELAYS = (0.5,) * 100  # type: ignore[assignment]
    _threads.STORE_SECONDS = 60.0
    return kind(dsn)


@pytest.fixture(params=["redis", "sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "sqlite":
        return partial(SQLiteEventStore, tmp_path / "webhooks.db", timeout=30)
    if request.param == "redis":
        return partial(open_redis, request.getfixturevalue("redis_socket"))
    return with_table(request.getfixturevalue("postgres"))


def with_table(server: PostgresServer, kind: Any = PostgresEventStore) -> Open:
    with kind(server.dsn) as store:
        store.create()
    return partial(open_postgres, kind, server.dsn)


def kills_of_the_server() -> list[int]:
    """After how many completed events."""
    return [EVENTS * part // 6 for part in range(1, 6)]


def deliveries(chance: random.Random) -> list[bytes]:
    """Of each event at least one, of some many, copies near and far, out of order."""
    keys = [*range(EVENTS), *(chance.randrange(EVENTS) for _ in range(DELIVERIES - EVENTS))]
    keys.sort(key=lambda number: number + chance.choice([3, 300]) * chance.random())
    return [body_of(key=f"idem_{number}") for number in keys]


def check_deliveries(
    open_store: Open,
    *,
    lease: float = 20,
    size: int = 4,
    meanwhile: Callable[[int], None] = lambda completions: None,
) -> None:
    chance = random.Random(EVENTS)
    keys = [f"idem_{number}" for number in range(EVENTS)]
    doomed = chance.sample(keys, VICTIMS)
    fleet = Fleet(receive, open_store, size=size, lease=lease, victims=doomed)

    def done() -> bool:
        meanwhile(fleet.completions.total())
        return fleet.answers[200] == DELIVERIES

    fleet.run(deliveries(chance), done)
    fleet.close()

    assert fleet.kills == Counter(doomed)
    assert fleet.completions == Counter(keys)
    assert fleet.runs == Counter(keys) + fleet.kills
    assert set(fleet.answers) <= {200, 503}
    store = open_store()
    with closing(store) if hasattr(store, "close") else nullcontext():
        assert {store.claim(f"{NAME}:{key}", "late", 60) for key in keys} == {ClaimState.COMPLETED}


@pytest.mark.full
def test_every_event_is_completed_once_with_killed_processes(open_store: Open) -> None:
    check_deliveries(open_store)


@pytest.mark.full
def test_every_event_is_completed_once_with_killed_processes_and_killed_server(postgres: PostgresServer) -> None:
    to_come = kills_of_the_server()
    check_deliveries(with_table(postgres), lease=30, size=8, meanwhile=killing(postgres, to_come))
    assert to_come == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "postgres, killed"])
def test_every_queued_event_is_completed_once_by_workers(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    open_queue: Open = partial(SQLiteEventQueue, tmp_path / "queue.db", timeout=30)
    to_come = kills_of_the_server() if "killed" in kind else []
    if kind != "sqlite":
        server = request.getfixturevalue("postgres")
        open_queue, kill = with_table(server, PostgresEventQueue), killing(server, to_come)
    chance = random.Random(EVENTS)
    keys = [f"idem_{number}" for number in range(EVENTS)]
    with open_queue() as queue:
        receiver = WebhookRouter(WebhookVerifier(SECRET), name=NAME, queue=queue)
        answers = [receiver.handle(body, sign(body, SECRET)) for body in deliveries(chance)]
    assert Counter(answer.status for answer in answers) == {200: DELIVERIES}

    doomed = chance.sample(keys, VICTIMS)
    fleet = Fleet(work, open_queue, size=4, lease=30 if to_come else 15, victims=doomed)

    def done() -> bool:
        if to_come:
            kill(fleet.completions.total())
        return fleet.completions.total() == EVENTS

    fleet.run(["empty the queue"] * 4, done)
    fleet.close()
    assert fleet.kills == Counter(doomed)
    assert fleet.completions == Counter(keys)
    assert fleet.runs == Counter(keys) + fleet.kills
    with open_queue() as queue:
        assert queue.dead_letters() == []
    assert to_come == []
