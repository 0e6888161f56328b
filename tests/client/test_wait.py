"""`wait_for_workflow` and `wait_for_oauth`: the awaited status, timeouts, errors, open circuits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interactor_client.models import OAuthAuthorization, WorkflowInstance, WorkflowState, WorkflowTransition
from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    CircuitBreaker,
    ConfigurationError,
    NotFoundError,
    ServerError,
    UnexpectedStateError,
    WaitTimeoutError,
)
from interactor_ext.sandbox import Sandbox
from tests.support.chaos_proxy import ChaosProxy
from tests.support.conversations import NAMESPACE, asked
from tests.support.modes import call, sync_and_async
from tests.support.waiting import eventually, with_enough_time

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

STATES = [
    WorkflowState(
        name="collect",
        type="action",
        transitions=[
            WorkflowTransition(to="review", event="collected"),
            WorkflowTransition(to="broken", event="broken"),
        ],
    ),
    WorkflowState(
        name="review", type="halting", transitions=[WorkflowTransition(to="shipped", condition="approved == true")]
    ),
    # No transition fits and none is by event: an instance that comes here fails.
    WorkflowState(name="broken", type="action", transitions=[WorkflowTransition(to="shipped", condition="x == 1")]),
    WorkflowState(name="shipped", type="terminal"),
]


def started(sandbox: Sandbox) -> str:
    with sandbox.client(namespace=NAMESPACE) as user:
        workflow = user.workflows.create(name="Order", initial_state="collect", states=STATES)
        instance = user.workflow_instances.start(workflow_id=workflow.id, context={})
        assert instance.status == "running"
        return instance.id


def looked(sandbox: Sandbox, operation: str = "get_workflow_instance", times: int = 1) -> Callable[[], bool]:
    return lambda: len(list(asked(sandbox, operation))) >= times


def trigger(sandbox: Sandbox, instance_id: str, event: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        user.workflow_instances.trigger_event(instance_id, event=event)


def waited(mode: str, sandbox: Sandbox, wait: Callable[[Any], Any], **settings: Any) -> Any:
    return call(mode, sandbox._with_connection({"namespace": NAMESPACE, **settings}), wait)


def timed_out(mode: str, sandbox: Sandbox, wait: Callable[[Any, float], Any]) -> WaitTimeoutError:
    """The error of a wait whose timeout left time for one response at least: a busy machine needs a longer one."""
    for timeout in (0.3, 1.0, 4.0, 16.0):
        with pytest.raises(WaitTimeoutError) as caught:
            waited(mode, sandbox, partial(wait, timeout=timeout))
        if caught.value.last is not None:
            break
    return caught.value


@contextmanager
def meanwhile(condition: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """In another thread, act once the condition holds."""

    def watch() -> None:
        if eventually(condition):
            act()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join(60)


@sync_and_async
def test_instance_in_the_awaited_status_returns_at_once(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    trigger(sandbox, instance_id, "collected")
    seen = waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id))
    assert (seen.status, seen.current_state) == ("halted", "review")
    assert seen == waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, until="halted"))
    assert eventually(lambda: sandbox.open_streams == 0)


@sync_and_async
def test_status_that_changes_during_the_stream_returns(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    with meanwhile(looked(sandbox), lambda: trigger(sandbox, instance_id, "collected")):
        seen = waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, {"halted"}, 60))
    assert seen.status == "halted"
    # By its stream, not at the next look by and by.
    assert len(list(asked(sandbox, "stream_workflow_instance"))) == 1
    assert eventually(lambda: sandbox.open_streams == 0)


@sync_and_async
def test_wait_for_completed_passes_a_halt(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)

    def go_on() -> None:
        trigger(sandbox, instance_id, "collected")
        with sandbox.client(namespace=NAMESPACE) as user:
            user.workflow_instances.submit_input(instance_id, body={"approved": True})

    with meanwhile(looked(sandbox), go_on):
        seen = waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, until={"completed"}))
    assert (seen.status, seen.current_state) == ("completed", "shipped")


@sync_and_async
def test_without_a_stream_the_instance_is_polled(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    sandbox.faults.add("stream_workflow_instance", status=403, times=None)
    with meanwhile(looked(sandbox, times=2), lambda: trigger(sandbox, instance_id, "collected")):
        seen = waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id))
    assert seen.status == "halted"


@sync_and_async
def test_look_that_times_out_is_repeated_within_the_wait(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    trigger(sandbox, instance_id, "collected")

    def look(timeout: float) -> Any:
        sandbox.faults.add("get_workflow_instance", kind="latency", latency=60, times=1)
        options = {"timeout": timeout, "max_retries": 0}
        return waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, timeout=60), **options)

    assert with_enough_time(look, 0.2, 2.0, 8.0).status == "halted"


@sync_and_async
def test_change_lost_by_the_stream_is_seen_after_reconnect(mode: str, sandbox: Sandbox) -> None:
    """The connection breaks before the first event, so there is no id, and nothing that the server could send again."""
    instance_id = started(sandbox)

    def cut(request: str, number: int) -> int | None:
        return 0 if request.endswith("/stream") and number == 0 else None

    with (
        ChaosProxy(sandbox.core_api_url, cut) as proxy,
        meanwhile(lambda: bool(proxy.cuts), lambda: trigger(sandbox, instance_id, "collected")),
    ):
        seen = waited(
            mode, sandbox, lambda user: user.wait_for_workflow(instance_id, timeout=60), core_api_url=proxy.url
        )
    assert seen.status == "halted"


@sync_and_async
@pytest.mark.parametrize("streams", [True, False], ids=["by stream", "by asking"])
def test_status_that_does_not_come_raises_wait_timeout(mode: str, streams: bool, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    if not streams:
        sandbox.faults.add("stream_workflow_instance", status=403, times=None)
    error = timed_out(mode, sandbox, lambda user, timeout: user.wait_for_workflow(instance_id, timeout=timeout))
    assert re.match(rf".*{instance_id} is still 'running' at 'collect' after \d+\.\d s", str(error))
    assert isinstance(error, APITimeoutError)
    assert isinstance(error.last, WorkflowInstance)
    assert error.last.current_state == "collect"
    with pytest.raises(WaitTimeoutError):
        waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, timeout=None), deadline=0.1)
    assert eventually(lambda: sandbox.open_streams == 0)


@sync_and_async
def test_final_status_that_was_not_awaited_raises_unexpected_state(mode: str, sandbox: Sandbox) -> None:
    instance_id = started(sandbox)
    with (
        meanwhile(looked(sandbox), lambda: trigger(sandbox, instance_id, "broken")),
        pytest.raises(UnexpectedStateError, match="is 'failed' at 'broken'") as caught,
    ):
        waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id))
    assert caught.value.last.status == "failed"
    assert waited(mode, sandbox, lambda user: user.wait_for_workflow(instance_id, {"failed"})).status == "failed"


@sync_and_async
def test_unknown_instance_and_invalid_arguments_raise(mode: str, sandbox: Sandbox) -> None:
    with pytest.raises(NotFoundError):
        waited(mode, sandbox, lambda user: user.wait_for_workflow("wfi_unknown"))
    with pytest.raises(ValueError, match="until"):
        waited(mode, sandbox, lambda user: user.wait_for_workflow("wfi_1", until=set()))
    with pytest.raises(ConfigurationError, match="deadline"):
        waited(mode, sandbox, lambda user: user.wait_for_workflow("wfi_1", timeout=-1))


@sync_and_async
@pytest.mark.parametrize("until", ["complete", "review", {"halted", "done"}, ["HALTED"], [None], None, 5, "", [[]]])
def test_unknown_status_raises_value_error_before_sending(mode: str, until: Any, sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"until .*'cancelled', 'completed', 'failed', 'halted', 'running'"):
        waited(mode, sandbox, lambda user: user.wait_for_workflow("wfi_1", until=until))
    assert list(sandbox.requests) == []


def begun(sandbox: Sandbox) -> str:
    return str(authorization(sandbox).flow_id)


def authorization(sandbox: Sandbox) -> OAuthAuthorization:
    with sandbox.client(namespace=NAMESPACE) as user:
        flow = user.credentials.initiate_oauth(
            provider="google_calendar", scopes=["calendar.readonly"], redirect_uri="https://example.com/callback"
        )
        assert flow.flow_id
        return flow


def connect(sandbox: Sandbox, flow_id: str) -> None:
    """The user agrees, and the application brings back the code with which the browser returned."""
    query = parse_qs(urlsplit(sandbox.decide(flow_id)).query)
    with sandbox.client(namespace=NAMESPACE) as user:
        user.credentials.complete_oauth(provider="google_calendar", code=query["code"][0], state=query["state"][0])


@sync_and_async
def test_connected_account_ends_the_oauth_wait(mode: str, sandbox: Sandbox) -> None:
    flow_id = begun(sandbox)
    with meanwhile(looked(sandbox, "get_oauth_status"), lambda: connect(sandbox, flow_id)):
        flow = waited(mode, sandbox, lambda user: user.wait_for_oauth(flow_id, timeout=60))
    assert flow.status == "completed"
    with sandbox.client(namespace=NAMESPACE) as user:
        assert user.credentials.get(flow.credential_id).status == "active"


@sync_and_async
def test_oauth_flow_itself_is_taken_as_well_as_its_id(mode: str, sandbox: Sandbox) -> None:
    flow = authorization(sandbox)
    connect(sandbox, str(flow.flow_id))
    done = waited(mode, sandbox, lambda user: user.wait_for_oauth(flow, timeout=60))
    assert waited(mode, sandbox, lambda user: user.wait_for_oauth(done, timeout=60)) == done
    with pytest.raises(ValueError, match=r"gave this flow no id: wait for the event credential\.connected"):
        waited(mode, sandbox, lambda user: user.wait_for_oauth(OAuthAuthorization(authorization_url="https://x")))


@sync_and_async
def test_pending_or_denied_oauth_flow_raises(mode: str, sandbox: Sandbox) -> None:
    flow_id = begun(sandbox)
    error = timed_out(mode, sandbox, lambda user, timeout: user.wait_for_oauth(flow_id, timeout=timeout))
    assert f"{flow_id} is still 'pending' after" in str(error)
    sandbox.decide(flow_id, approve=False)
    with pytest.raises(UnexpectedStateError, match=r"is 'failed' \(.+\)") as caught:
        waited(mode, sandbox, lambda user: user.wait_for_oauth(flow_id, timeout=60))
    assert caught.value.last.flow_id == flow_id


@sync_and_async
def test_server_errors_are_retried_and_raised_after_too_many(mode: str, sandbox: Sandbox) -> None:
    flow_id = begun(sandbox)
    connect(sandbox, flow_id)
    sandbox.faults.add("get_oauth_status", status=500, times=2)
    assert (
        waited(mode, sandbox, lambda user: user.wait_for_oauth(flow_id, timeout=60), max_retries=0).status
        == "completed"
    )
    sandbox.faults.add("get_oauth_status", status=500, times=None)
    with pytest.raises(ServerError):
        waited(mode, sandbox, lambda user: user.wait_for_oauth(flow_id, timeout=60), max_retries=0)


@sync_and_async
@pytest.mark.parametrize("what", ["oauth", "workflow"])
def test_open_circuit_is_waited_for_within_the_timeout(mode: str, what: str, sandbox: Sandbox) -> None:
    def waiting(user: Any, timeout: float) -> Any:
        if what == "oauth":
            return user.wait_for_oauth(subject, timeout=timeout)
        return user.wait_for_workflow(subject, timeout=timeout)

    def outage(cool_down: float) -> dict[str, Any]:
        options = {"max_retries": 0, "circuit_breaker": CircuitBreaker(failures=1, cool_down=cool_down)}
        sandbox.faults.add("list_tools", status=500, times=1)
        with pytest.raises(ServerError):
            waited(mode, sandbox, lambda user: user.tools.list(), **options)
        return options

    if what == "oauth":
        subject = begun(sandbox)
        connect(sandbox, subject)
    else:
        subject = started(sandbox)
        trigger(sandbox, subject, "collected")
    # Open for longer than five looks take, and once more after that, for the first call that it lets through fails.
    sandbox.faults.add("get_oauth_status" if what == "oauth" else "get_workflow_instance", status=500, times=1)
    options = outage(0.2)
    seen = waited(mode, sandbox, lambda user: waiting(user, 30), **options)
    assert seen.status in ("completed", "halted")
    # And no longer than the wait may take.
    options = outage(60)
    with pytest.raises(WaitTimeoutError, match=r"wasn't seen after \d+\.\d s"):
        waited(mode, sandbox, lambda user: waiting(user, 0.1), **options)


@sync_and_async
def test_unreachable_platform_raises_wait_timeout(mode: str, sandbox: Sandbox) -> None:
    with pytest.raises(WaitTimeoutError, match="wfi_1 wasn't seen after") as caught:
        waited(
            mode,
            sandbox,
            lambda user: user.wait_for_workflow("wfi_1", timeout=0.1),
            core_api_url="http://127.0.0.1:1/api/v1",
        )
    assert caught.value.last is None
    assert isinstance(caught.value, APIConnectionError)
