from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import (
    ABSENT,
    as_bool,
    as_datetime,
    as_list,
    as_object,
    as_received,
    as_str,
    names_only,
    redacted,
    to_json,
)


@_define(kw_only=True)
class Webhook(_Model):
    """Your endpoint that receives events.

    Attributes:
        id: Id of the webhook (`wh_...`).
        url: Where events are posted.
        events: The types of event that are posted.
        secret: What deliveries are signed with (`whsec_...`). Only in the responses of creation and
            rotation. Never log it.
        active: Whether events are currently posted.
        created_at: When it was registered.
    """

    id: str = ""
    """Id of the webhook (`wh_...`)."""
    url: str | None = None
    """Where events are posted."""
    events: list[WebhookEventType] = _field(factory=list)
    """The types of event that are posted."""
    secret: str | None | Unset = _field(default=UNSET, repr=redacted)
    """What deliveries are signed with (`whsec_...`). Only in the responses of creation and rotation. Never log it."""
    active: bool | None = None
    """Whether events are currently posted."""
    created_at: datetime.datetime | None = None
    """When it was registered."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""
    outcome: Literal["created", "updated", "unchanged"] | None = _field(default=None, eq=False, repr=False)
    """What `ensure` did; None if another method returned it."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.url is not None:
            _json["url"] = self.url
        _json["events"] = to_json(self.events)
        if self.secret is not UNSET:
            _json["secret"] = to_json(self.secret)
        _json["active"] = to_json(self.active)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Webhook:
            return cls._of(Webhook.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Webhook", src_dict)
        if "enabled" in _json:
            # Some servers call it so.
            _json.setdefault("active", _json.pop("enabled"))
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if id is None or id is UNSET:
            _left_out["id"] = id
            id = ""
        else:
            if type(id) is not str:
                id = as_str("Webhook", "id", id)
        url = _json.pop("url", ABSENT)
        if url is None or url is UNSET:
            _left_out["url"] = url
            url = None
        else:
            if type(url) is not str:
                url = as_str("Webhook", "url", url)
        events = _json.pop("events", ABSENT)
        if events is None or events is UNSET:
            _left_out["events"] = events
            events = []
        else:
            if type(events) is not list:
                events = as_list("Webhook", "events", events)
            _events_items = events
            events = []
            for _events_item in _events_items:
                if type(_events_item) is not str:
                    _events_item = as_str("Webhook", f"events[{len(events)}]", _events_item)
                events.append(_events_item)
        secret = _json.pop("secret", ABSENT)
        if secret is not UNSET and secret is not None:
            if type(secret) is not str:
                secret = as_str("Webhook", "secret", secret)
        active = _json.pop("active", ABSENT)
        if active is None or active is UNSET:
            _left_out["active"] = active
            active = None
        else:
            if type(active) is not bool:
                active = as_bool("Webhook", "active", active)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("Webhook", "created_at", created_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.url = url
        _self.events = events
        _self.secret = secret
        _self.active = active
        _self.created_at = created_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        _self.outcome = None
        return _self


# At the foot, where models that contain each other find this one defined.
from .webhook_event_type import WebhookEventType  # noqa: E402

Webhook.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
