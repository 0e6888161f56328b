"""From a response to the model that it holds, or to the error that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_ext._errors import APIStatusError

T = TypeVar("T")


def read_response(response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
    """What `parse` makes of a success.

    Raises:
        APIStatusError: the status is no success.
        ResponseValidationError: the body does not fit its model.
    """
    if not response.is_success:
        raise error_from_response(response)
    try:
        return parse(response)
    except DecodeError as error:
        from interactor_ext._responses._status_errors import validation_error

        raise validation_error(response, error) from error


def error_from_response(response: httpx.Response) -> APIStatusError:
    """The error for a response that is no success, whatever is in it. A streamed body must have been read before."""
    # Imported late, for it takes a third of the time that the rest of this package takes.
    from interactor_ext._responses._status_errors import status_error

    return status_error(response)
