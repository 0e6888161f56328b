"""The operations tagged `tools`, one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.json_object import JsonObject
from ...models.message import Message
from ...models.tool import Tool


class Tools(Advised, calls=True):
    """Functions of your application that an assistant may call. Your code runs them and submits the result."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def submit_result(self, room_id: str, tool_call_id: str, result: Any) -> Message:
        """Submit the result of an assistant's tool call.

        The conversation goes on once every pending call of the message has its result. A call that already has one
        gets 409; to tell the assistant that your tool failed, submit a result that says so.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            tool_call_id: The call that the result belongs to (`tc_...`).
            result: Any JSON value, null included. The assistant reads it, so an error may be put in words.
        """
        from ...models.submit_tool_result_request import SubmitToolResultRequest
        from . import submit_tool_result as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(room_id, body=SubmitToolResultRequest(tool_call_id=tool_call_id, result=result)),
            _endpoint._parse_success,
        ).data

    def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Tool]:
        """List the tools of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_tools as _endpoint

        return self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> Iterator[Tool]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_tools as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(
        self, *, name: str, description: str, parameters: JsonObject, callback_url: str | None | Unset = UNSET
    ) -> Tool:
        """Define a tool that assistants may call.

        A tool does nothing until an assistant lists its id in `tools`.

        Args:
            name: Name by which the assistant calls it.
            description: What it does and when to use it, in words for the assistant.
            parameters: JSON Schema of the arguments.
            callback_url: Where the platform should post calls of this tool. By default they only come as
                events.
        """
        from ...models.create_tool_request import CreateToolRequest
        from . import create_tool as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateToolRequest(
                    name=name, description=description, parameters=parameters, callback_url=callback_url
                )
            ),
            _endpoint._parse_success,
        ).data

    def get(self, tool_id: str) -> Tool:
        """Get a tool.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
        """
        from . import get_tool as _endpoint

        return self._sender.send(_endpoint._get_kwargs(tool_id), _endpoint._parse_success).data

    def delete(self, tool_id: str) -> None:
        """Delete a tool.

        Assistants that list it can no longer call it.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
        """
        from . import delete_tool as _endpoint

        self._sender.send(_endpoint._get_kwargs(tool_id), _endpoint._parse_success)

    def update(
        self,
        tool_id: str,
        *,
        name: str | None | Unset = UNSET,
        description: str | None | Unset = UNSET,
        parameters: JsonObject | None | Unset = UNSET,
        callback_url: str | None | Unset = UNSET,
    ) -> Tool:
        """Change some fields of a tool.

        Omitted fields stay unchanged; `parameters` is replaced as a whole.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
            name: Name by which the assistant calls it.
            description: What it does and when to use it, in words for the assistant.
            parameters: JSON Schema of the arguments.
            callback_url: Where the platform should post calls of this tool. None removes it.
        """
        from ...models.update_tool_request import UpdateToolRequest
        from . import update_tool as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                tool_id,
                body=UpdateToolRequest(
                    name=name, description=description, parameters=parameters, callback_url=callback_url
                ),
            ),
            _endpoint._parse_success,
        ).data


class AsyncTools(Advised, calls=True):
    """Functions of your application that an assistant may call. Your code runs them and submits the result."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def submit_result(self, room_id: str, tool_call_id: str, result: Any) -> Message:
        """Submit the result of an assistant's tool call.

        The conversation goes on once every pending call of the message has its result. A call that already has one
        gets 409; to tell the assistant that your tool failed, submit a result that says so.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            tool_call_id: The call that the result belongs to (`tc_...`).
            result: Any JSON value, null included. The assistant reads it, so an error may be put in words.
        """
        from ...models.submit_tool_result_request import SubmitToolResultRequest
        from . import submit_tool_result as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(room_id, body=SubmitToolResultRequest(tool_call_id=tool_call_id, result=result)),
                _endpoint._parse_success,
            )
        ).data

    async def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Tool]:
        """List the tools of a namespace.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_tools as _endpoint

        return await self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> AsyncIterator[Tool]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_tools as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(
        self, *, name: str, description: str, parameters: JsonObject, callback_url: str | None | Unset = UNSET
    ) -> Tool:
        """Define a tool that assistants may call.

        A tool does nothing until an assistant lists its id in `tools`.

        Args:
            name: Name by which the assistant calls it.
            description: What it does and when to use it, in words for the assistant.
            parameters: JSON Schema of the arguments.
            callback_url: Where the platform should post calls of this tool. By default they only come as
                events.
        """
        from ...models.create_tool_request import CreateToolRequest
        from . import create_tool as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateToolRequest(
                        name=name, description=description, parameters=parameters, callback_url=callback_url
                    )
                ),
                _endpoint._parse_success,
            )
        ).data

    async def get(self, tool_id: str) -> Tool:
        """Get a tool.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
        """
        from . import get_tool as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(tool_id), _endpoint._parse_success)).data

    async def delete(self, tool_id: str) -> None:
        """Delete a tool.

        Assistants that list it can no longer call it.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
        """
        from . import delete_tool as _endpoint

        await self._sender.send(_endpoint._get_kwargs(tool_id), _endpoint._parse_success)

    async def update(
        self,
        tool_id: str,
        *,
        name: str | None | Unset = UNSET,
        description: str | None | Unset = UNSET,
        parameters: JsonObject | None | Unset = UNSET,
        callback_url: str | None | Unset = UNSET,
    ) -> Tool:
        """Change some fields of a tool.

        Omitted fields stay unchanged; `parameters` is replaced as a whole.

        Args:
            tool_id: Id of the tool, such as `tool_5Rw3`.
            name: Name by which the assistant calls it.
            description: What it does and when to use it, in words for the assistant.
            parameters: JSON Schema of the arguments.
            callback_url: Where the platform should post calls of this tool. None removes it.
        """
        from ...models.update_tool_request import UpdateToolRequest
        from . import update_tool as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    tool_id,
                    body=UpdateToolRequest(
                        name=name, description=description, parameters=parameters, callback_url=callback_url
                    ),
                ),
                _endpoint._parse_success,
            )
        ).data


__all__ = ["AsyncTools", "Tools"]
