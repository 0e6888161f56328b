"""Prometheus alerts and Grafana dashboard: `promtool` accepts them, and each alert fires on scraped metrics."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from interactor_ext import AuthenticationError, InteractorError, RetryPolicy, StreamError
from interactor_ext.sandbox import Sandbox
from interactor_ext.telemetry import DASHBOARD, RULES, PrometheusTelemetry
from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker
from tests.support.virtual_time import StillClock
from tests.support.webhook_deliveries import SECRET, delivery

prometheus_client = pytest.importorskip("prometheus_client", reason="pip install prometheus-client")
pytest_plugins = ["tests.support.sandbox_fixtures"]
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"),
]
HERE = Path(__file__).parent
METRIC = re.compile(r"\binteractor_\w+")


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


def test_alert_thresholds_match_the_platforms() -> None:
    promtool("test", "rules", str(HERE / "alerts.test.yml"))


@pytest.fixture
def registry() -> Any:
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def telemetry(registry: Any) -> PrometheusTelemetry:
    return PrometheusTelemetry(registry)


def scrape(registry: Any) -> dict[str, float]:
    """Value by series, as a server would see it that scrapes this process."""
    from prometheus_client.parser import text_string_to_metric_families

    text = prometheus_client.generate_latest(registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        f"{sample.name}{{{','.join(f'{k}={json.dumps(v)}' for k, v in sorted(sample.labels.items()))}}}": sample.value
        for sample in samples
    }


def assert_firing(alerts: set[str], before: dict[str, float], after: dict[str, float], folder: Path) -> None:
    """Exactly these fire when one scrape comes a minute after the other."""
    series = [
        {
            "series": name.replace("{", '{job="app",instance="app:1"' + ("" if name.endswith("{}") else ","), 1),
            "values": f"{before.get(name, 0)!r} {value!r}",
        }
        for name, value in after.items()
    ]
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]
    question = {"expr": "group by (alertname) (ALERTS)", "eval_time": "1m", "exp_samples": expected}
    case = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [question]}],
    }
    file = folder / "scraped.yml"
    file.write_text(yaml.safe_dump(case))
    promtool("test", "rules", str(file))


Trouble = Callable[[Sandbox, PrometheusTelemetry], None]


def hurried(**more: Any) -> dict[str, Any]:
    return {"retry_policy": RetryPolicy(max_retries=0), "circuit_breaker": False, **more}


def none_at_all(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    with sandbox.client(telemetry=telemetry, **hurried()) as client:
        for _ in range(40):
            client.namespace("user_1").assistants.list()
    deliver(telemetry, fail=0, work=10, strangers=500)


def some_errors(sandbox: Sandbox, telemetry: PrometheusTelemetry, share: float = 0.08) -> None:
    with sandbox.client(telemetry=telemetry, **hurried()) as client:
        for number in range(100):
            if number < share * 100:
                sandbox.faults.add("list_assistants", status=503)
            try:
                client.assistants.list()
            except InteractorError:
                continue


def many_errors(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    some_errors(sandbox, telemetry, share=0.2)


def slowness(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    sandbox.faults.add("list_assistants", latency=5.05)
    with sandbox.client(telemetry=telemetry, **hurried()) as client:
        for _ in range(10):
            client.assistants.list()


def a_wrong_secret(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    for _ in range(4):  # a client that was refused makes no other token request for some seconds
        client = sandbox.client(telemetry=telemetry, **hurried(client_secret="a wrong one"))
        with client, pytest.raises(AuthenticationError):
            client.get_access_token()


def deliver(telemetry: PrometheusTelemetry, *, fail: int, work: int, strangers: int = 0) -> None:
    router = WebhookRouter(WebhookVerifier(SECRET), telemetry=telemetry)
    broken = True

    @router.on("*")
    def handle(event: Any) -> None:
        if broken:
            raise RuntimeError("the database is down")

    for number in range(fail + work):
        broken = number < fail
        router.handle(*delivery(key=f"idem_{number}"))
    for _ in range(strangers):
        router.handle(b"{}", {})


def broken_handlers(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    deliver(telemetry, fail=3, work=10)


def a_queue_without_workers(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    with SQLiteEventQueue(":memory:", clock=lambda: now) as queue:
        router = WebhookRouter(WebhookVerifier(SECRET), queue=queue, name="shop", telemetry=telemetry)
        now = 1000.0
        for key in ("dead", "waits"):
            queue.put(f"shop:{key}", b"")
        WebhookWorker(router).run_once()
        now += 301
        WebhookWorker(router).report()


def cut_streams(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    async def main() -> None:
        async with sandbox.async_client(telemetry=telemetry, namespace="user_1") as client:
            bot = await client.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
            room = await client.rooms.create(assistant_id=bot.id)
            for _ in range(60):  # one after the other: many at once are slow, and slowness has an alert of its own
                async with client.rooms.stream(room.id, max_reconnects=0) as stream:
                    await asyncio.to_thread(sandbox.disconnect_streams)
                    with pytest.raises(StreamError):
                        await anext(stream)

    asyncio.run(main())


def too_much(sandbox: Sandbox, telemetry: PrometheusTelemetry) -> None:
    with (
        Sandbox(enforce_limits=True, clock=StillClock()).run() as strict,
        strict.client(telemetry=telemetry, namespace="user_1", **hurried()) as client,
    ):
        for _ in range(60):  # of the 50 that a namespace may send at once
            try:
                client.assistants.list()
            except InteractorError:
                return


@pytest.mark.parametrize(
    ("trouble", "alerts"),
    [
        (none_at_all, set()),
        (some_errors, {"InteractorErrorRate"}),
        (many_errors, {"InteractorErrorRate", "InteractorErrorRateCritical"}),
        (slowness, {"InteractorLatencyP99"}),
        (a_wrong_secret, {"InteractorTokenRefreshFailures", "InteractorErrorRate", "InteractorErrorRateCritical"}),
        (broken_handlers, {"InteractorWebhookFailures"}),
        (a_queue_without_workers, {"InteractorWebhookQueueOld", "InteractorWebhookDeadLetters"}),
        (cut_streams, {"InteractorStreamDisconnects"}),
        (too_much, {"InteractorRateLimit"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_alert_fires_on_scraped_metrics(
    trouble: Trouble, alerts: set[str], sandbox: Sandbox, registry: Any, telemetry: PrometheusTelemetry, tmp_path: Path
) -> None:
    before = scrape(registry)
    trouble(sandbox, telemetry)
    assert_firing(alerts, before, scrape(registry), tmp_path)


def metrics_of(telemetry_registry: Any) -> set[str]:
    names = set()
    for family in telemetry_registry.collect():
        names.add(family.name + ("_total" if family.type == "counter" else ""))
        if family.type == "histogram":
            names |= {f"{family.name}_bucket", f"{family.name}_count", f"{family.name}_sum"}
    return names


def expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.mark.usefixtures("telemetry")
def test_dashboard_and_rules_name_existing_metrics(registry: Any, tmp_path: Path) -> None:
    known = metrics_of(registry)
    used = {name for expression in expressions() for name in METRIC.findall(expression)}
    assert used <= known
    assert set(METRIC.findall(RULES.read_text())) - {"interactor_ext"} <= known
    shown = {name.removesuffix("_bucket") for name in used}
    assert shown >= {name for name in known if not name.endswith(("_bucket", "_count", "_sum"))}


def test_every_dashboard_panel_can_be_evaluated(tmp_path: Path) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(at["x"], at["y"], at["w"], at["h"]) for at in (panel["gridPos"] for panel in panels)]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24
    filled = [each.replace("$__rate_interval", "1m").replace("$job", ".*") for each in expressions()]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))
