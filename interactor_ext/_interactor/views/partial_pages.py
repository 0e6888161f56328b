"""Pages of a list whose invalid items are left out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_client.types import Page
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.pages import ParseList, page_of, read_page
from interactor_ext._engine.responses.read import read_response, validation_error

T = TypeVar("T")


@dataclass(slots=True)
class PartialPage(Page[T]):
    """A page without the items that don't fit their model."""

    invalid: list[ResponseValidationError] = field(default_factory=list)


def read_partial_page(response: httpx.Response, parse: ParseList[T], params: Any) -> Page[T]:
    """Read the page in a response, with an error in place of each item that doesn't fit its model."""
    try:
        return read_page(response, parse, params)
    except ResponseValidationError as error:
        if not error.path.startswith("data["):
            raise
    body = json.loads(response.content)
    items, invalid = body["data"], []
    envelope = read_response(response, lambda _: parse(_with_data(body, [])))
    for index, item in enumerate(items):
        try:
            envelope.data.extend(parse(_with_data(body, [item])).data)
        except DecodeError as error:
            error.path, error.field = (
                re.sub(r"^data\[0\]", f"data[{index}]", place) for place in (error.path, error.field)
            )
            invalid.append(validation_error(response, error, item=item))
    page = page_of(envelope, params, count=len(items))
    return PartialPage(page.data, page.meta, invalid)


def _with_data(body: dict[str, Any], data: list[Any]) -> httpx.Response:
    return httpx.Response(200, content=json.dumps({**body, "data": data}))
