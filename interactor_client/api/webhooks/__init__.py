"""The operations tagged `webhooks`, one method each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Literal

from interactor_client.accepted import EventTypes
from interactor_client.advised import Advised, no_item, no_items
from interactor_client.types import UNSET, AsyncSender, OnInvalid, Page, Sender, Unset, assign_method

from ...models.webhook import Webhook
from ...models.webhook_event_type import KnownWebhookEventType


class Webhooks(Advised, calls=True):
    """Your endpoints that receive events. Deliveries come at least once and in any order, and an endpoint has 30
    seconds to respond with a 2xx. A failed delivery is retried after 30 s, 2 min, 10 min, 30 min and 2 h.
    """

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Webhook]:
        """List the webhooks of a namespace.

        Without their secrets.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_webhooks as _endpoint

        return self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> Iterator[Webhook]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_webhooks as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    def create(
        self,
        *,
        url: str,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ],
        secret: str | None | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """Register an endpoint for events.

        Only this response, and that of `webhooks.rotate_secret`, shows the signing secret: store it.

        Args:
            url: Where to post events. It must respond within 30 seconds.
            events: The types of event to post. `workflow.*` means all that it matches.
            secret: What to sign deliveries with. By default the server generates one.
            active: Whether to post events from now on. Defaults to true.
        """
        from interactor_client.accepted import event_types as _event_types

        from ...models.create_webhook_request import CreateWebhookRequest
        from . import create_webhook as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                body=CreateWebhookRequest(url=url, events=_event_types(events), secret=secret, active=active)
            ),
            _endpoint._parse_success,
        ).data

    def ensure(
        self,
        *,
        url: str,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ],
        secret: str | None | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """The webhook with this url: found or created, and updated if it differs.

        Its `outcome` says which: "created", "updated" or "unchanged". Two first calls at once create only one.
        Omitted fields stay unchanged; fields that the server does not show are sent each time. Fields that `update`
        does not have only count at creation; if the server shows one that differs, that is an error. What was found
        is remembered for a minute, until this client changes it or gets 404 or 422 for it: the same call then sends
        nothing.

        Args:
            url: Where to post events. It must respond within 30 seconds.
            events: The types of event to post. `workflow.*` means all that it matches.
            secret: What to sign deliveries with. By default the server generates one.
            active: Whether to post events from now on. Defaults to true.
        """
        from interactor_client.accepted import event_types as _event_types
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {"url": url, "events": _event_types(events), "secret": secret, "active": active}
        _ensured: Webhook = _user_of(self._sender)._ensure(
            "webhooks", _fields, by=["url"], filters=[], changeable=["events", "active"], has_key=True
        )
        return _ensured

    def get(self, webhook_id: str) -> Webhook:
        """Get a webhook.

        Without its secret.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import get_webhook as _endpoint

        return self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success).data

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import delete_webhook as _endpoint

        self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success)

    def update(
        self,
        webhook_id: str,
        *,
        url: str | None | Unset = UNSET,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ]
        | None
        | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """Change some fields of a webhook, or pause it.

        Omitted fields stay unchanged; `events` is replaced as a whole. While `active` is false nothing is
        delivered.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
            url: Where to post events.
            events: The types of event to post. Replaces all of them. `workflow.*` means all that it matches.
            active: Whether to post events.
        """
        from interactor_client.accepted import event_types as _event_types

        from ...models.update_webhook_request import UpdateWebhookRequest
        from . import update_webhook as _endpoint

        return self._sender.send(
            _endpoint._get_kwargs(
                webhook_id, body=UpdateWebhookRequest(url=url, events=_event_types(events), active=active)
            ),
            _endpoint._parse_success,
        ).data

    def rotate_secret(self, webhook_id: str) -> Webhook:
        """Replace the signing secret of a webhook.

        Accept signatures of both secrets for a while: deliveries in flight may still carry the old one.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import rotate_webhook_secret as _endpoint

        return self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success).data


class AsyncWebhooks(Advised, calls=True):
    """Your endpoints that receive events. Deliveries come at least once and in any order, and an endpoint has 30
    seconds to respond with a 2xx. A failed delivery is retried after 30 s, 2 min, 10 min, 30 min and 2 h.
    """

    if not TYPE_CHECKING:  # or type checkers would take any name for an attribute
        __setattr__ = assign_method
        __getitem__ = no_item
        __iter__ = no_items

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._sender!r})"

    async def list(self, *, page: int | Unset = UNSET, per_page: int | Unset = UNSET) -> Page[Webhook]:
        """List the webhooks of a namespace.

        Without their secrets.

        Args:
            page: Number of the page, counted from 1. Defaults to 1.
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        """
        from . import list_webhooks as _endpoint

        return await self._sender.page(_endpoint._get_kwargs(page=page, per_page=per_page), _endpoint._parse_success)

    def iterate(
        self, *, per_page: int | Unset = UNSET, prefetch: int = 0, on_invalid: OnInvalid | None = None
    ) -> AsyncIterator[Webhook]:
        """Every item of every page, in order, as `list` returns them.

        Args:
            per_page: How many items a page has at most, 1 to 100. Defaults to 20.
            prefetch: How many pages to request ahead.
            on_invalid: Called with an error for each item that does not fit its model, and the item is skipped.
                The error says where it was (`path`) and what was sent (`item`). Without it, such an item raises.
        """
        from . import list_webhooks as _endpoint

        def _page_kwargs(_page: int) -> dict[str, Any]:
            return _endpoint._get_kwargs(per_page=per_page, page=_page)

        return self._sender.iterate(_page_kwargs, _endpoint._parse_success, prefetch=prefetch, on_invalid=on_invalid)

    async def create(
        self,
        *,
        url: str,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ],
        secret: str | None | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """Register an endpoint for events.

        Only this response, and that of `webhooks.rotate_secret`, shows the signing secret: store it.

        Args:
            url: Where to post events. It must respond within 30 seconds.
            events: The types of event to post. `workflow.*` means all that it matches.
            secret: What to sign deliveries with. By default the server generates one.
            active: Whether to post events from now on. Defaults to true.
        """
        from interactor_client.accepted import event_types as _event_types

        from ...models.create_webhook_request import CreateWebhookRequest
        from . import create_webhook as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    body=CreateWebhookRequest(url=url, events=_event_types(events), secret=secret, active=active)
                ),
                _endpoint._parse_success,
            )
        ).data

    async def ensure(
        self,
        *,
        url: str,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ],
        secret: str | None | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """The webhook with this url: found or created, and updated if it differs.

        Its `outcome` says which: "created", "updated" or "unchanged". Two first calls at once create only one.
        Omitted fields stay unchanged; fields that the server does not show are sent each time. Fields that `update`
        does not have only count at creation; if the server shows one that differs, that is an error. What was found
        is remembered for a minute, until this client changes it or gets 404 or 422 for it: the same call then sends
        nothing.

        Args:
            url: Where to post events. It must respond within 30 seconds.
            events: The types of event to post. `workflow.*` means all that it matches.
            secret: What to sign deliveries with. By default the server generates one.
            active: Whether to post events from now on. Defaults to true.
        """
        from interactor_client.accepted import event_types as _event_types
        from interactor_client.accepted import user_of as _user_of

        _fields: dict[str, Any] = {"url": url, "events": _event_types(events), "secret": secret, "active": active}
        _ensured: Webhook = await _user_of(self._sender)._ensure(
            "webhooks", _fields, by=["url"], filters=[], changeable=["events", "active"], has_key=True
        )
        return _ensured

    async def get(self, webhook_id: str) -> Webhook:
        """Get a webhook.

        Without its secret.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import get_webhook as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success)).data

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import delete_webhook as _endpoint

        await self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success)

    async def update(
        self,
        webhook_id: str,
        *,
        url: str | None | Unset = UNSET,
        events: EventTypes[
            KnownWebhookEventType
            | Literal[
                "*", "credential.*", "room.*", "room.message.*", "room.tool_call.*", "workflow.*", "workflow.instance.*"
            ]
        ]
        | None
        | Unset = UNSET,
        active: bool | None | Unset = UNSET,
    ) -> Webhook:
        """Change some fields of a webhook, or pause it.

        Omitted fields stay unchanged; `events` is replaced as a whole. While `active` is false nothing is
        delivered.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
            url: Where to post events.
            events: The types of event to post. Replaces all of them. `workflow.*` means all that it matches.
            active: Whether to post events.
        """
        from interactor_client.accepted import event_types as _event_types

        from ...models.update_webhook_request import UpdateWebhookRequest
        from . import update_webhook as _endpoint

        return (
            await self._sender.send(
                _endpoint._get_kwargs(
                    webhook_id, body=UpdateWebhookRequest(url=url, events=_event_types(events), active=active)
                ),
                _endpoint._parse_success,
            )
        ).data

    async def rotate_secret(self, webhook_id: str) -> Webhook:
        """Replace the signing secret of a webhook.

        Accept signatures of both secrets for a while: deliveries in flight may still carry the old one.

        Args:
            webhook_id: Id of the webhook, such as `wh_0Js4`.
        """
        from . import rotate_webhook_secret as _endpoint

        return (await self._sender.send(_endpoint._get_kwargs(webhook_id), _endpoint._parse_success)).data


__all__ = ["AsyncWebhooks", "Webhooks"]
