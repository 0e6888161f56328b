"""The operations tagged `messages`, one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.message import Message
from ...models.message_role import KnownMessageRole
from ...models.sort_order import KnownSortOrder


class Messages(Advised, calls=True):
    """The messages of a room, from the user, the assistant, the system or a tool."""

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
        room_id: str,
        *,
        order: KnownSortOrder | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[Message]:
        """List the messages of a room.

        History is kept for 90 days unless the assistant is configured otherwise.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            order: Oldest first (`asc`, the default) or newest first (`desc`).
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
        """
        from . import list_messages as _endpoint

        return self._sender.page(
            _endpoint._get_kwargs(room_id, order=order, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        room_id: str,
        *,
        order: KnownSortOrder | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> Iterator[Message]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            order: Oldest first (`asc`, the default) or newest first (`desc`).
            per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_messages as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(room_id, order=order, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def send(
        self,
        room_id: str,
        content: str,
        *,
        stream: bool | None | Unset = UNSET,
        role: KnownMessageRole | None | Unset = UNSET,
    ) -> Message:
        """Send a message into a room.

        Without `stream` the call waits for the assistant and returns the assistant's message, which can take many
        seconds. With `stream` true it returns the sent message at once, and the reply comes through `rooms.stream`:
        open that stream first, or you miss its beginning. When the reply calls tools, its `tool_calls` wait for
        `tools.submit_result`.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            content: What to say.
            stream: True to return at once and send the reply through the room's stream. By default the call
                waits for it.
            role: Who speaks. Defaults to the user.
        """
        from ...models.send_message_request import SendMessageRequest
        from . import send_message as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(room_id, body=SendMessageRequest(content=content, stream=stream, role=role)),
            _endpoint._parse_success,
        ).data


class AsyncMessages(Advised, calls=True):
    """The messages of a room, from the user, the assistant, the system or a tool."""

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
        room_id: str,
        *,
        order: KnownSortOrder | Unset = UNSET,
        page: int | Unset = UNSET,
        per_page: int | Unset = UNSET,
    ) -> Page[Message]:
        """List the messages of a room.

        History is kept for 90 days unless the assistant is configured otherwise.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            order: Oldest first (`asc`, the default) or newest first (`desc`).
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
        """
        from . import list_messages as _endpoint

        return await self._sender.page(
            _endpoint._get_kwargs(room_id, order=order, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        room_id: str,
        *,
        order: KnownSortOrder | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncIterator[Message]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            order: Oldest first (`asc`, the default) or newest first (`desc`).
            per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_messages as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(room_id, order=order, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def send(
        self,
        room_id: str,
        content: str,
        *,
        stream: bool | None | Unset = UNSET,
        role: KnownMessageRole | None | Unset = UNSET,
    ) -> Message:
        """Send a message into a room.

        Without `stream` the call waits for the assistant and returns the assistant's message, which can take many
        seconds. With `stream` true it returns the sent message at once, and the reply comes through `rooms.stream`:
        open that stream first, or you miss its beginning. When the reply calls tools, its `tool_calls` wait for
        `tools.submit_result`.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            content: What to say.
            stream: True to return at once and send the reply through the room's stream. By default the call
                waits for it.
            role: Who speaks. Defaults to the user.
        """
        from ...models.send_message_request import SendMessageRequest
        from . import send_message as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(room_id, body=SendMessageRequest(content=content, stream=stream, role=role)),
                _endpoint._parse_success,
            )
        ).data


__all__ = ["AsyncMessages", "Messages"]
