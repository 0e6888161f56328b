from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..base import Model as _Model
from ..types import UNSET
from ..wire import ABSENT, as_datetime, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class ThreadMessage(_Model):
    """A message in the conversation of an instance.

    Attributes:
        id: Id of the message (`msg_...`).
        role: Who speaks in the conversation of an instance.
        created_at: When it was said.
        content: What was said.
    """

    id: str
    """Id of the message (`msg_...`)."""
    role: ThreadMessageRole
    """Who speaks in the conversation of an instance."""
    created_at: datetime.datetime
    """When it was said."""
    content: str = ""
    """What was said."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["role"] = self.role
        _json["created_at"] = to_json(self.created_at)
        _json["content"] = to_json(self.content)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ThreadMessage:
            return cls._of(ThreadMessage.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ThreadMessage", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("ThreadMessage", "id", id)
        role = _json.pop("role", ABSENT)
        if type(role) is not str:
            role = as_str("ThreadMessage", "role", role)
        created_at = _json.pop("created_at", ABSENT)
        created_at = as_datetime("ThreadMessage", "created_at", created_at)
        content = _json.pop("content", ABSENT)
        if content is None or content is UNSET:
            content = ""
        else:
            if type(content) is not str:
                content = as_str("ThreadMessage", "content", content)
        _self = cls.__new__(cls)
        _self.id = id
        _self.role = role
        _self.created_at = created_at
        _self.content = content
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .thread_message_role import ThreadMessageRole  # noqa: E402
