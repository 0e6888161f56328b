"""Rooms through the relay: listed, created once by two tabs, named, deleted; messages that the application refuses; and
limits that several processes share.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext import InteractorClient
from interactor_ext.limits import RedisRateLimiter, Tier, Tiers
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import RelayServer

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures", "tests.support.server_fixtures"]

StartRelay = Callable[..., RelayServer]
NewRoom = Callable[..., str]


def test_rooms_are_listed_named_and_deleted_with_fields_for_browsers(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient
) -> None:
    user = backend.namespace("user_1")
    first, second = new_room(), new_room()
    new_room("user_2")
    user.rooms.update(first, metadata={"email": "john@example.com", "room_name": 7})
    with relay.page() as page:
        listed = page.get("/rooms").json()
        assert listed["meta"] == {"page": 1, "per_page": 20, "has_more": False}
        assert {room["id"] for room in listed["data"]} == {first, second}
        assert [set(room) for room in listed["data"]] == [{"id", "assistant_id", "created_at"}] * 2
        of_first = page.get("/rooms", params={"assistant_id": user.rooms.get(first).assistant_id, "per_page": 1}).json()
        assert [room["id"] for room in of_first["data"]] == [first]
        named = page.patch(f"/rooms/{first}", json={"name": " Order 17 "})
        assert (named.status_code, named.json()["data"]["name"]) == (200, "Order 17")
        deleted = page.delete(f"/rooms/{second}")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert [room["name"] for room in page.get("/rooms").json()["data"]] == ["Order 17"]
        assert page.delete(f"/rooms/{second}").status_code == 404
    assert user.rooms.get(first).metadata == {"email": "john@example.com", "room_name": "Order 17"}


def test_two_tabs_with_one_key_create_one_room(
    relay: RelayServer, new_room: NewRoom, backend: InteractorClient
) -> None:
    user = backend.namespace("user_1")
    assistant = user.rooms.get(new_room()).assistant_id
    body = {"assistant_id": assistant, "name": "Help", "metadata": {"admin": True}}
    with relay.page() as page, ThreadPoolExecutor(2) as tabs:
        create = lambda key: page.post("/rooms", json=body, headers={"idempotency-key": key})  # noqa: E731
        one, two = tabs.map(create, ["first-room"] * 2)
        other = page.post("/rooms", json={"assistant_id": assistant}, headers={"idempotency-key": "first-room"})
        unknown = page.post("/rooms", json={"assistant_id": "asst_none"})
    assert one.json() == two.json()
    assert (one.status_code, one.json()["data"]["name"]) == (201, "Help")
    assert (other.status_code, unknown.status_code) == (409, 422)
    assert len(list(user.rooms.iterate(assistant_id=assistant))) == 2
    assert user.rooms.get(one.json()["data"]["id"]).metadata == {"room_name": "Help"}


def test_rooms_that_the_application_refuses_are_neither_listed_nor_created(
    start_relay: StartRelay, new_room: NewRoom, backend: InteractorClient
) -> None:
    mine, theirs = new_room(), new_room()
    body = {"assistant_id": backend.namespace("user_1").rooms.get(mine).assistant_id}
    with start_relay(rooms=lambda namespace, room: room == mine).page() as page:
        listed = page.get("/rooms").json()
        refused = page.post("/rooms", json=body)
    assert ([room["id"] for room in listed["data"]], listed["meta"]["left_out"]) == ([mine], 1)
    assert "total" not in listed["meta"]
    assert refused.status_code == 404
    with start_relay(rooms=lambda namespace, room, scope: scope["method"] == "POST" and room == "").page() as page:
        assert page.post("/rooms", json=body).status_code == 201
        assert page.delete(f"/rooms/{theirs}").status_code == 404


@pytest.mark.parametrize("is_async", [False, True])
def test_message_that_the_application_refuses_is_answered_with_its_words_and_not_sent(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, is_async: bool
) -> None:
    seen: list[Any] = []

    def moderate(namespace: str, room: str, content: str, scope: Any) -> str | None:
        seen.append((namespace, room, content, scope["method"]))
        return {"rude": "Please stay polite.", "empty": ""}.get(content)

    async def moderate_async(namespace: str, room: str, content: str) -> str | None:
        return moderate(namespace, room, content, {"method": "POST"})

    room = new_room()
    with start_relay(on_message=moderate_async if is_async else moderate).page() as page:
        refused, without_words = (page.say(room, content) for content in ("rude", "empty"))
        assert "send_message" not in {request.operation for request in sandbox.requests}
        assert page.say(room, "Hi").status_code == 201
    assert refused.json()["error"] == {"code": "MESSAGE_REFUSED", "message": "Please stay polite."}
    assert (refused.status_code, without_words.status_code) == (422, 422)
    assert without_words.json()["error"]["message"]
    assert seen == [("user_1", room, content, "POST") for content in ("rude", "empty", "Hi")]


def test_feedback_on_an_answer_goes_to_the_application_alone(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom
) -> None:
    seen: list[Any] = []

    def on_feedback(namespace: str, room: str, message: str, rating: str, scope: Any) -> None:
        seen.append((namespace, room, message, rating, scope["method"]))

    room = new_room()
    path = f"/rooms/{room}/messages/msg_1/feedback"
    with start_relay(on_feedback=on_feedback, rooms=lambda _, asked: asked == room).page() as page:
        assert page.post(path, json={"rating": "good"}).json()["data"] == {"id": "msg_1", "rating": "good"}
        assert page.post(path, json={"rating": "great"}).status_code == 422
        assert page.post(path.replace(room, "room_2"), json={"rating": "bad"}).status_code == 404
    with start_relay().page() as page:
        assert page.post(path, json={"rating": "good"}).status_code == 404
    assert seen == [("user_1", room, "msg_1", "good", "POST")]
    assert {request.path for request in sandbox.requests if "feedback" in request.path} == set()


@pytest.mark.parametrize("outcome", [False, True, RuntimeError("s3cr3t")])
def test_moderation_that_fails_sends_nothing(
    sandbox: Sandbox, start_relay: StartRelay, new_room: NewRoom, outcome: Any
) -> None:
    def moderate(namespace: str, room: str, content: str) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    room = new_room()
    with start_relay(on_message=moderate).page() as page:
        answer = page.say(room, "Hi")
    assert (answer.status_code, "s3cr3t" in answer.text) == (500, False)
    assert "send_message" not in {request.operation for request in sandbox.requests}


def test_limit_of_writes_is_shared_over_redis(start_relay: StartRelay, new_room: NewRoom, redis: Any) -> None:
    room, other = new_room(), new_room("user_2")
    tiers = Tiers(namespace=Tier(0.1, 1))
    first, second = (start_relay(rate_limiter=RedisRateLimiter(redis, tiers)) for _ in range(2))
    with first.page() as page, second.page() as page_elsewhere, second.page("user_2") as another:
        assert page.say(room, "Hi").status_code == 201
        refused = page_elsewhere.say(room, "Hi")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(refused.headers["retry-after"]) <= 600
        assert another.say(other, "Hi").status_code == 201
