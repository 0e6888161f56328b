"""The operations tagged `workflows`, one method each."""

from __future__ import annotations

from builtins import list as _list
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.workflow import Workflow
from ...models.workflow_state import WorkflowState


class Workflows(Advised, calls=True):
    """State machines. A workflow is the definition; running it creates an instance."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Workflow]:
        """List the workflows of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_workflows as _endpoint

        return self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> Iterator[Workflow]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_workflows as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(
        self, *, name: str, states: _list[WorkflowState], initial_state: str, description: str | None | Unset = UNSET
    ) -> Workflow:
        """Define a workflow.

        Names of states must be unique, and `initial_state` and every transition must name one of them: anything
        else gets 422. A workflow cannot be changed later; define another one.

        Args:
            name: Name of the workflow.
            states: Its states. Their names must be unique.
            initial_state: Name of the state in which instances begin.
            description: What it is for.
        """
        from ...models.create_workflow_request import CreateWorkflowRequest
        from . import create_workflow as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateWorkflowRequest(
                    name=name, states=states, initial_state=initial_state, description=description
                )
            ),
            _endpoint._parse_success,
        ).data

    def ensure(
        self, *, name: str, states: _list[WorkflowState], initial_state: str, description: str | None | Unset = UNSET
    ) -> Workflow:
        """The workflow with this name: found or created.

        Its `outcome` says which: "created" or "unchanged". Two first calls at once may create two; from then on all
        find the older one. If the server shows another field that differs, that is an error, because nothing is
        updated. What was found is remembered for a minute, until this client changes it or gets 404 or 422 for it:
        the same call then sends nothing.

        Args:
            name: Name of the workflow.
            states: Its states. Their names must be unique.
            initial_state: Name of the state in which instances begin.
            description: What it is for.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {
            "name": name,
            "states": states,
            "initial_state": initial_state,
            "description": description,
        }
        _ensured: Workflow = _user_of(self._sender)._ensure(
            "workflows", _fields, by=["name"], filters=[], changeable=[], has_key=False
        )
        return _ensured

    def get(self, workflow_id: str) -> Workflow:
        """Get a workflow.

        Args:
            workflow_id: Id of the workflow, such as `wf_2Gt7`.
        """
        from . import get_workflow as _endpoint

        return self._sender.send(_endpoint._get_kwargs(workflow_id), _endpoint._parse_success).data

    def delete(self, workflow_id: str) -> None:
        """Delete a workflow.

        This cannot be undone.

        Args:
            workflow_id: Id of the workflow, such as `wf_2Gt7`.
        """
        from . import delete_workflow as _endpoint

        self._sender.send(_endpoint._get_kwargs(workflow_id), _endpoint._parse_success)


class AsyncWorkflows(Advised, calls=True):
    """State machines. A workflow is the definition; running it creates an instance."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Workflow]:
        """List the workflows of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_workflows as _endpoint

        return await self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> AsyncIterator[Workflow]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_workflows as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(
        self, *, name: str, states: _list[WorkflowState], initial_state: str, description: str | None | Unset = UNSET
    ) -> Workflow:
        """Define a workflow.

        Names of states must be unique, and `initial_state` and every transition must name one of them: anything
        else gets 422. A workflow cannot be changed later; define another one.

        Args:
            name: Name of the workflow.
            states: Its states. Their names must be unique.
            initial_state: Name of the state in which instances begin.
            description: What it is for.
        """
        from ...models.create_workflow_request import CreateWorkflowRequest
        from . import create_workflow as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateWorkflowRequest(
                        name=name, states=states, initial_state=initial_state, description=description
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def ensure(
        self, *, name: str, states: _list[WorkflowState], initial_state: str, description: str | None | Unset = UNSET
    ) -> Workflow:
        """The workflow with this name: found or created.

        Its `outcome` says which: "created" or "unchanged". Two first calls at once may create two; from then on all
        find the older one. If the server shows another field that differs, that is an error, because nothing is
        updated. What was found is remembered for a minute, until this client changes it or gets 404 or 422 for it:
        the same call then sends nothing.

        Args:
            name: Name of the workflow.
            states: Its states. Their names must be unique.
            initial_state: Name of the state in which instances begin.
            description: What it is for.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {
            "name": name,
            "states": states,
            "initial_state": initial_state,
            "description": description,
        }
        _ensured: Workflow = await _user_of(self._sender)._ensure(
            "workflows", _fields, by=["name"], filters=[], changeable=[], has_key=False
        )
        return _ensured

    async def get(self, workflow_id: str) -> Workflow:
        """Get a workflow.

        Args:
            workflow_id: Id of the workflow, such as `wf_2Gt7`.
        """
        from . import get_workflow as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(workflow_id), _endpoint._parse_success)).data

    async def delete(self, workflow_id: str) -> None:
        """Delete a workflow.

        This cannot be undone.

        Args:
            workflow_id: Id of the workflow, such as `wf_2Gt7`.
        """
        from . import delete_workflow as _endpoint

        await self._sender.send(_endpoint._get_kwargs(workflow_id), _endpoint._parse_success)


__all__ = ["AsyncWorkflows", "Workflows"]
