from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_bool, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class UpdateWebhookRequest(_Model):
    """The fields of a webhook to change.

    Attributes:
        url: Where to post events.
        events: The types of event to post. Replaces all of them.
        active: Whether to post events.
    """

    url: str | None | Unset = UNSET
    """Where to post events."""
    events: list[KnownWebhookEventType] | None | Unset = UNSET
    """The types of event to post. Replaces all of them."""
    active: bool | None | Unset = UNSET
    """Whether to post events."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.url is not UNSET and self.url is not None:
            _json["url"] = to_json(self.url)
        if self.events is not UNSET and self.events is not None:
            _json["events"] = self.events
        if self.active is not UNSET and self.active is not None:
            _json["active"] = to_json(self.active)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not UpdateWebhookRequest:
            return cls._of(UpdateWebhookRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UpdateWebhookRequest", src_dict)
        url = _json.pop("url", ABSENT)
        if url is not UNSET and url is not None:
            if type(url) is not str:
                url = as_str("UpdateWebhookRequest", "url", url)
        events = _json.pop("events", ABSENT)
        if events is not UNSET and events is not None:
            if type(events) is not list:
                events = as_list("UpdateWebhookRequest", "events", events)
            _events_items = events
            events = []
            for _events_item in _events_items:
                if type(_events_item) is not str:
                    _events_item = as_str("UpdateWebhookRequest", f"events[{len(events)}]", _events_item)
                events.append(_events_item)
        active = _json.pop("active", ABSENT)
        if active is not UNSET and active is not None:
            if type(active) is not bool:
                active = as_bool("UpdateWebhookRequest", "active", active)
        _self = cls.__new__(cls)
        _self.url = url
        _self.events = events
        _self.active = active
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .webhook_event_type import KnownWebhookEventType  # noqa: E402

UpdateWebhookRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
