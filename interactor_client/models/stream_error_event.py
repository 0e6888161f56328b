from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_const, as_object, names_only, raise_decode_error, to_json


@_define(kw_only=True)
class StreamErrorEvent(_Model):
    """Something failed, such as the answer that was being written. The stream goes on.

    Attributes:
        type: Always `error`.
        error: Why something failed, as a text or as an object, depending on the server's version.
    """

    type: Literal["error"] = "error"
    """Always `error`."""
    error: FailureDetail | str
    """Why something failed, as a text or as an object, depending on the server's version."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["error"] = to_json(self.error)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not StreamErrorEvent:
            return cls._of(StreamErrorEvent.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("StreamErrorEvent", src_dict)
        type_ = _json.pop("type", ABSENT)
        if type_ != "error":
            type_ = as_const("StreamErrorEvent", "type", type_, "error")
        error = _json.pop("error", ABSENT)
        if type(error) is dict:
            try:
                error = FailureDetail.from_dict(error)
            except DecodeError as _error:
                raise _error.at("StreamErrorEvent", "error") from None
        elif type(error) is not str:
            raise_decode_error("StreamErrorEvent", "error", "an object or a string", error)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.error = error
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .failure_detail import FailureDetail  # noqa: E402

StreamErrorEvent.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
