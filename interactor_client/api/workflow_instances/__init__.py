"""The operations tagged `workflow_instances`, one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import (
    UNSET,
    AsyncEventStream,
    AsyncSender,
    EventStream,
    OnInvalid,
    OnReconnect,
    Page,
    Sender,
    Unset,
    assign_method,
)

from ...models import StreamEvent
from ...models.halting_presentation import HaltingPresentation
from ...models.json_object import JsonObject
from ...models.thread_message import ThreadMessage
from ...models.workflow_instance import WorkflowInstance
from ...models.workflow_instance_status import KnownWorkflowInstanceStatus
from ...models.workflow_thread import WorkflowThread


class WorkflowInstances(Advised, calls=True):
    """Runs of workflows. A run proceeds until it halts for input, ends, fails or is cancelled."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(
        self,
        *,
        workflow_id: str | Unset = UNSET,
        status: KnownWorkflowInstanceStatus | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[WorkflowInstance]:
        """List the workflow instances of a namespace.

        Instances are kept for 30 days after they end.

        Args:
            workflow_id: Only instances of this workflow.
            status: Only instances in this status.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_workflow_instances as _endpoint

        return self._sender.page(
            _endpoint._get_kwargs(workflow_id=workflow_id, status=status, page=page, per_page=per_page),
            _endpoint._parse_success,
        )

    def iterate(
        self,
        *,
        workflow_id: str | Unset = UNSET,
        status: KnownWorkflowInstanceStatus | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> Iterator[WorkflowInstance]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            workflow_id: Only instances of this workflow.
            status: Only instances in this status.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_workflow_instances as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(workflow_id=workflow_id, status=status, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def start(self, workflow_id: str, *, context: JsonObject | None | Unset = UNSET) -> WorkflowInstance:
        """Run a workflow.

        The instance begins in the workflow's `initial_state` and moves on by itself, so the response may already
        show it halted or completed. A `workflow_id` that does not exist in the namespace gets 422.

        Args:
            workflow_id: The workflow to run (`wf_...`).
            context: The data that the instance begins with. None by default.
        """
        from ...models.start_workflow_instance_request import StartWorkflowInstanceRequest
        from . import start_workflow_instance as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(body=StartWorkflowInstanceRequest(workflow_id=workflow_id, context=context)),
            _endpoint._parse_success,
        ).data

    def get(self, instance_id: str) -> WorkflowInstance:
        """Get a workflow instance.

        Kept for 30 days after it ends.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import get_workflow_instance as _endpoint

        return self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success).data

    def wait(
        self,
        instance_id: str,
        *,
        until: Collection[KnownWorkflowInstanceStatus] = frozenset(("completed", "halted")),
        timeout: float | None = 300.0,
    ) -> WorkflowInstance:
        """Wait until its status is one of `until`, and return it: `wait_for_workflow` of the client.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            until: The statuses to wait for, one or several.
            timeout: In seconds. None means the view's deadline.
        """
        from interactor_client.accepted import user_of as _user_of

        _waited: WorkflowInstance = _user_of(self._sender).wait_for_workflow(instance_id, until, timeout)
        return _waited

    def question(self, instance_id: str) -> HaltingPresentation | None:
        """What it asks for if it is halted; None if it isn't. If nobody wrote what to ask, that is a `form` without
        fields.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from interactor_client.accepted import user_of as _user_of

        _asked: HaltingPresentation | None = _user_of(self._sender)._question(instance_id)
        return _asked

    def submit_input(self, instance_id: str, body: JsonObject) -> WorkflowInstance:
        """Submit the input that a halted instance waits for.

        The body is a free JSON object, whose keys are the fields that the state's presentation asks for. It is
        merged into the instance's context, and the instance moves on. An instance that is not halted gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            body: A free JSON object. In Python it is a plain `dict`.
        """
        from . import submit_workflow_input as _endpoint

        return self._sender.send(_endpoint._get_kwargs(instance_id, body=body), _endpoint._parse_success).data

    def trigger_event(
        self, instance_id: str, event: str, *, payload: JsonObject | None | Unset = UNSET
    ) -> WorkflowInstance:
        """Send an event to an instance.

        The instance takes the transition of its current state that names the event; `payload` is merged into its
        context. If the instance has ended, or its state has no such transition, the response is 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            event: Name of the event, as in a transition of the current state.
            payload: Data to merge into the instance's context.
        """
        from ...models.trigger_workflow_event_request import TriggerWorkflowEventRequest
        from . import trigger_workflow_event as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(instance_id, body=TriggerWorkflowEventRequest(event=event, payload=payload)),
            _endpoint._parse_success,
        ).data

    def cancel(self, instance_id: str) -> None:
        """Stop an instance for good.

        An instance that has already ended gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import cancel_workflow_instance as _endpoint

        self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success)

    def get_thread(self, instance_id: str) -> WorkflowThread:
        """Get the conversation that belongs to an instance.

        All its messages, oldest first, in one response: a thread has no pages.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import get_workflow_thread as _endpoint

        return self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success).data

    def send_thread_message(self, instance_id: str, content: str) -> ThreadMessage:
        """Write into the conversation of an instance.

        The message appears in the thread as the user's. An instance that has ended gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            content: What to say.
        """
        from ...models.send_workflow_thread_message_request import SendWorkflowThreadMessageRequest
        from . import send_workflow_thread_message as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(instance_id, body=SendWorkflowThreadMessageRequest(content=content)),
            _endpoint._parse_success,
        ).data

    def stream(
        self,
        instance_id: str,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        on_invalid: OnInvalid | None = None,
    ) -> EventStream[StreamEvent]:
        """Follow an instance as it moves.

        Behaves like `rooms.stream`: a sign of life every 30 seconds, dead after 45 seconds of silence, `Last-Event-
        ID` to resume, `token` and `namespace` in the query for browsers only.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            last_event_id: Where to resume; "" for from now on.
            max_reconnects: How often it may reconnect in total; None to go on until 20 in a row bring nothing.
            on_reconnect: Called before each reconnect with its number, from 1, and how many seconds it waited.
            on_invalid: Called with an error for each event that does not fit its model, and the event is skipped.
                The error has what was sent (`item`). Without it, such an event raises, and iterating again goes on.
        """
        from . import stream_workflow_instance as _endpoint

        return self._sender.stream(
            _endpoint._get_kwargs(instance_id),
            "StreamEvent",
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            on_invalid=on_invalid,
        )


class AsyncWorkflowInstances(Advised, calls=True):
    """Runs of workflows. A run proceeds until it halts for input, ends, fails or is cancelled."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(
        self,
        *,
        workflow_id: str | Unset = UNSET,
        status: KnownWorkflowInstanceStatus | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[WorkflowInstance]:
        """List the workflow instances of a namespace.

        Instances are kept for 30 days after they end.

        Args:
            workflow_id: Only instances of this workflow.
            status: Only instances in this status.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_workflow_instances as _endpoint

        return await self._sender.page(
            _endpoint._get_kwargs(workflow_id=workflow_id, status=status, page=page, per_page=per_page),
            _endpoint._parse_success,
        )

    def iterate(
        self,
        *,
        workflow_id: str | Unset = UNSET,
        status: KnownWorkflowInstanceStatus | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncIterator[WorkflowInstance]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            workflow_id: Only instances of this workflow.
            status: Only instances in this status.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_workflow_instances as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(workflow_id=workflow_id, status=status, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def start(self, workflow_id: str, *, context: JsonObject | None | Unset = UNSET) -> WorkflowInstance:
        """Run a workflow.

        The instance begins in the workflow's `initial_state` and moves on by itself, so the response may already
        show it halted or completed. A `workflow_id` that does not exist in the namespace gets 422.

        Args:
            workflow_id: The workflow to run (`wf_...`).
            context: The data that the instance begins with. None by default.
        """
        from ...models.start_workflow_instance_request import StartWorkflowInstanceRequest
        from . import start_workflow_instance as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(body=StartWorkflowInstanceRequest(workflow_id=workflow_id, context=context)),
                _endpoint._parse_success,
            )
        ).data

    async def get(self, instance_id: str) -> WorkflowInstance:
        """Get a workflow instance.

        Kept for 30 days after it ends.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import get_workflow_instance as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success)).data

    async def wait(
        self,
        instance_id: str,
        *,
        until: Collection[KnownWorkflowInstanceStatus] = frozenset(("completed", "halted")),
        timeout: float | None = 300.0,
    ) -> WorkflowInstance:
        """Wait until its status is one of `until`, and return it: `wait_for_workflow` of the client.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            until: The statuses to wait for, one or several.
            timeout: In seconds. None means the view's deadline.
        """
        from interactor_client.accepted import user_of as _user_of

        _waited: WorkflowInstance = await _user_of(self._sender).wait_for_workflow(instance_id, until, timeout)
        return _waited

    async def question(self, instance_id: str) -> HaltingPresentation | None:
        """What it asks for if it is halted; None if it isn't. If nobody wrote what to ask, that is a `form` without
        fields.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from interactor_client.accepted import user_of as _user_of

        _asked: HaltingPresentation | None = await _user_of(self._sender)._question(instance_id)
        return _asked

    async def submit_input(self, instance_id: str, body: JsonObject) -> WorkflowInstance:
        """Submit the input that a halted instance waits for.

        The body is a free JSON object, whose keys are the fields that the state's presentation asks for. It is
        merged into the instance's context, and the instance moves on. An instance that is not halted gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            body: A free JSON object. In Python it is a plain `dict`.
        """
        from . import submit_workflow_input as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(instance_id, body=body), _endpoint._parse_success)).data

    async def trigger_event(
        self, instance_id: str, event: str, *, payload: JsonObject | None | Unset = UNSET
    ) -> WorkflowInstance:
        """Send an event to an instance.

        The instance takes the transition of its current state that names the event; `payload` is merged into its
        context. If the instance has ended, or its state has no such transition, the response is 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            event: Name of the event, as in a transition of the current state.
            payload: Data to merge into the instance's context.
        """
        from ...models.trigger_workflow_event_request import TriggerWorkflowEventRequest
        from . import trigger_workflow_event as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(instance_id, body=TriggerWorkflowEventRequest(event=event, payload=payload)),
                _endpoint._parse_success,
            )
        ).data

    async def cancel(self, instance_id: str) -> None:
        """Stop an instance for good.

        An instance that has already ended gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import cancel_workflow_instance as _endpoint

        await self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success)

    async def get_thread(self, instance_id: str) -> WorkflowThread:
        """Get the conversation that belongs to an instance.

        All its messages, oldest first, in one response: a thread has no pages.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
        """
        from . import get_workflow_thread as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(instance_id), _endpoint._parse_success)).data

    async def send_thread_message(self, instance_id: str, content: str) -> ThreadMessage:
        """Write into the conversation of an instance.

        The message appears in the thread as the user's. An instance that has ended gets 409.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            content: What to say.
        """
        from ...models.send_workflow_thread_message_request import SendWorkflowThreadMessageRequest
        from . import send_workflow_thread_message as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(instance_id, body=SendWorkflowThreadMessageRequest(content=content)),
                _endpoint._parse_success,
            )
        ).data

    def stream(
        self,
        instance_id: str,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncEventStream[StreamEvent]:
        """Follow an instance as it moves.

        Behaves like `rooms.stream`: a sign of life every 30 seconds, dead after 45 seconds of silence, `Last-Event-
        ID` to resume, `token` and `namespace` in the query for browsers only.

        Args:
            instance_id: Id of the workflow instance, such as `wfi_6Py1`.
            last_event_id: Where to resume; "" for from now on.
            max_reconnects: How often it may reconnect in total; None to go on until 20 in a row bring nothing.
            on_reconnect: Called before each reconnect with its number, from 1, and how many seconds it waited.
            on_invalid: Called with an error for each event that does not fit its model, and the event is skipped.
                The error has what was sent (`item`). Without it, such an event raises, and iterating again goes on.
        """
        from . import stream_workflow_instance as _endpoint

        return self._sender.stream(
            _endpoint._get_kwargs(instance_id),
            "StreamEvent",
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            on_invalid=on_invalid,
        )


__all__ = ["AsyncWorkflowInstances", "WorkflowInstances"]
