from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class FailureDetail(_Model):
    """Why something failed, as an object.

    Attributes:
        code: What went wrong, for programs.
        message: What went wrong, for people.
    """

    code: str | Unset = UNSET
    """What went wrong, for programs."""
    message: str | Unset = UNSET
    """What went wrong, for people."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.code is not UNSET and self.code is not None:
            _json["code"] = self.code
        if self.message is not UNSET and self.message is not None:
            _json["message"] = self.message
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not FailureDetail:
            return cls._of(FailureDetail.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("FailureDetail", src_dict)
        code = _json.pop("code", ABSENT)
        if type(code) is not str and code is not UNSET:
            code = UNSET if code is None else as_str("FailureDetail", "code", code)
        message = _json.pop("message", ABSENT)
        if type(message) is not str and message is not UNSET:
            message = UNSET if message is None else as_str("FailureDetail", "message", message)
        _self = cls.__new__(cls)
        _self.code = code
        _self.message = message
        _self.additional_properties = _json
        return _self
