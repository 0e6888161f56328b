"""One request and its response, with headers and bodies, as the inspector page shows them; secrets are masked."""

from __future__ import annotations

import json

from interactor_ext.sandbox.http.contract import Contract
from interactor_ext.sandbox.http.strict_json import parse_json
from interactor_ext.sandbox.inspector.snapshot import summary
from interactor_ext.sandbox.storage.journal import (
    CODE,
    MAX_RESPONSE,
    RESPONSES,
    RequestRecord,
    ResponseRecord,
    masked,
    masked_text,
)
from interactor_ext.sandbox.storage.records import JsonObject

LARGE = f"Larger than {MAX_RESPONSE // 1024} KiB, so it is not shown."


def exchange(contract: Contract, record: RequestRecord, response: ResponseRecord | None) -> JsonObject:
    """`request` and `response` have the `size` in bytes with a `text` of at most MAX_RESPONSE bytes, or a `note`."""
    content = record.content if len(record.content) <= MAX_RESPONSE else None
    return {
        **summary(record),
        "headers": record.headers,
        "request": _body(len(record.content), content, CODE),
        "response": _absent(contract, record) if response is None else _body(response.size, response.content),
    }


def _body(size: int, content: bytes | None, *secret: str) -> JsonObject:
    if size == 0:
        return {"size": 0, "note": "No body."}
    if content is None:
        return {"size": size, "note": LARGE}
    return {"size": size, "text": _text(content, *secret)}


def _text(content: bytes, *secret: str) -> str:
    text = content.decode(errors="replace")
    try:
        return json.dumps(masked(parse_json(text), *secret), indent=2, ensure_ascii=False)
    except ValueError:
        return masked_text(text)


def _absent(contract: Contract, record: RequestRecord) -> JsonObject:
    if record.status == 0:
        return {"note": "None: a fault cut the connection."}
    if record.operation is not None and contract.operations[record.operation].stream:
        return {"note": "An event stream. Its events are not kept."}
    return {"note": f"Not kept any more: only the responses of the newest {RESPONSES} requests are."}
