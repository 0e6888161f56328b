from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowThread(_Model):
    """The conversation that belongs to an instance.

    Attributes:
        id: Id of the thread (`thr_...`).
        instance_id: The instance that it belongs to (`wfi_...`).
        messages: All messages, oldest first.
        created_at: When the conversation began.
    """

    id: str
    """Id of the thread (`thr_...`)."""
    instance_id: str | None = None
    """The instance that it belongs to (`wfi_...`)."""
    messages: list[ThreadMessage] = _field(factory=list)
    """All messages, oldest first."""
    created_at: datetime.datetime | None = None
    """When the conversation began."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.instance_id is not None:
            _json["instance_id"] = self.instance_id
        _json["messages"] = to_json(self.messages)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowThread:
            return cls._of(WorkflowThread.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowThread", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("WorkflowThread", "id", id)
        instance_id = _json.pop("instance_id", ABSENT)
        if instance_id is None or instance_id is UNSET:
            _left_out["instance_id"] = instance_id
            instance_id = None
        else:
            if type(instance_id) is not str:
                instance_id = as_str("WorkflowThread", "instance_id", instance_id)
        messages = _json.pop("messages", ABSENT)
        if messages is None or messages is UNSET:
            _left_out["messages"] = messages
            messages = []
        else:
            if type(messages) is not list:
                messages = as_list("WorkflowThread", "messages", messages)
            _messages_items = messages
            messages = []
            for _messages_item in _messages_items:
                try:
                    _messages_item = ThreadMessage.from_dict(_messages_item)
                except DecodeError as _error:
                    raise _error.at("WorkflowThread", f"messages[{len(messages)}]") from None
                messages.append(_messages_item)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("WorkflowThread", "created_at", created_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.instance_id = instance_id
        _self.messages = messages
        _self.created_at = created_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .thread_message import ThreadMessage  # noqa: E402

WorkflowThread.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
