from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class JsonWebKey(_Model):
    """One public key (RFC 7517). Which of the last fields it has depends on `kty`.

    Attributes:
        kty: Type of the key, such as `RSA` or `EC`.
        kid: Id by which tokens name the key.
        use: `sig` for signatures.
        alg: Algorithm, such as `RS256`.
        n: RSA modulus, base64url.
        e: RSA exponent, base64url.
        crv: Curve, such as `P-256`.
        x: First coordinate, base64url.
        y: Second coordinate, base64url.
    """

    kty: str
    """Type of the key, such as `RSA` or `EC`."""
    kid: str | Unset = UNSET
    """Id by which tokens name the key."""
    use: str | Unset = UNSET
    """`sig` for signatures."""
    alg: str | Unset = UNSET
    """Algorithm, such as `RS256`."""
    n: str | Unset = UNSET
    """RSA modulus, base64url."""
    e: str | Unset = UNSET
    """RSA exponent, base64url."""
    crv: str | Unset = UNSET
    """Curve, such as `P-256`."""
    x: str | Unset = UNSET
    """First coordinate, base64url."""
    y: str | Unset = UNSET
    """Second coordinate, base64url."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["kty"] = self.kty
        if self.kid is not UNSET and self.kid is not None:
            _json["kid"] = self.kid
        if self.use is not UNSET and self.use is not None:
            _json["use"] = self.use
        if self.alg is not UNSET and self.alg is not None:
            _json["alg"] = self.alg
        if self.n is not UNSET and self.n is not None:
            _json["n"] = self.n
        if self.e is not UNSET and self.e is not None:
            _json["e"] = self.e
        if self.crv is not UNSET and self.crv is not None:
            _json["crv"] = self.crv
        if self.x is not UNSET and self.x is not None:
            _json["x"] = self.x
        if self.y is not UNSET and self.y is not None:
            _json["y"] = self.y
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not JsonWebKey:
            return cls._of(JsonWebKey.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("JsonWebKey", src_dict)
        kty = _json.pop("kty", ABSENT)
        if type(kty) is not str:
            kty = as_str("JsonWebKey", "kty", kty)
        kid = _json.pop("kid", ABSENT)
        if type(kid) is not str and kid is not UNSET:
            kid = UNSET if kid is None else as_str("JsonWebKey", "kid", kid)
        use = _json.pop("use", ABSENT)
        if type(use) is not str and use is not UNSET:
            use = UNSET if use is None else as_str("JsonWebKey", "use", use)
        alg = _json.pop("alg", ABSENT)
        if type(alg) is not str and alg is not UNSET:
            alg = UNSET if alg is None else as_str("JsonWebKey", "alg", alg)
        n = _json.pop("n", ABSENT)
        if type(n) is not str and n is not UNSET:
            n = UNSET if n is None else as_str("JsonWebKey", "n", n)
        e = _json.pop("e", ABSENT)
        if type(e) is not str and e is not UNSET:
            e = UNSET if e is None else as_str("JsonWebKey", "e", e)
        crv = _json.pop("crv", ABSENT)
        if type(crv) is not str and crv is not UNSET:
            crv = UNSET if crv is None else as_str("JsonWebKey", "crv", crv)
        x = _json.pop("x", ABSENT)
        if type(x) is not str and x is not UNSET:
            x = UNSET if x is None else as_str("JsonWebKey", "x", x)
        y = _json.pop("y", ABSENT)
        if type(y) is not str and y is not UNSET:
            y = UNSET if y is None else as_str("JsonWebKey", "y", y)
        _self = cls.__new__(cls)
        _self.kty = kty
        _self.kid = kid
        _self.use = use
        _self.alg = alg
        _self.n = n
        _self.e = e
        _self.crv = crv
        _self.x = x
        _self.y = y
        _self.additional_properties = _json
        return _self
