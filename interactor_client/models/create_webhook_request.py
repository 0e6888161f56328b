from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_bool, as_list, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class CreateWebhookRequest(_Model):
    """A new endpoint.

    Attributes:
        url: Where to post events. It must respond within 30 seconds.
        events: The types of event to post.
        secret: What to sign deliveries with. By default the server generates one.
        active: Whether to post events from now on. Defaults to true.
    """

    url: str
    """Where to post events. It must respond within 30 seconds."""
    events: list[KnownWebhookEventType]
    """The types of event to post."""
    secret: str | None | Unset = _field(default=UNSET, repr=redacted)
    """What to sign deliveries with. By default the server generates one."""
    active: bool | None | Unset = UNSET
    """Whether to post events from now on. Defaults to true."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["url"] = self.url
        _json["events"] = self.events
        if self.secret is not UNSET and self.secret is not None:
            _json["secret"] = to_json(self.secret)
        if self.active is not UNSET and self.active is not None:
            _json["active"] = to_json(self.active)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateWebhookRequest:
            return cls._of(CreateWebhookRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateWebhookRequest", src_dict)
        url = _json.pop("url", ABSENT)
        if type(url) is not str:
            url = as_str("CreateWebhookRequest", "url", url)
        events = _json.pop("events", ABSENT)
        if type(events) is not list:
            events = as_list("CreateWebhookRequest", "events", events)
        _events_items = events
        events = []
        for _events_item in _events_items:
            if type(_events_item) is not str:
                _events_item = as_str("CreateWebhookRequest", f"events[{len(events)}]", _events_item)
            events.append(_events_item)
        secret = _json.pop("secret", ABSENT)
        if secret is not UNSET and secret is not None:
            if type(secret) is not str:
                secret = as_str("CreateWebhookRequest", "secret", secret)
        active = _json.pop("active", ABSENT)
        if active is not UNSET and active is not None:
            if type(active) is not bool:
                active = as_bool("CreateWebhookRequest", "active", active)
        _self = cls.__new__(cls)
        _self.url = url
        _self.events = events
        _self.secret = secret
        _self.active = active
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .webhook_event_type import KnownWebhookEventType  # noqa: E402

CreateWebhookRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
