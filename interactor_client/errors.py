"""The two errors of the generated code.

Neither shows what the server sent, which may hold a secret; but an ApiError shows the code and the message of an error,
which servers write for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from httpx import Headers
else:
    Headers = Mapping[str, str]  # models don't load httpx


class ApiError(Exception):
    """The server responded with an error status. Its body is in `content`.

    `code` and `message` come from the body, `{"error": {"code": ..., "message": ...}}` or without `error` around them;
    None if they're missing.
    """

    def __init__(self, status_code: int, headers: Headers, content: bytes) -> None:
        super().__init__(status_code)
        self.status_code = status_code
        self.headers = headers
        self.content = content
        body: Any = None
        with suppress(ValueError, RecursionError):  # not JSON
            body = json.loads(content)
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            body = body["error"]
        said = body if isinstance(body, dict) else {}
        self.code: str | None = _text(said.get("code"))
        self.message: str | None = _text(said.get("message"))

    def __str__(self) -> str:
        code = f" {self.code:.100}" if self.code else ""
        message = f": {' '.join(self.message[:1000].split())}" if self.message else ""
        request_id = self.headers.get("x-request-id")
        return f"the server responded with {self.status_code}{code}{message}" + (
            f" (request id {request_id})" if request_id else ""
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status_code, self.headers, self.content)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class DecodeError(ValueError):
    """A success body that does not fit its model.

    `model` and `field` name the innermost model concerned; `field` is "" if the body itself is at fault. `path`
    leads there from the outermost model, `root`: for example `data[3].id` from `AssistantListResponse`.
    """

    def __init__(self, model: str, field: str, problem: str) -> None:
        super().__init__(model, field, problem)
        self.model: str = model
        self.field: str = field
        self.problem = problem
        self.root: str = model
        self.path: str = field

    def at(self, model: str, step: str) -> Self:
        """The same error, seen from `model`, whose field `step` holds the value that doesn't fit."""
        if self.field:
            self.path = f"{step}.{self.path}"
        else:
            self.model, self.field, self.path = model, step, step
        self.root = model
        return self

    def __str__(self) -> str:
        where = f"{self.model}.{self.field}" if self.field else self.model
        seen_from = f" (at {self.path} of {self.root})" if self.path != self.field else ""
        return f"{where} {self.problem}{seen_from}"


__all__ = ["ApiError", "DecodeError"]
