"""The operations tagged `rooms`, one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
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
from ...models.json_object import JsonObject
from ...models.room import Room


class Rooms(Advised, calls=True):
    """Conversations with one assistant. Messages are sent into a room, and its events can be followed live."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(
        self, *, assistant_id: str | Unset = UNSET, page: int | Unset = UNSET, per_page: int | Unset = UNSET
    ) -> Page[Room]:
        """List the rooms of a namespace.

        Args:
            assistant_id: Only rooms of this assistant.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_rooms as _endpoint

        return self._sender.page(
            _endpoint._get_kwargs(assistant_id=assistant_id, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        *,
        assistant_id: str | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> Iterator[Room]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            assistant_id: Only rooms of this assistant.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_rooms as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(assistant_id=assistant_id, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(self, assistant_id: str, *, metadata: JsonObject | None | Unset = UNSET) -> Room:
        """Open a conversation with an assistant.

        An `assistant_id` that does not exist in the namespace gets 422.

        Args:
            assistant_id: The assistant to talk to (`asst_...`).
            metadata: Data that you store with the room. The platform does not read it.
        """
        from ...models.create_room_request import CreateRoomRequest
        from . import create_room as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(body=CreateRoomRequest(assistant_id=assistant_id, metadata=metadata)),
            _endpoint._parse_success,
        ).data

    def ensure(self, assistant_id: str, *, metadata: JsonObject | None | Unset = UNSET) -> Room:
        """The room with this assistant id and this metadata: found or created.

        Its `outcome` says which: "created" or "unchanged". Two first calls at once create only one. One with more
        metadata than is given is found as well; `update` changes it. What was found is remembered for a minute,
        until this client changes it or gets 404 or 422 for it: the same call then sends nothing.

        Args:
            assistant_id: The assistant to talk to (`asst_...`).
            metadata: Data that you store with the room. The platform does not read it.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {"assistant_id": assistant_id, "metadata": metadata}
        _ensured: Room = _user_of(self._sender)._ensure(
            "rooms", _fields, by=["assistant_id", "metadata"], filters=["assistant_id"], changeable=[], has_key=True
        )
        return _ensured

    def get(self, room_id: str) -> Room:
        """Get a room.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
        """
        from . import get_room as _endpoint

        return self._sender.send(_endpoint._get_kwargs(room_id), _endpoint._parse_success).data

    def delete(self, room_id: str) -> None:
        """Delete a room and every message in it.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
        """
        from . import delete_room as _endpoint

        self._sender.send(_endpoint._get_kwargs(room_id), _endpoint._parse_success)

    def update(self, room_id: str, *, metadata: JsonObject) -> Room:
        """Replace the metadata of a room.

        The metadata is replaced as a whole: omitted keys are removed.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            metadata: Replaces it as a whole.
        """
        from ...models.update_room_request import UpdateRoomRequest
        from . import update_room as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(room_id, body=UpdateRoomRequest(metadata=metadata)), _endpoint._parse_success
        ).data

    def stream(
        self,
        room_id: str,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        on_invalid: OnInvalid | None = None,
    ) -> EventStream[StreamEvent]:
        """Follow the events of a room as they happen.

        The connection stays open until one side closes it. The server sends a sign of life every 30 seconds; after
        45 seconds of silence the connection is dead. To resume, send `Last-Event-ID`. A backend sends the bearer
        header; `token` and `namespace` in the query exist for browsers, whose EventSource cannot set headers.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            last_event_id: Where to resume; "" for from now on.
            max_reconnects: How often it may reconnect in total; None to go on until 20 in a row bring nothing.
            on_reconnect: Called before each reconnect with its number, from 1, and how many seconds it waited.
            on_invalid: Called with an error for each event that does not fit its model, and the event is skipped.
                The error has what was sent (`item`). Without it, such an event raises, and iterating again goes on.
        """
        from . import stream_room as _endpoint

        return self._sender.stream(
            _endpoint._get_kwargs(room_id),
            "StreamEvent",
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            on_invalid=on_invalid,
        )


class AsyncRooms(Advised, calls=True):
    """Conversations with one assistant. Messages are sent into a room, and its events can be followed live."""

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(
        self, *, assistant_id: str | Unset = UNSET, page: int | Unset = UNSET, per_page: int | Unset = UNSET
    ) -> Page[Room]:
        """List the rooms of a namespace.

        Args:
            assistant_id: Only rooms of this assistant.
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_rooms as _endpoint

        return await self._sender.page(
            _endpoint._get_kwargs(assistant_id=assistant_id, page=page, per_page=per_page), _endpoint._parse_success
        )

    def iterate(
        self,
        *,
        assistant_id: str | Unset = UNSET,
        per_page: int | Unset = UNSET,
        prefetch: int = 0,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncIterator[Room]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            assistant_id: Only rooms of this assistant.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_rooms as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(assistant_id=assistant_id, per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(self, assistant_id: str, *, metadata: JsonObject | None | Unset = UNSET) -> Room:
        """Open a conversation with an assistant.

        An `assistant_id` that does not exist in the namespace gets 422.

        Args:
            assistant_id: The assistant to talk to (`asst_...`).
            metadata: Data that you store with the room. The platform does not read it.
        """
        from ...models.create_room_request import CreateRoomRequest
        from . import create_room as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(body=CreateRoomRequest(assistant_id=assistant_id, metadata=metadata)),
                _endpoint._parse_success,
            )
        ).data

    async def ensure(self, assistant_id: str, *, metadata: JsonObject | None | Unset = UNSET) -> Room:
        """The room with this assistant id and this metadata: found or created.

        Its `outcome` says which: "created" or "unchanged". Two first calls at once create only one. One with more
        metadata than is given is found as well; `update` changes it. What was found is remembered for a minute,
        until this client changes it or gets 404 or 422 for it: the same call then sends nothing.

        Args:
            assistant_id: The assistant to talk to (`asst_...`).
            metadata: Data that you store with the room. The platform does not read it.
        """
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {"assistant_id": assistant_id, "metadata": metadata}
        _ensured: Room = await _user_of(self._sender)._ensure(
            "rooms", _fields, by=["assistant_id", "metadata"], filters=["assistant_id"], changeable=[], has_key=True
        )
        return _ensured

    async def get(self, room_id: str) -> Room:
        """Get a room.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
        """
        from . import get_room as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(room_id), _endpoint._parse_success)).data

    async def delete(self, room_id: str) -> None:
        """Delete a room and every message in it.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
        """
        from . import delete_room as _endpoint

        await self._sender.send(_endpoint._get_kwargs(room_id), _endpoint._parse_success)

    async def update(self, room_id: str, *, metadata: JsonObject) -> Room:
        """Replace the metadata of a room.

        The metadata is replaced as a whole: omitted keys are removed.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            metadata: Replaces it as a whole.
        """
        from ...models.update_room_request import UpdateRoomRequest
        from . import update_room as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(room_id, body=UpdateRoomRequest(metadata=metadata)), _endpoint._parse_success
            )
        ).data

    def stream(
        self,
        room_id: str,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        on_invalid: OnInvalid | None = None,
    ) -> AsyncEventStream[StreamEvent]:
        """Follow the events of a room as they happen.

        The connection stays open until one side closes it. The server sends a sign of life every 30 seconds; after
        45 seconds of silence the connection is dead. To resume, send `Last-Event-ID`. A backend sends the bearer
        header; `token` and `namespace` in the query exist for browsers, whose EventSource cannot set headers.

        Args:
            room_id: Id of the room, such as `room_4Kd9`.
            last_event_id: Where to resume; "" for from now on.
            max_reconnects: How often it may reconnect in total; None to go on until 20 in a row bring nothing.
            on_reconnect: Called before each reconnect with its number, from 1, and how many seconds it waited.
            on_invalid: Called with an error for each event that does not fit its model, and the event is skipped.
                The error has what was sent (`item`). Without it, such an event raises, and iterating again goes on.
        """
        from . import stream_room as _endpoint

        return self._sender.stream(
            _endpoint._get_kwargs(room_id),
            "StreamEvent",
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            on_reconnect=on_reconnect,
            on_invalid=on_invalid,
        )


__all__ = ["AsyncRooms", "Rooms"]
