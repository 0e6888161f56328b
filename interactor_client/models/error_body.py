from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class ErrorBody(_Model):
    """What went wrong.

    Attributes:
        code: What went wrong, for programs. `REFRESH_FAILED` means that the user has to connect the
            credential again; `API_ERROR` is any error without its own code.
        message: What went wrong, for people. The wording may change.
        request_id: Id of the request, for support requests.
        details: One entry for each invalid field. Only with `VALIDATION_ERROR`.
    """

    code: ErrorCode
    """What went wrong, for programs. `REFRESH_FAILED` means that the user has to connect the credential again;
    `API_ERROR` is any error without its own code.
    """
    message: str
    """What went wrong, for people. The wording may change."""
    request_id: str
    """Id of the request, for support requests."""
    details: list[ErrorDetail] | Unset = UNSET
    """One entry for each invalid field. Only with `VALIDATION_ERROR`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["code"] = self.code
        _json["message"] = self.message
        _json["request_id"] = self.request_id
        if self.details is not UNSET and self.details is not None:
            _json["details"] = to_json(self.details)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ErrorBody:
            return cls._of(ErrorBody.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ErrorBody", src_dict)
        code = _json.pop("code", ABSENT)
        if type(code) is not str:
            code = as_str("ErrorBody", "code", code)
        message = _json.pop("message", ABSENT)
        if type(message) is not str:
            message = as_str("ErrorBody", "message", message)
        request_id = _json.pop("request_id", ABSENT)
        if type(request_id) is not str:
            request_id = as_str("ErrorBody", "request_id", request_id)
        details = _json.pop("details", ABSENT)
        if details is None:
            details = UNSET
        elif details is not UNSET:
            if type(details) is not list:
                details = as_list("ErrorBody", "details", details)
            _details_items = details
            details = []
            for _details_item in _details_items:
                try:
                    _details_item = ErrorDetail.from_dict(_details_item)
                except DecodeError as _error:
                    raise _error.at("ErrorBody", f"details[{len(details)}]") from None
                details.append(_details_item)
        _self = cls.__new__(cls)
        _self.code = code
        _self.message = message
        _self.request_id = request_id
        _self.details = details
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .error_code import ErrorCode  # noqa: E402
from .error_detail import ErrorDetail  # noqa: E402

ErrorBody.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
