"""Workflow instances: transitions, waiting states, failures and ends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from interactor_ext import ConflictError
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookVerifier, WorkflowInstanceFailedEvent
from tests.support.modes import opened, sync_and_async
from tests.support.sandbox_caller import END, WAITING, Caller, check_event, listening, problem
from tests.support.scripted_server import receiving

pytest_plugins = ["tests.support.sandbox_fixtures"]


def action(name: str, to: str, **config: Any) -> dict[str, Any]:
    actions = [{"type": "transform", "config": config}] if config else []
    return {"name": name, "type": "action", "actions": actions, "transitions": [{"to": to}]}


def halting(name: str, *transitions: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "halting", "transitions": list(transitions), **more}


def path(instance: dict[str, Any]) -> str:
    return f"/workflow-instances/{instance['id']}"


def happened(sandbox: Sandbox) -> list[str]:
    for event in sandbox.events:
        check_event("WebhookEvent", "event", event)
    return [event["event"].removeprefix("workflow.instance.") for event in sandbox.events]


def test_action_states_run_to_terminal_state(sandbox: Sandbox, caller: Caller) -> None:
    instance = caller.start(action("one", "two", a=1), action("two", "end", b={"c": [2]}), END, a=0, z=9)
    assert (instance["status"], instance["current_state"]) == ("completed", "end")
    assert instance["context"] == {"a": 1, "z": 9, "b": {"c": [2]}}
    assert happened(sandbox) == ["started", "state_changed", "state_changed", "completed"]
    changes = [event["data"] for event in sandbox.events if event["event"].endswith("state_changed")]
    assert [(each["previous_state"], each["current_state"]) for each in changes] == [("one", "two"), ("two", "end")]


@pytest.mark.parametrize(("total", "end"), [(50, "small"), (500, "large"), (5000, "huge")])
def test_first_true_condition_decides_transition(caller: Caller, total: int, end: str) -> None:
    transitions = [
        {"to": "small", "condition": "total < 100"},
        {"to": "large", "condition": "total < 1000"},
        {"to": "huge"},
    ]
    judge = {"name": "judge", "type": "action", "transitions": transitions}
    ends = [{"name": name, "type": "terminal"} for name in ("small", "large", "huge")]
    assert caller.start(judge, *ends, total=total)["current_state"] == end


def test_halted_instance_waits_until_input_satisfies_condition(sandbox: Sandbox, caller: Caller) -> None:
    presentation = {"type": "approval", "config": {"title": "Well?"}}
    review = halting("review", {"to": "end", "condition": "approved == true"}, presentation=presentation)
    instance = caller.start(review, END, order=7)
    with listening(caller, f"{path(instance)}/stream", headers={"last-event-id": "0"}) as stream:
        assert (instance["status"], instance["current_state"]) == ("halted", "review")
        waiting = caller.make(f"{path(instance)}/input", approved=False, note="no")
        assert (waiting["status"], waiting["context"]) == ("halted", {"order": 7, "approved": False, "note": "no"})
        done = caller.make(f"{path(instance)}/input", approved=True)
        assert (done["status"], done["current_state"]) == ("completed", "end")
        changed, halted, ended, _ = stream.end()
    assert changed == {"type": "workflow.state_changed", "state": "review", "context": {"order": 7}}
    assert halted == {"type": "workflow.halted", "presentation": presentation}
    assert (ended["state"], ended["context"]) == ("end", done["context"])
    assert happened(sandbox) == ["started", "halted", "state_changed", "completed"]


def test_state_may_transition_to_itself(sandbox: Sandbox, caller: Caller) -> None:
    ask = halting("ask", {"to": "end", "condition": "name"}, {"to": "ask"})
    instance = caller.start(ask, END)
    assert caller.make(f"{path(instance)}/input", age=3)["status"] == "halted"
    assert caller.make(f"{path(instance)}/input", name="Ada")["status"] == "completed"
    assert happened(sandbox).count("halted") == 2


def test_event_takes_its_transition(caller: Caller) -> None:
    wait = halting(
        "wait",
        {"to": "no", "event": "reject"},
        {"to": "end", "event": "approve", "condition": "level > 2"},
        {"to": "no", "condition": "late"},
    )
    states = [wait, END, {"name": "no", "type": "terminal"}]
    instance = caller.start(*states)
    problem(caller.post(f"{path(instance)}/events", json={"event": "lunch"}), 409, "CONFLICT")
    refused = caller.post(f"{path(instance)}/events", json={"event": "approve", "payload": {"level": 1}})
    problem(refused, 409, "CONFLICT")
    assert caller.read(path(instance))["context"] == {}
    done = caller.make(f"{path(instance)}/events", event="approve", payload={"level": 3})
    assert (done["current_state"], done["context"]) == ("end", {"level": 3})
    rejected = caller.start(*states)
    caller.delete(f"/workflows/{rejected['workflow_id']}")  # its instances go on
    assert caller.make(f"{path(rejected)}/events", event="reject")["current_state"] == "no"


def test_action_state_with_event_transitions_waits_running(caller: Caller) -> None:
    poll = {"name": "poll", "type": "action", "transitions": [{"to": "end", "event": "arrived"}]}
    instance = caller.start(poll, END)
    assert instance["status"] == "running"
    problem(caller.post(f"{path(instance)}/input", json={}), 409, "CONFLICT")
    assert caller.make(f"{path(instance)}/events", event="arrived")["status"] == "completed"


def test_action_state_without_matching_transition_fails(sandbox: Sandbox, caller: Caller) -> None:
    stuck = {"name": "stuck", "type": "action", "transitions": [{"to": "end", "condition": "never"}]}
    instance = caller.start(stuck, END)
    assert instance["status"] == "failed"
    assert instance["error"] == "no transition of the state stuck matches"
    assert happened(sandbox) == ["started", "failed"]
    assert sandbox.events[-1]["data"]["error"] == instance["error"]
    with listening(caller, f"{path(instance)}/stream", headers={"last-event-id": "0"}) as stream:
        assert [event["type"] for event in stream.end()] == ["workflow.state_changed", "error", "done"]
        assert stream.events[1]["error"] == instance["error"]


@sync_and_async
async def test_workflow_that_is_told_to_fail_ends_its_stream_and_reaches_webhooks(sandbox: Sandbox, mode: str) -> None:
    async with opened(mode, sandbox._with_connection({"namespace": "user_1"})) as user:
        workflow = await user.workflows.create(name="Order", states=WAITING, initial_state="ask")
        instance = await user.workflow_instances.start(workflow_id=workflow.id)
        with receiving() as (receiver, url):
            await user.webhooks.create(url=url, events=["workflow.instance.failed"], secret="whsec_1")
            async with user.workflow_instances.stream(instance.id) as stream:
                failed = sandbox.fail_workflow(instance.id, error="The shop did not answer.")
                assert [event.error async for event in stream if event.type == "error"] == ["The shop did not answer."]
            sandbox.wait_for_deliveries(60)
        [got] = receiver.got
        event = WebhookVerifier("whsec_1").verify(got.body, got.headers)
        assert isinstance(event, WorkflowInstanceFailedEvent)
        assert (event.data.instance_id, event.data.error) == (instance.id, "The shop did not answer.")
        assert (await user.workflow_instances.get(instance.id)).status == failed["status"] == "failed"
        with pytest.raises(ConflictError):
            await user.workflow_instances.submit_input(instance.id, body={})


def test_only_instance_that_is_not_over_can_be_told_to_fail(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    instance = caller.start()
    url = f"/workflow-instances/{instance['id']}/fail"
    problem(control.post(url, json={"reason": "none"}), 422, "VALIDATION_ERROR")
    answer = control.post(url)
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"] == "The sandbox was told to fail here."
    assert happened(sandbox)[-1] == "failed"
    problem(control.post(url), 409, "CONFLICT")
    problem(control.post("/workflow-instances/wfi_no/fail"), 404, "NOT_FOUND")
    with pytest.raises(ValueError, match="is already failed"):
        sandbox.fail_workflow(instance["id"])


def test_workflow_loop_fails_instance(caller: Caller) -> None:
    instance = caller.start(action("a", "b"), action("b", "a"))
    assert instance["status"] == "failed"
    assert "loops" in instance["error"]


def test_growing_context_fails_at_size_limit(caller: Caller) -> None:
    instance = caller.start(*(action(name, "end", **{name: "x" * 40_000}) for name in "ab"), END)
    assert instance["status"] == "completed"
    instance = caller.start(action("a", "b", a="x" * 40_000), action("b", "end", b="x" * 40_000), END)
    assert (instance["status"], instance["error"]) == ("failed", "the context grew beyond 64 KiB")


def test_oversized_context_returns_422(caller: Caller) -> None:
    large = {"text": "x" * 1_000_001}
    instance = caller.start(halting("wait", {"to": "wait", "event": "again"}))
    body = {"workflow_id": instance["workflow_id"], "context": large}
    assert "context" in problem(caller.post("/workflow-instances", json=body), 422, "VALIDATION_ERROR")
    problem(caller.post(f"{path(instance)}/input", json=large), 422, "VALIDATION_ERROR")
    event = {"event": "again", "payload": large}
    problem(caller.post(f"{path(instance)}/events", json=event), 422, "VALIDATION_ERROR")
    assert caller.read(path(instance)) == instance


def test_ended_instance_rejects_input_events_and_cancel(sandbox: Sandbox, caller: Caller) -> None:
    wait = halting("wait", {"to": "wait", "event": "again"})
    cancelled = caller.start(wait)
    assert caller.post(f"{path(cancelled)}/cancel").status_code == 204
    assert caller.read(path(cancelled))["status"] == "cancelled"
    assert happened(sandbox)[-1] == "cancelled"
    completed, failed = caller.start(END), caller.start(action("a", "a"))
    for instance in (cancelled, completed, failed):
        for call, body in (
            ("cancel", None),
            ("input", {}),
            ("events", {"event": "again"}),
            ("thread/messages", {"content": "Hello?"}),
        ):
            problem(caller.post(f"{path(instance)}/{call}", json=body), 409, "CONFLICT")
        assert caller.read(f"{path(instance)}/thread")["messages"] == []


def test_actions_write_results_to_context(sandbox: Sandbox, caller: Caller) -> None:
    mail = {"to": "ada@a.test", "subject": "Hi", "body": "Hello"}
    actions = [
        {"type": "transform", "config": {"greeting": "Hello", "user": {"name": "bob"}}},
        {"type": "http", "config": {"url": "https://shop.test/1", "simulate": {"status": 503, "body": {"down": True}}}},
        {"type": "email", "config": mail},
        {"type": "ai_process", "config": {"prompt": "Sum up"}},
    ]
    transitions = [{"to": "end", "condition": "http.status == 503"}]
    work = {"name": "work", "type": "action", "actions": actions, "transitions": transitions}
    assert caller.start(work, END, user={"name": "ada"}, n=1)["context"] == {
        "n": 1,
        "greeting": "Hello",
        "user": {"name": "bob"},
        "http": {"status": 503, "method": "GET", "url": "https://shop.test/1", "body": {"down": True}},
        "email": {"to": "ada@a.test", "subject": "Hi", "sent": True},
        "ai_process": "Processed: Sum up",
    }
    (email,) = sandbox.emails
    assert (email["body"], email["namespace"]) == ("Hello", "user_1")
    plain = {**work, "actions": [{"type": "http", "config": {"method": "POST"}}], "transitions": [{"to": "end"}]}
    assert caller.start(plain, END)["context"] == {"http": {"status": 200, "method": "POST", "url": None, "body": {}}}


def test_invalid_workflow_definition_returns_422(caller: Caller) -> None:
    states = [
        {"name": "a", "type": "action", "transitions": [{"to": "nowhere"}, {"to": "a", "condition": "a ="}]},
        {"name": "a", "type": "terminal"},
    ]
    body = {"name": "W", "initial_state": "b", "states": states}
    found = problem(caller.post("/workflows", json=body), 422, "VALIDATION_ERROR")
    assert found.pop("states[0].transitions[1].condition").startswith("isn't a valid expression: invalid syntax")
    assert found == {
        "initial_state": "isn't the name of a state",
        "states[0].transitions[0].to": "isn't the name of a state",
        "states[1].name": "is also the name of another state",
    }
    assert caller.read("/workflows") == []


def test_workflow_answers_thread_message(sandbox: Sandbox, caller: Caller) -> None:
    instance = caller.start(halting("wait"))
    assert sandbox.events[-1]["data"]["presentation"] == {"type": "form", "config": {}}
    sent = caller.make(f"{path(instance)}/thread/messages", content="How long?")
    thread = caller.read(f"{path(instance)}/thread")
    assert (sent["role"], sent["content"]) == ("user", "How long?")
    assert thread["messages"][0] == sent
    assert thread["messages"][1]["content"] == "The instance is halted in the state wait. You said: How long?"
