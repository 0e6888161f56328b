from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_object, names_only, to_json


@_define(kw_only=True)
class CredentialTokenResponse(_Model):
    """The envelope of a token of a provider.

    Attributes:
        data: A token of the provider, for calling the provider on the user's behalf. Never log it.
    """

    data: CredentialToken
    """A token of the provider, for calling the provider on the user's behalf. Never log it."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["data"] = to_json(self.data)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CredentialTokenResponse:
            return cls._of(CredentialTokenResponse.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialTokenResponse", src_dict)
        data = _json.pop("data", ABSENT)
        try:
            data = CredentialToken.from_dict(data)
        except DecodeError as _error:
            raise _error.at("CredentialTokenResponse", "data") from None
        _self = cls.__new__(cls)
        _self.data = data
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .credential_token import CredentialToken  # noqa: E402

CredentialTokenResponse.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
