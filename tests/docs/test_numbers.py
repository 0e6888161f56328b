"""Numbers that pages of docs/ name are those of the code."""

from __future__ import annotations

import argparse
import re
from inspect import signature

import pytest

from interactor_ext import CircuitBreaker, InteractorConfig, RetryPolicy
from interactor_ext._engine import effects, pages
from interactor_ext._engine.calls import attempts, circuit_breaker
from interactor_ext._engine.limits import limiter, redis_buckets
from interactor_ext._engine.network import routes
from interactor_ext._engine.streams import state as stream_state
from interactor_ext._interactor.tokens import state as token_state
from interactor_ext._interactor.tokens import store_access
from interactor_ext._interactor.views import credential_auth, ensuring
from interactor_ext.chat import _room_queue
from interactor_ext.cli import chat, docs, mcp, operations
from interactor_ext.cli import sandbox as sandbox_command
from interactor_ext.limits import Tiers
from interactor_ext.relay import Relay
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.delivery import deliveries, outbox
from interactor_ext.sandbox.http import wire
from interactor_ext.sandbox.inspector import snapshot
from interactor_ext.sandbox.platform import actions, idempotency
from interactor_ext.sandbox.storage import journal
from interactor_ext.telemetry import RULES, _prometheus
from interactor_ext.testing import deliveries as signed
from interactor_ext.testing import explore_waits
from interactor_ext.tools import _ledger, _once_registry
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, _database, _postgres, _tasks, _threads
from interactor_ext.webhooks import signature as verifying
from interactor_ext.webhooks.stores import _contract
from interactor_ext.webhooks.worker import _process, _worker
from tests.benchmarks.measure import cpu_medians
from tests.support.pages import DOCS, ROOT
from tests.support.public_names import docstrings

HISTORY, EVENTS = signature(Sandbox).parameters, signature(MemoryEventStore).parameters
RELAY, ROUTER = signature(Relay).parameters, signature(WebhookRouter).parameters
CIRCUIT, RETRIES, TIERS = signature(CircuitBreaker).parameters, signature(RetryPolicy).parameters, Tiers()
RETRIED, TOLERANCE, OPERATIONS = InteractorConfig.max_retries, verifying._DEFAULT_TOLERANCE, operations.operations()
ATTEMPTS = (1 + RETRIED) * InteractorConfig.timeout
RECEIVER_SECONDS = deliveries.DeliveryOptions().timeout
LAST_ATTEMPT = sum(deliveries.WAITS) + len(deliveries.WAITS) * RECEIVER_SECONDS
STATIC = "interactor_ext/relay/static"


def stated(path: str, pattern: str) -> str:
    """What a file of the project says at the group of `pattern`."""
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"{path} doesn't say {pattern}"
    return found[1]


def threshold(alert: str, percent: int = 1) -> str:
    return f"{float(stated(str(RULES), rf'- alert: {alert}$.*?> ([0-9.]+)')) * percent:g}"


def ratio(what: str) -> float:
    """To httpx, as `make bench` has measured."""
    return float(stated("docs/benchmarks.md", rf"^. {what} . httpx [^|]+.[^|]+.\n. . interactor_ext . ([0-9.]+)"))


def seconds_of(constant: str) -> float:
    return int(stated(f"{STATIC}/interactor-chat-session.js", rf"^const {constant} = ([0-9_]+);")) / 1000


def default_of(option: str) -> float:
    """The default of an option of `interactor webhooks work`."""
    parser = argparse.ArgumentParser()
    _process.add_options(parser)
    return float(parser.get_default(option))


CHROME, FIREFOX, SAFARI = (
    stated("generator-templates/bundle.mjs", rf'"{name}([0-9]+)"') for name in ("chrome", "firefox", "safari")
)
BROWSERS = f"Chrome and Edge {CHROME}, Firefox {FIREFOX}, Safari {SAFARI} and newer"
SCRIPT = (ROOT / "interactor_ext" / "relay" / "built" / "interactor-chat.js.br").stat().st_size
PYTHON = stated("pyproject.toml", "requires-python = .>=([0-9.]+)")
PAGES = {
    "../README.md": [f"requires Python {PYTHON} or newer", f"only need `python3` ({PYTHON} or newer)"],
    "index.md": [f"requires Python {PYTHON} or newer"],
    "explanation/deadlines.md": [
        f"(at most {attempts.DEFAULT_CONNECT_TIMEOUT:g} seconds, and as long for TLS)",
        f"an attempt can take {attempts.DEFAULT_TIMEOUT:g} seconds",
        {(3, 120.0): "with three retries and their pauses, a call can take more than two minutes"}[RETRIED, ATTEMPTS],
        {2: "costs two seconds"}[store_access._PATIENCE],
    ],
    "explanation/receiver.md": [
        f"{_threads.STORE_SECONDS:g} seconds per call",
        {(3, 12.0): "complete the event four times within 12 seconds"}[
            len(_threads._RECORD_RETRY_DELAYS), _threads.STORE_SECONDS
        ],
        f"waits {deliveries.DeliveryOptions().timeout:g} seconds for the response",
        {(6, 9900.0): "makes six attempts within 2 h 45 min"}[1 + len(deliveries.WAITS), LAST_ATTEMPT],
        *{9750.0: ("down for longer than 2 h 42 min", "comes 2 h 42 min after the first")}[sum(deliveries.WAITS)],
        f"{TOLERANCE:g} seconds ahead",
        f"the limit is {TOLERANCE:g} seconds in both directions",
        {7 * 86_400: "seven days by default"}[_contract.DEFAULT_TTL],
    ],
    "explanation/retries.md": [
        *{86_400: ("and its response for 24 hours", "has its effect once in 24 hours")}[idempotency.LIFETIME],
        {5: "Five operations accept a key"}[sum(each.operation.idempotency_key for each in OPERATIONS.values())],
        {3: "retried up to three times"}[RETRIED],
        {1.0: "between zero and 1, 2, 4 ... seconds"}[RETRIES["base_delay"].default],
        f"If it exceeds {RETRIES['max_delay'].default:g} seconds",
        f"After {CIRCUIT['failures'].default} failed attempts in a row",
        f"After {CIRCUIT['failures'].default} failures in a row in one namespace",
        f"after {CIRCUIT['failures'].default} in a row from two or more namespaces",
        f"blocked for {CIRCUIT['cool_down'].default:g} seconds",
        {1000: "the thousand hosts and namespaces"}[circuit_breaker._MAX_KEPT],
        f"at most {RETRIES['max_delay'].default:g}, so",
        f"for {token_state._PAUSE:g} seconds after any other 4xx",
        f"After {stream_state.GIVE_UP_AFTER} failed connections in a row",
        f"its latest {_once_registry._MAX_REMEMBERED:,} calls",
    ],
    "explanation/security.md": [
        f"(`max_response_size`, {InteractorConfig.max_response_size // 1024**2} MiB)",
        f"only {TIERS.tokens.per_minute:g} token requests a minute",
    ],
    "explanation/transports.md": [f"each {routes.STAGGER:g} s after the one before"],
    "how-to/capacity.md": [
        f"at most {_threads._HANDLERS_AT_ONCE} at a time per router and process",
        {10: "503 after 10 seconds without a thread"}[effects._THREAD_SECONDS],
        f"at most {EVENTS['max_events'].default:,} (`max_events=`)",
        f"in batches of {_postgres._SWEEP_AT_MOST:,} rows",
        {9900.0: "retries for up to 2 h 45 min"}[LAST_ATTEMPT],
        {3600: "each process, once an hour, in batches"}[_postgres._SWEEP_EVERY],
        {3600: "at its first write of an hour"}[_database._SWEEP_EVERY],
        {7 * 86_400: "seven days by default"}[_contract.DEFAULT_TTL],
    ],
    "how-to/chat.md": [{30: "half a minute"}[round(sum(_room_queue._POLL_PAUSES) + _room_queue._LISTEN_SECONDS)]],
    "how-to/command-line.md": [
        f"its newest {mcp._NEWEST} requests and events",
        f"choose from the first {chat._SHOWN} assistants",
        f"serves on port {sandbox_command._PORT} until",
        {8: "find up to eight pages"}[docs._MAX_FOUND],
    ],
    "how-to/configure.md": [
        f"seconds for one attempt (default: {InteractorConfig.timeout:g})",
        f"how often a call is retried (default: {InteractorConfig.max_retries})",
        f"(default: {InteractorConfig.max_response_size // 1024**2} MiB)",
        f"a token is renewed (default: {InteractorConfig.token_refresh_buffer:g})",
    ],
    "how-to/connect-accounts.md": [{60: "again a minute before it expires"}[credential_auth._BUFFER]],
    "how-to/explore.md": [f"Sleeps of up to {explore_waits.POLL} s are real"],
    "how-to/first-visit.md": [{60: "is remembered for a minute"}[ensuring._REMEMBERED]],
    "how-to/go-live.md": [
        {2: "doesn't respond within two seconds"}[store_access._PATIENCE],
        {10: "tries the store again after ten"}[store_access._REST],
        {25: "answers with tools are finished | 30 s"}[RELAY["drain_timeout"].default],
        f"longer than `--grace` ({default_of('grace'):g} s)",
        f"more than {TOLERANCE} s slow",
        {9750: "After 2 h 42 min, the platform gives up"}[sum(deliveries.WAITS)],
        f"keeps messages for {stated('openapi.yaml', 'History is kept for (.+?) unless')}",
        f"workflow instances for {stated('openapi.yaml', 'Instances are kept for (.+?) after')} after their end",
        f"allows {TIERS.tokens.per_minute} token requests a minute",
    ],
    "how-to/inspect-the-sandbox.md": [
        f"Each list shows the newest {snapshot.NEWEST} entries",
        f"the newest {HISTORY['history'].default:,} (`Sandbox(history=)`)",
        f"the first {journal.MAX_SHOWN // 1024} KiB of each",
        f"the first {outbox.MAX_KEPT_BYTES:,} bytes",
        f"the first {journal.MAX_SHOWN // 1024} KiB of the newest {journal.RESPONSES}",
    ],
    "how-to/lists.md": [
        f"the ids of the last {pages._MAX_REMEMBERED:,} items",
        f"has yielded {pages._MAX_ADDED} items more than",
        f"{pages._MAX_FRUITLESS} pages in a row",
    ],
    "how-to/metrics.md": [
        f"after {_prometheus._MAX_CODES} different ones",
        f'`"hash"` ({16**_prometheus._HASH_DIGITS} groups of',
        f"every {_process._REPORT_SECONDS:g} seconds",
        f"more than {threshold('InteractorErrorRate', 100)} % or",
        f"or {threshold('InteractorErrorRateCritical', 100)} % of requests fail over 5 minutes",
        {"1": "the 99th percentile is above 5 s"}[threshold("InteractorLatencyP99", 100)],
        f"more than {threshold('InteractorTokenRefreshFailures')} token requests failed within 10 minutes",
        f"more than {threshold('InteractorWebhookFailures', 100)} % of deliveries fail over 5 minutes",
        {"300": "waited for more than 5 minutes"}[threshold("InteractorWebhookQueueOld")],
        f"more than {threshold('InteractorStreamDisconnects')} streams a minute disconnect",
        {"0.5": "300 requests a minute (half of the standard limit)"}[threshold("InteractorRateLimit")],
    ],
    "how-to/retries.md": [
        f"{TIERS.client.per_minute:g} calls a minute",
        f"{TIERS.namespace.per_minute:g} for each namespace",
        f"seconds for one attempt (default: {InteractorConfig.timeout:g})",
        f"how often a failed call is retried (default: {InteractorConfig.max_retries})",
        f"growing, random, at most {RETRIES['max_delay'].default:g} s",
        f"for {CIRCUIT['cool_down'].default:g} s after {CIRCUIT['failures'].default} failures in a row",
        {1: "waits for more than a second logs it"}[limiter._LONG_WAIT],
    ],
    "how-to/rotate-secrets.md": [
        f"sends no other for {token_state._PAUSE:g} seconds",
        {9900: "for up to 2 h 45 min"}[LAST_ATTEMPT],
    ],
    "how-to/sandbox.md": [
        f"can have up to {wire.MAX_BODY // 1024**2} MiB (413)",
        f"whose context exceeds {actions.MAX_CONTEXT // 1024} KiB fails",
        {9750: "span 2 h 42 min 30 s"}[sum(deliveries.WAITS)],
        {5: "makes six attempts"}[len(deliveries.WAITS)],
        {(30, 120, 600, 1800, 7200): "at once, then after 30 s, 2 min, 10 min, 30 min and 2 h"}[deliveries.WAITS],
        f"waits {RECEIVER_SECONDS:g} s for the response",
        f"ahead by more than {TOLERANCE} s",
    ],
    "how-to/streams.md": [{5: "at least five seconds"}[stream_state._MAX_FLOOR]],
    "how-to/tools.md": [
        f"latest {_once_registry._MAX_REMEMBERED:,} calls",
        {7 * 86_400: "seven days by default"}[_contract.DEFAULT_TTL],
    ],
    "how-to/typescript-client.md": [
        f"only {TIERS.tokens.per_minute} token requests a minute",
    ],
    "how-to/webhook-once.md": [
        f"keep up to {_postgres._MAX_CONNECTIONS} connections per process",
        f"doesn't respond within `timeout=` ({_contract.DEFAULT_TIMEOUT:g} s)",
        {7 * 86_400: "seven days by default"}[_contract.DEFAULT_TTL],
    ],
    "how-to/web-page.md": [
        f"more than the {RELAY['heartbeat'].default:g} s between heartbeats",
        f"can write {RELAY['writes_per_minute'].default} times a minute",
        f"read {RELAY['reads_per_minute'].default} times",
        f"have {RELAY['streams_per_namespace'].default} open streams",
        f"have `drain_timeout=` seconds (default: {RELAY['drain_timeout'].default:g})",
        {60: "up to a minute after the first process died"}[_ledger._LEASE],
    ],
    "how-to/webhook-worker.md": [
        f"`handler_timeout=` (default: {_worker._HANDLER_SECONDS:g} s)",
        {100: "a hundred handlers hang"}[_process._MAX_HANGING],
        {6 * 3600: "down to every six hours"}[_worker._MAX_SKIP_SECONDS],
        f"The platform waits {RECEIVER_SECONDS:g} seconds",
        {7 * 86_400: "the queue's `ttl`, a week"}[_contract.DEFAULT_TTL],
        f"a `maxReceiveCount` of {len(_tasks.PLATFORM_SCHEDULE) + 1}, one more than there are delays",
    ],
    "how-to/webhooks.md": [
        f"(default: the `lease`, {ROUTER['lease'].default:g} s)",
        f"The platform waits {RECEIVER_SECONDS:g} seconds",
    ],
    "benchmarks.md": [{9: "for at least nine rounds"}[signature(cpu_medians).parameters["rounds"].default]],
    "migration.md": [f"its {TIERS.tokens.per_minute} token requests a minute"],
    "reference": [
        f"one process and its latest {_once_registry._MAX_REMEMBERED:,} calls",
        {1000: "with a ledger, the newest thousand"}[_ledger._MAX_UNKNOWN],
        {2: "waits at most two seconds for Redis"}[redis_buckets._PATIENCE],
        {10: "one call probes Redis every ten seconds"}[redis_buckets._REST],
        {60: "a warning is logged once a minute"}[redis_buckets._SECONDS_BETWEEN_WARNINGS],
        {2: "a store that doesn't respond within two seconds"}[store_access._PATIENCE],
        {10: "it isn't used for the next ten"}[store_access._REST],
        f"up to {_postgres._MAX_CONNECTIONS} connections per process",
        f"up to {_postgres._MAX_CONNECTIONS} connections for each event loop",
        f"If Redis doesn't respond within {_threads.STORE_SECONDS:g} seconds",
        {9900: "(at most 2 h 45 min later)"}[LAST_ATTEMPT],
        f"The platform waits {RECEIVER_SECONDS:g} s for a response",
        f"(at most {effects._GRACE_SECONDS:g} s)",
        f"or else {_worker._HANDLER_SECONDS:g}.",
        f"every {_process._REPORT_SECONDS:g} seconds",
        f"into {16**_prometheus._HASH_DIGITS} groups",
        f"without a response in {signed.ANSWER_TIMEOUT:g} s",
        {7.2: "0.001 turns 2 hours into 7.2 s"}[deliveries.WAITS[-1] / 1000],
    ],
    "reference/chat-component.md": [
        {22: "one script of about 22 kB"}[round(SCRIPT / 1000)],
        BROWSERS,
        f"within {seconds_of('LONGEST_WAIT') / 60:g} minutes",
        f"every {seconds_of('QUIET'):g} s, and less often after a minute",
        f"React {stated(f'{STATIC}/package.json', ' .react.: .>=([0-9]+)')} or newer",
    ],
    "../CHANGELOG.md": [
        {22: "one script of 22 kB"}[round(SCRIPT / 1000)],
        {6: "about 60 % of the CPU time of one of httpx"}[round(ratio("a synchronous call") * 10)],
        {True: "an async one less than half"}[ratio("asynchronous calls, 1 in flight") < 0.5],
    ],
    "../CONTRIBUTING.md": [
        f"A test hangs after {stated('pyproject.toml', '^timeout = ([0-9]+)')} s",
        f"or {stated('tests/conftest.py', 'mark.timeout.([0-9]+)')} s if it is `full`",
    ],
    "../interactor_ext/relay/static/README.md": [BROWSERS],
}


@pytest.mark.parametrize("page", PAGES)
def test_numbers_of_the_page_are_those_of_the_code(page: str) -> None:
    text = docstrings() if page == "reference" else " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert [words for words in PAGES[page] if words not in text] == []
