"""InvalidWebhookEvent: a genuine webhook event that doesn't fit its model. Imports the base of the generated models."""

from __future__ import annotations

import datetime  # noqa: F401  # of the inherited fields, for `typing.get_type_hints`
from typing import Any  # noqa: F401

from attrs import define, field

from interactor_client.models import UnknownWebhookEvent


@define(kw_only=True)
class InvalidWebhookEvent(UnknownWebhookEvent):
    """A genuine event of a known type that doesn't fit the model of its type.

    Attributes:
        validation_error: The model, the field and what is wrong with it.
        raw: The body as received.
    """

    validation_error: str = ""
    raw: bytes = field(default=b"", repr=False)
