"""`python -m tests.benchmarks.capacity`: what a delivery costs in each framework with each store, and what it leaves
there; into docs/how-to/capacity.md.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import httpx

from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.benchmarks.capacity_apps import STORES, handle, store_of
from tests.benchmarks.measure import cpu_medians
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import redis_server
from tests.support.served import GUNICORN, UVICORN, Served
from tests.support.webhook_deliveries import SECRET, delivery

T = TypeVar("T")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "capacity.md"
MARK = "<!-- `python -m tests.benchmarks.capacity` writes what follows. -->\n"
APPS = "tests.benchmarks.capacity_apps"
BY_GUNICORN = [*GUNICORN, "--worker-class", "gthread", "--threads", "4"]
FRAMEWORKS = {
    "plain ASGI, uvicorn": [*UVICORN, f"{APPS}:asgi"],
    "FastAPI, uvicorn": [*UVICORN, "--factory", f"{APPS}:fastapi"],
    "plain WSGI, gunicorn": [*BY_GUNICORN, f"{APPS}:wsgi"],
    "Flask, gunicorn": [*BY_GUNICORN, f"{APPS}:flask()"],
    "Django, gunicorn": [*BY_GUNICORN, f"{APPS}:django()"],
}
DELIVERIES, ROUNDS, ROWS = 100, 3, 1000
EVENTS_A_DAY, PEAK = 1_000_000, 10


def cost_of_routes(command: list[str], folder: Path) -> dict[str, float]:
    """The median CPU seconds of the server for one delivery to each route, which take turns."""
    with closing(Served(command, {}, folder)) as served, httpx.Client(base_url=served.origin, timeout=60) as client:

        def spend(route: str, count: int) -> float:
            deliveries = [delivery(key=f"idem_{random.getrandbits(64)}") for _ in range(count)]
            before = float(client.post("/bare", content=b"[1]").text)
            for body, headers in deliveries:
                answer = client.post(f"/{route}", content=body, headers=headers)
                assert answer.status_code == 200, (answer.text, served.printed())
            return (float(client.post("/bare", content=b"[1]").text) - before) / count

        times: dict[str, list[float]] = {route: [] for route in ("bare", *STORES)}
        for route in times:
            spend(route, 20)
        for _ in range(ROUNDS):
            for route in random.sample(list(times), len(times)):
                times[route].append(spend(route, DELIVERIES))
    return {route: statistics.median(values) for route, values in times.items()}


def bytes_of_row(kind: str, size: Any) -> float:
    """What one handled event takes, by the growth of what `size` returns."""
    with ExitStack() as stack:
        store = store_of(kind)
        stack.callback(getattr(store, "close", lambda: None))
        store.claim("first", "token", 60.0)
        before = size()
        for number in range(ROWS):
            key = f"shop:idem_{number:032x}"
            store.claim(key, f"{number:032x}", 60.0)
            store.complete(key, f"{number:032x}")
        return float(size() - before) / ROWS


def cost_of_handlers(count: int) -> float:
    """The CPU seconds of one delivery, without a server, where the last of so many handlers takes it."""
    router = WebhookRouter(WebhookVerifier(SECRET), MemoryEventStore())
    for number in range(count - 1):
        router.on(f"other.{number}.*")(handle)
    router.on("room.*")(handle)
    deliveries = iter([delivery(key=f"idem_{random.getrandbits(64)}") for _ in range(500 * (ROUNDS + 1))])

    def run() -> None:
        for _ in range(500):
            assert router.handle(*next(deliveries)).status == 200

    return cpu_medians({"": run}, rounds=ROUNDS)[""] / 500


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="capacity-")))
        server, socket = stack.enter_context(postgres_server()), stack.enter_context(redis_server())
        sqlite = folder / "events.db"
        os.environ |= {"CAPACITY_POSTGRESQL": server.dsn, "CAPACITY_REDIS": socket, "CAPACITY_SQLITE": str(sqlite)}
        with store_of("PostgreSQL") as store:
            store.create()
        import psycopg
        import redis

        connection = stack.enter_context(psycopg.connect(server.dsn, autocommit=True))
        client = stack.enter_context(redis.Redis(unix_socket_path=socket))
        relation = "SELECT pg_total_relation_size('interactor_webhook_claims')"
        tracemalloc.start()
        sizes = {
            "memory": lambda: tracemalloc.get_traced_memory()[0],
            "SQLite": lambda: sum(each.stat().st_size for each in folder.glob("events.db*") if "wal" not in each.name),
            "Redis": lambda: client.info("memory")["used_memory"],
            "PostgreSQL": lambda: connection.execute(relation).fetchone()[0],  # type: ignore[index]
        }
        rows = {kind: bytes_of_row(kind, size) for kind, size in sizes.items()}
        tracemalloc.stop()
        costs = {name: cost_of_routes(command, folder) for name, command in FRAMEWORKS.items()}
    handlers = cost_of_handlers(100) / cost_of_handlers(1)
    text = report(costs, rows, handlers)
    sys.stdout.write(text)
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK + text, encoding="utf-8")


def report(costs: dict[str, dict[str, float]], rows: dict[str, float], handlers: float) -> str:
    packages = ("fastapi", "uvicorn", "flask", "django", "gunicorn", "redis", "psycopg")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    where = f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}"
    routes = ["a bare route", *STORES]
    a_second = EVENTS_A_DAY / 86_400
    return "\n".join(
        [
            f"\nMeasured on {datetime.now(UTC):%Y-%m-%d} with {where}; {versions}.",
            *table(
                ["CPU time of a delivery", *routes],
                costs,
                lambda cost: [
                    f"{cost['bare'] * 1e6:,.0f} µs",
                    *(f"{cost[kind] / cost['bare']:.1f} x" for kind in STORES),
                ],
            ),
            *table(
                ["deliveries a second and core", *routes],
                costs,
                lambda cost: [f"{1 / seconds:,.0f}" for seconds in cost.values()],
            ),
            *table(
                [f"{EVENTS_A_DAY:,} events a day take of one core", "on average", f"{PEAK} times that"],
                costs,
                lambda cost: [f"{max(cost.values()) * events:.0%}" for events in (a_second, a_second * PEAK)],
            ),
            *table(
                ["a handled event takes", *rows],
                {"bytes": 1.0, f"GB, {EVENTS_A_DAY:,} a day for 7 days": EVENTS_A_DAY * 7 / 1e9},
                lambda times: [f"{size * times:,.1f}" for size in rows.values()],
            ),
            f"\nA delivery to the last of 100 handlers takes {handlers:.2f} x the CPU time of one to a sole handler.\n",
        ]
    )


def table(head: Sequence[str], lines: Mapping[str, T], cells: Callable[[T], Sequence[str]]) -> Iterator[str]:
    yield f"\n| {' | '.join(head)} |"
    yield "|---|" + "---:|" * (len(head) - 1)
    yield from (f"| {name} | {' | '.join(cells(line))} |" for name, line in lines.items())


if __name__ == "__main__":
    main()
