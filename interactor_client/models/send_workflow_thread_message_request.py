from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class SendWorkflowThreadMessageRequest(_Model):
    """A message for the conversation of an instance.

    Attributes:
        content: What to say.
    """

    content: str
    """What to say."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["content"] = self.content
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not SendWorkflowThreadMessageRequest:
            return cls._of(SendWorkflowThreadMessageRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("SendWorkflowThreadMessageRequest", src_dict)
        content = _json.pop("content", ABSENT)
        if type(content) is not str:
            content = as_str("SendWorkflowThreadMessageRequest", "content", content)
        _self = cls.__new__(cls)
        _self.content = content
        _self.additional_properties = _json
        return _self
