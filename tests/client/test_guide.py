"""What a server that follows the guide leaves out, or sends as null, is read: in responses, webhooks and streams."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from interactor_client.models import EVENT_MODELS
from interactor_client.types import Page
from interactor_ext import ResponseValidationError
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier, sign
from tests.support.contract import platform_operations
from tests.support.every_request import arguments
from tests.support.guide import META, RESPONSES, STREAM_EVENTS, WEBHOOK_EVENTS, Path, variants
from tests.support.modes import in_turn, sync_and_async
from tests.support.scripted_server import sending
from tests.support.stream_reader import read_from

DATA = {operation: data for operations, data in RESPONSES.items() for operation in operations.split()}
OPERATIONS = {each.id: each for each in platform_operations()}
SENT_AT = 1768473000  # the time of the events in the guide
DONE = b'data: {"type": "done"}\n\n'


def body_shape(operation: str) -> Any:
    data = DATA[operation]
    if operation == "get_jwks":
        return data
    return {"data": data, "meta?": META} if isinstance(data, list) else {"data": data}


def answered(mode: str, name: str, contents: list[bytes]) -> list[Any]:
    """What the method of the client makes of each response."""
    operation, left = OPERATIONS[name], iter(contents)

    def answer(request: httpx.Request) -> httpx.Response:
        if operation.tag != "oauth" and request.url.path.endswith("/oauth/token"):
            return httpx.Response(200, json={"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        return httpx.Response(int(operation.successes[:3]), content=next(left))

    def use(client: Any) -> Any:
        method = getattr(getattr(client, operation.tag), operation.resource_method)
        args, kwargs = arguments(method)
        return method(*args, **kwargs)

    settings = {"client_id": "c", "client_secret": "s", "max_retries": 0, "transport": httpx.MockTransport(answer)}
    return in_turn(mode, settings, *[use] * len(contents))


def check(read: Any, sent: Any, path: Path) -> None:
    """What was left out is empty or unknown, and what is written again holds no more than what came."""
    part, came = read, sent
    for step in path[:-1]:
        part, came = (
            each[step] if isinstance(each, list | dict) else getattr(each, str(step)) for each in (part, came)
        )
    if path:
        assert not getattr(part, str(path[-1]))
        assert path[-1] in came or path[-1] not in part.to_dict()
    if not isinstance(read, Page):
        assert type(read).from_dict(json.loads(json.dumps(read.to_dict()))) == read


@sync_and_async
def test_response(subtests: pytest.Subtests, mode: str) -> None:
    for operation in DATA:
        with subtests.test(operation=operation):
            cases = list(variants(body_shape(operation)))
            results = answered(mode, operation, [json.dumps(body).encode() for _, body in cases])
            for read, (path, body) in zip(results, cases, strict=True):
                if path[:1] == ("meta",):
                    assert len(read.data) == 1
                elif operation == "get_jwks" or isinstance(read, Page):
                    check(read, body, path)
                else:
                    check(read, body["data"], path[1:])


def test_webhook_event(subtests: pytest.Subtests) -> None:
    verifier, got = WebhookVerifier(["whsec_1"], clock=lambda: SENT_AT), []
    for name, shape in WEBHOOK_EVENTS.items():
        with subtests.test(name=name):
            for path, body in variants(shape):
                router = WebhookRouter(verifier, store=MemoryEventStore())
                router.on(name)(got.append)
                content = json.dumps(body).encode()
                assert router.handle(content, sign(content, "whsec_1", timestamp=SENT_AT)).status == 200
                assert type(got[-1]).__name__ == EVENT_MODELS["WebhookEvent"][name]
                check(got[-1], body, path if path[:1] == ("data",) else ())


@sync_and_async
def test_stream_event(mode: str) -> None:
    cases = [(shape, path, body) for shape in STREAM_EVENTS for path, body in variants(shape)]
    served = b"".join(b"data: %s\n\n" % json.dumps(body).encode() for _, _, body in cases)
    outcome = read_from(sending(served, DONE), mode)
    assert outcome.error is None
    assert len(outcome.events) == len(cases)
    for event, (shape, path, body) in zip(outcome.events, cases, strict=True):
        assert type(event).__name__ == EVENT_MODELS["StreamEvent"][body["type"]]
        wrapped = next((name for name in ("message", "tool_call") if hasattr(event, name)), "")
        is_bare = wrapped and wrapped not in shape
        check(getattr(event, wrapped) if is_bare else event, body, path)


def test_every_operation_and_event_is_in_the_tables() -> None:
    without_data = {each.id for each in platform_operations() if each.successes.startswith("204")}
    streams = {"stream_room", "stream_workflow_instance"}
    assert {each.id for each in platform_operations()} - without_data - streams - {"revoke_token"} == DATA.keys()
    assert EVENT_MODELS["WebhookEvent"].keys() - {""} == WEBHOOK_EVENTS.keys()
    assert EVENT_MODELS["StreamEvent"].keys() - {"", "error"} == {each["type"] for each in STREAM_EVENTS}


@sync_and_async
@pytest.mark.parametrize(
    "content", [b"", b" ", b"null", b'{"data": null}', b"OK", b'"OK"', b"[]", b'{"data": "started"}']
)
def test_sync_of_a_data_source_needs_no_body(content: bytes, mode: str) -> None:
    assert answered(mode, "sync_data_source", [content]) == [None]


@sync_and_async
@pytest.mark.parametrize("content", [b"<html>Sign in</html>", b'{"data": ', b'{"data": {"id": 5}}'])
def test_sync_that_something_else_answers_raises(content: bytes, mode: str) -> None:
    with pytest.raises(ResponseValidationError):
        answered(mode, "sync_data_source", [content])
