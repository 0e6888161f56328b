from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, raise_decode_error, to_json


@_define(kw_only=True)
class CredentialErrorData(_Model):
    """The credential, and what is wrong with it.

    Attributes:
        credential_id: The credential (`cred_...`).
        provider: The service that the user connected, such as `google`.
        error: Why something failed, as a text or as an object, depending on the server's version.
        namespace: The tenant that it belongs to.
    """

    credential_id: str
    """The credential (`cred_...`)."""
    provider: str | Unset = UNSET
    """The service that the user connected, such as `google`."""
    error: FailureDetail | str | Unset = UNSET
    """Why something failed, as a text or as an object, depending on the server's version."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["credential_id"] = self.credential_id
        if self.provider is not UNSET and self.provider is not None:
            _json["provider"] = self.provider
        if self.error is not UNSET and self.error is not None:
            _json["error"] = to_json(self.error)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CredentialErrorData:
            return cls._of(CredentialErrorData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialErrorData", src_dict)
        credential_id = _json.pop("credential_id", ABSENT)
        if type(credential_id) is not str:
            credential_id = as_str("CredentialErrorData", "credential_id", credential_id)
        provider = _json.pop("provider", ABSENT)
        if type(provider) is not str and provider is not UNSET:
            provider = UNSET if provider is None else as_str("CredentialErrorData", "provider", provider)
        error = _json.pop("error", ABSENT)
        if error is None:
            error = UNSET
        elif error is not UNSET:
            if type(error) is dict:
                try:
                    error = FailureDetail.from_dict(error)
                except DecodeError as _error:
                    raise _error.at("CredentialErrorData", "error") from None
            elif type(error) is not str:
                raise_decode_error("CredentialErrorData", "error", "an object or a string", error)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("CredentialErrorData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.credential_id = credential_id
        _self.provider = provider
        _self.error = error
        _self.namespace = namespace
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .failure_detail import FailureDetail  # noqa: E402

CredentialErrorData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
