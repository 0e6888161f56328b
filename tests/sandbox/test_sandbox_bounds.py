"""Limits on the work and memory of one request, and that other requests are answered meanwhile."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.delivery import outbox
from interactor_ext.sandbox.delivery import webhook_queue as webhook_queue
from interactor_ext.sandbox.http import streams, wire
from interactor_ext.sandbox.http.streams import Streams
from interactor_ext.sandbox.http.strict_json import MAX_VALUES, UnstorableJson, parse_json, size_of
from interactor_ext.sandbox.platform.actions import Context, ContextTooLarge, perform
from interactor_ext.sandbox.platform.expressions import compile_expression
from interactor_ext.sandbox.platform.work import INLINE, MAX_WORK, Budget, TooMuchWork
from interactor_ext.sandbox.storage import journal
from interactor_ext.sandbox.storage.journal import Journal
from interactor_ext.sandbox.storage.records import Record
from tests.support.delivery_receiver import receiving
from tests.support.sandbox_caller import Caller, listening, problem

pytest_plugins = ["tests.support.sandbox_fixtures"]

END = {"name": "end", "type": "terminal"}
LARGE = {"rows": [[number, {}] for number in range(30_000)], "text": "x" * 50_000}


def machine(*actions: dict[str, Any], transitions: list[dict[str, str]] | None = None) -> dict[str, Any]:
    work = {"name": "work", "type": "action", "actions": list(actions), "transitions": transitions or [{"to": "end"}]}
    return {"name": "W", "initial_state": "work", "states": [work, END]}


def start(caller: Caller, definition: dict[str, Any], context: Any) -> dict[str, Any]:
    return caller.make(
        "/workflow-instances", workflow_id=caller.make("/workflows", **definition)["id"], context=context
    )


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr("interactor_ext.sandbox.platform.engine.perform", gate.perform)
    yield gate
    gate.open.set()


class Gate:
    """Blocks every workflow action, and its thread, until `open` is set."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def perform(self, *arguments: Any) -> Any:
        self.reached.set()
        assert self.open.wait(60)
        return perform(*arguments)


@contextmanager
def behind(gate: Gate, caller: Caller, path: str, body: Any, **options: Any) -> Iterator[Future[httpx.Response]]:
    """A request in progress; the gate opens at the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(caller.post, path, json=body, timeout=60, **options)
        assert gate.reached.wait(60)
        try:
            yield future
        finally:
            gate.open.set()
            future.exception(60)


def test_workflow_step_in_thread_does_not_block_other_requests(caller: Caller, gate: Gate) -> None:
    workflow = caller.make("/workflows", **machine({"type": "transform", "config": {"a": 1}}))["id"]
    body = {"workflow_id": workflow, "context": LARGE}
    with behind(gate, caller, "/workflow-instances", body) as future:
        assert caller.read("/workflow-instances") == []
        assert start(caller, machine(), {})["status"] == "completed"
        assert not future.done()
    assert future.result().json()["data"]["context"]["a"] == 1


def test_workflow_steps_of_one_instance_run_in_order(caller: Caller, gate: Gate) -> None:
    """Neither step is lost, and they do not overlap."""
    ask = {"name": "ask", "type": "halting", "transitions": [{"to": "work"}]}
    again = {
        "name": "work",
        "type": "action",
        "actions": [{"type": "transform", "config": {"n": ["{{ n }}", "{{ a }}", "{{ b }}"]}}],
        "transitions": [{"to": "ask"}],
    }
    instance = start(caller, {"name": "W", "initial_state": "ask", "states": [ask, again]}, LARGE)
    path = f"/workflow-instances/{instance['id']}"
    with ThreadPoolExecutor(1) as pool, behind(gate, caller, f"{path}/input", {"a": 1}) as first:
        second = pool.submit(caller.post, f"{path}/input", json={"b": 2}, timeout=60)
        assert caller.read(path)["context"] == LARGE
        gate.open.set()
        assert first.result().json()["data"]["context"]["n"] == [None, 1, None]
        assert second.result().json()["data"]["context"]["n"] == [[None, 1, None], 1, 2]


def test_reset_discards_workflow_step_in_progress(sandbox: Sandbox, caller: Caller, gate: Gate) -> None:
    workflow = caller.make("/workflows", **machine({"type": "email", "config": {"to": "a"}}))["id"]
    with behind(gate, caller, "/workflow-instances", {"workflow_id": workflow, "context": LARGE}) as future:
        sandbox.reset()
    problem(future.result(), 409, "CONFLICT")
    assert (list(sandbox.events), list(sandbox.emails)) == ([], [])
    with Caller(sandbox) as anew:
        assert anew.read("/workflow-instances") == []


def test_sandbox_stops_during_workflow_step(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr("interactor_ext.sandbox.platform.engine.perform", gate.perform)
    with ThreadPoolExecutor(1) as pool, ExitStack() as later:
        with Sandbox().run() as sandbox:
            caller = later.enter_context(Caller(sandbox))
            workflow = caller.make("/workflows", **machine({"type": "transform", "config": {}}))["id"]
            body = {"workflow_id": workflow, "context": LARGE}
            future = pool.submit(caller.post, "/workflow-instances", json=body, timeout=60)
            assert gate.reached.wait(60)
        assert isinstance(future.exception(60), httpx.TransportError)
        gate.open.set()


def test_fifty_actions_on_large_context_complete(caller: Caller) -> None:
    """Each value is measured once, however often an action copies it."""
    actions = [
        {"type": "transform", "config": {f"copy_{number % 2}": "{{ rows.7 }}", "n": number}} for number in range(50)
    ]
    instance = start(caller, machine(*actions), LARGE)
    assert (instance["status"], instance["context"]["n"]) == ("completed", 49)


COSTLY = {
    "comparisons": machine(transitions=[{"to": "end", "condition": " && ".join(["rows == rows"] * 100)}] * 20),
    "searches": machine(transitions=[{"to": "end", "condition": " || ".join(["rows in rows"] * 100)}] * 20),
    "texts": machine(*[{"type": "email", "config": {"body": "{{ rows }}" * 50}}] * 40),
    "copies": machine(*[{"type": "transform", "config": {"x": ["{{ rows }}"] * 500}}] * 40),
}


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    ["comparisons", "texts", "searches", "copies"],
)
def test_workflow_step_over_work_limit_fails_instance(sandbox: Sandbox, caller: Caller, name: str) -> None:
    instance = start(caller, COSTLY[name], {"rows": [[number] for number in range(60_000)]})
    assert instance["status"] == "failed"
    assert "more work than" in instance["error"] or "context grew" in instance["error"]
    assert sandbox.events[-1]["event"] == "workflow.instance.failed"
    assert caller.read("/workflow-instances") == [instance]


def test_condition_work_is_counted() -> None:
    rows = list(range(1000))
    for text in ("a == b", "a in c", " && ".join(["a == b"] * 3)):
        condition = compile_expression(text)
        assert condition({"a": rows, "b": list(rows), "c": [rows]}, Budget(10_000)) is True
        with pytest.raises(TooMuchWork):
            condition({"a": rows, "b": list(rows), "c": [rows]}, Budget(900))
    text = "x" * 2_000_000
    with pytest.raises(TooMuchWork):
        compile_expression("a <= b")({"a": text, "b": text}, Budget(1_000))


def test_action_work_is_counted() -> None:
    text = {"big": ["x" * 100] * 1000}
    for config in ({"a": ["{{ big }} "] * 100}, {"a": [{} for _ in range(20_000)]}, {"a": "y" * 200_000}):
        context = Context(text, Budget(MAX_WORK))
        with pytest.raises(TooMuchWork):
            perform({"type": "email", "config": config}, context, Budget(10_000), lambda _: None)
    with pytest.raises(TooMuchWork):
        Context({"a": [[] for _ in range(50_000)]}, Budget(INLINE))


def test_context_size_and_depth_are_limited_across_merges() -> None:
    context = Context({"a": "x" * 100_000}, Budget(MAX_WORK))
    context.merge({"b": "x" * 100_000})
    context.merge({"b": "x" * 140_000})
    with pytest.raises(ContextTooLarge):
        context.merge({"c": "x" * 100_000})
    assert context.weight == size_of(context.values, 10**9).weight
    twice = Context({"a": ["x" * 100_000]}, Budget(MAX_WORK))
    with pytest.raises(ContextTooLarge):
        twice.merge({"b": [twice.values["a"]] * 2})
    deep: Any = []
    for _ in range(60):
        deep = [deep]
    nested = Context({"a": deep}, Budget(MAX_WORK))
    with pytest.raises(ContextTooLarge):
        nested.merge({"b": [[[nested.values["a"]]]]})


def test_index_of_thousands_of_digits_resolves_to_null(caller: Caller) -> None:
    config = {"a": "{{ rows." + "9" * 5000 + " }}", "b": "{{ rows.1 }}"}
    context = start(caller, machine({"type": "transform", "config": config}), {"rows": [1, 2]})["context"]
    assert (context["a"], context["b"]) == (None, 2)


def test_seed_may_contain_large_workflow_instance(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    definition = {"id": "wf_1", **machine({"type": "transform", "config": {"n": 1}})}
    groups = {
        "workflows": [definition],
        "workflow_instances": [{"workflow_id": "wf_1", "context": {"rows": [[]] * 10_000}}],
    }
    seed.write_text(json.dumps({"user_1": groups}))
    with Sandbox(seed=seed).run() as sandbox:
        for _ in range(2):
            with Caller(sandbox) as caller:
                [instance] = caller.read("/workflow-instances")
                assert (instance["status"], instance["context"]["n"]) == ("completed", 1)
            sandbox.reset()


BOT = {"name": "B", "model": "m", "system_prompt": ""}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/assistants", {**BOT, "tools": [1] * MAX_VALUES}, ""),
        ("/assistants", {**BOT, "tools": [1] * 100_000}, "tools[0]"),
        ("/assistants", {**BOT, **{f"key_{number}": 1 for number in range(100_000)}}, "key_0"),
        ("/webhooks", {"url": "https://a.test", "events": [{"a": number} for number in range(20_000)]}, "events[0]"),
        ("/webhooks", {"url": "https://a.test", "events": ["credential.expired"] * 30_000}, "events"),
        ("/workflows", {"name": "W", "initial_state": "a", "states": [{}] * 100_000}, "states[0].name"),
        ("/workflows", machine(*[{"type": "email", "config": {"body": "x" * 5_000}}] * 100), ""),
        ("/workflows", machine(transitions=[{"to": "none", "condition": "("}] * 2_000), "states[0].transitions[0].to"),
    ],
)
def test_oversized_body_returns_422_with_short_error(caller: Caller, path: str, body: Any, field: str) -> None:
    refused = caller.post(path, json=body, timeout=60)
    found = problem(refused, 422, "VALIDATION_ERROR")
    assert field in found
    assert len(found) <= 50
    assert len(refused.content) < 20_000


def test_json_with_too_many_values_is_rejected_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing them would block every thread: json.loads holds the GIL."""
    commas = "," * MAX_VALUES
    assert parse_json(json.dumps([commas, "\\", commas])) == [commas, "\\", commas]
    monkeypatch.setattr("interactor_ext.sandbox.http.strict_json.json.loads", lambda *_, **__: pytest.fail("was read"))
    for text in (f"[1{',1' * MAX_VALUES}]", f'["a\\"b",{commas}', f"[{commas}" + '"' + '\\"' * 200_000):
        with pytest.raises(UnstorableJson, match="more than 250000 values"):
            parse_json(text)


def test_message_with_too_many_tool_calls_returns_422(caller: Caller) -> None:
    tool = caller.make("/tools", name="t", description="", parameters={})["id"]
    path = f"/rooms/{caller.room(tools=[tool])['id']}/messages"
    for lines in (["/tool t"] * 101, ["/tool nobody"] * 200_000):
        refused = caller.post(path, json={"content": "\n".join(lines)}, timeout=60)
        assert set(problem(refused, 422, "VALIDATION_ERROR")) == {"content"}
    assert caller.read(path) == []
    asking = caller.make(path, content="\n/then\n".join(["/tool t"] * 100) + "\n/then" * 100_000)
    assert len(asking["tool_calls"]) == 1


@pytest.mark.parametrize("content", ["a " * 300_000, "\n" * 600_000])
def test_long_message_is_streamed_in_at_most_1000_pieces(caller: Caller, content: str) -> None:
    room = f"/rooms/{caller.room()['id']}"
    with listening(caller, f"{room}/stream") as stream:
        answer = caller.make(f"{room}/messages", content=content)
        events = stream.until("message.complete")
    words = [event["content"] for event in events if event["type"] == "message.delta"]
    assert len(words) <= 1000
    assert "".join(words) == answer["content"] == f"Bot here. You said: {content}"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/oauth/initiate", {"provider": "google", "redirect_uri": "https://a.test/?" + "&" * 8_000}, "redirect_uri"),
        ("/webhooks", {"url": "https://a.test/" + "a" * 8_000, "events": ["credential.expired"]}, "url"),
    ],
)
def test_overlong_url_returns_422(caller: Caller, path: str, body: Any, field: str) -> None:
    assert set(problem(caller.post(path, json=body), 422, "VALIDATION_ERROR")) == {field}


def test_oversized_page_returns_422(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    room = f"/rooms/{caller.room()['id']}"
    for number in range(5):
        caller.make(f"{room}/messages", content=f"{number}" + "x" * 400_000, role="system")
    listed = caller.get(f"{room}/messages?per_page=4").json()
    assert [message["content"][0] for message in listed["data"]] == ["0", "1", "2", "3"]
    assert (listed["meta"]["total"], listed["meta"]["has_more"]) == (5, True)
    monkeypatch.setattr(wire, "MAX_PAGE", 1_000_000)
    assert set(problem(caller.get(f"{room}/messages"), 422, "VALIDATION_ERROR")) == {"per_page"}
    assert len(caller.read(f"{room}/messages?per_page=2")) == 2


def test_journal_is_bounded_in_bytes_and_keeps_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_SIZE", 10_000)
    kept: Journal[int] = Journal(100)
    for number in range(5):
        kept.append(number, 4_000)
    assert list(kept) == [3, 4]
    kept.append(5, 50_000)
    assert list(kept) == [5]
    kept.clear()
    for number in range(200):
        kept.append(number)
    assert len(kept) == 10


def test_recorded_request_bodies_are_bounded(sandbox: Sandbox, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_SIZE", 300_000)
    room = f"/rooms/{caller.room()['id']}"
    for _ in range(8):
        caller.patch(room, json={"metadata": {"text": "x" * 100_000}})
        caller.make(f"{room}/messages", content="x" * 100_000, role="system")
    assert len(sandbox.requests) == 2
    assert len(sandbox.events) == 2
    control = sandbox.core_api_url.replace("/api/v1", "/_sandbox")
    assert len(httpx.get(f"{control}/requests").json()["requests"]) == 2
    assert httpx.get(f"{control}/events").json()["events"] == list(sandbox.events)


def test_stream_channel_is_bounded_in_bytes_and_keeps_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 10_000)
    kept = Streams(keep=1000)
    for number in range(20):
        kept.emit("room", {"type": "message.delta", "content": f"{number:2}" + "x" * 1_000})
    events = kept._channels["room"].after(0)
    assert 4 <= len(events) <= 10
    assert events[-1].startswith(b"id: 20\n")
    kept.emit("room", {"type": "message.delta", "content": "x" * 50_000})
    assert [event[:7] for event in kept._channels["room"].after(0)] == [b"id: 21\n"]


def test_webhook_queue_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_queue, "MAX_SIZE", 1_000)
    queue = webhook_queue.WebhookQueue(Record("webhook", "wh_1", "", "", {}, {}))
    for number in range(3):
        assert not queue.is_full
        queue.add(webhook_queue.PendingDelivery(f"{number}", {}, b"x" * 400, due=0.0))
    assert queue.is_full
    assert len(list(queue.take(now=1.0))) == 3
    assert not queue.is_full


def test_concurrent_deliveries_are_bounded_across_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "AT_ONCE", 3)
    with receiving() as (receiver, url), Sandbox().run() as sandbox, Caller(sandbox) as caller:
        receiver.hang()
        for _ in range(10):
            caller.make("/webhooks", url=url, events=["credential.connected"])
        sandbox.add_credential("google", namespace="user_1")
        receiver.wait(3)
        assert len(receiver.got) == 3
        receiver.go_on.set()
        sandbox.wait_for_deliveries(60)
        assert [delivery.status for delivery in sandbox.deliveries] == [200] * 10


def test_event_is_encoded_once_for_all_webhooks(sandbox: Sandbox, caller: Caller) -> None:
    for _ in range(20):
        caller.make("/webhooks", url="http://127.0.0.1:9/", events=["room.message.created"])
    sandbox.delivery.delay = 1e6
    room = f"/rooms/{caller.room()['id']}"
    tracemalloc.start()
    try:
        caller.make(f"{room}/messages", content="x" * 1_000_000, role="system")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15_000_000
