from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class ThreadMessage(_Model):
    """A message in the conversation of an instance.

    Attributes:
        id: Id of the message (`msg_...`).
        role: Who speaks in the conversation of an instance.
        content: What was said.
        created_at: When it was said.
    """

    id: str
    """Id of the message (`msg_...`)."""
    role: ThreadMessageRole | None = None
    """Who speaks in the conversation of an instance."""
    content: str = ""
    """What was said."""
    created_at: datetime.datetime | None = None
    """When it was said."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.role is not None:
            _json["role"] = self.role
        _json["content"] = to_json(self.content)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ThreadMessage:
            return cls._of(ThreadMessage.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ThreadMessage", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("ThreadMessage", "id", id)
        role = _json.pop("role", ABSENT)
        if role is None or role is UNSET:
            _left_out["role"] = role
            role = None
        else:
            if type(role) is not str:
                role = as_str("ThreadMessage", "role", role)
        content = _json.pop("content", ABSENT)
        if content is None or content is UNSET:
            _left_out["content"] = content
            content = ""
        else:
            if type(content) is not str:
                content = as_str("ThreadMessage", "content", content)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("ThreadMessage", "created_at", created_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.role = role
        _self.content = content
        _self.created_at = created_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .thread_message_role import ThreadMessageRole  # noqa: E402

ThreadMessage.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
