"""The sandbox as a browser meets it: CORS by origin, and streams that are over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.sandbox_caller import Caller, fetch_token, listening
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]

PAGE = "http://localhost:3000"


@pytest.fixture
def told() -> Iterator[Sandbox]:
    with Sandbox(
        allow_origins=["HTTP://Localhost:3000", "https://app.example.com:443", "HTTP://[::1]:80"]
    ).run() as sandbox:
        yield sandbox


def preflight(url: str, origin: str, method: str = "POST") -> httpx.Response:
    asked = "authorization,content-type,x-namespace"
    headers = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": asked}
    return patient.request("OPTIONS", url, headers=headers)


def cors_of(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [PAGE, "https://app.example.com", "http://[::1]"])
def test_preflight_of_allowed_origin_is_granted_for_the_whole_api(told: Sandbox, origin: str) -> None:
    for url in (f"{told.core_api_url}/rooms/room_1/messages", f"{told.account_server_url}/oauth/token"):
        response = preflight(url, origin)
        assert response.is_success
        assert cors_of(response) == {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
            "access-control-allow-headers": "authorization,content-type,x-namespace",
            "access-control-max-age": "600",
        }
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["http://localhost:3001", "https://localhost:3000", "null", "*", "http://localhost:3000.evil.com", ""]
)
def test_other_origins_are_not_allowed(told: Sandbox, origin: str) -> None:
    asked = preflight(f"{told.core_api_url}/rooms", origin)
    assert asked.status_code == 400
    token = fetch_token(told)
    got = patient.get(f"{told.core_api_url}/rooms", headers={"origin": origin, "authorization": f"Bearer {token}"})
    assert got.status_code == 200
    for response in (asked, got):
        assert "access-control-allow-origin" not in response.headers


def test_sandbox_that_was_told_no_origin_sends_no_cors_header(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    assert preflight(f"{sandbox.core_api_url}/rooms", PAGE).status_code == 405
    response = caller.get("/rooms", headers={"origin": PAGE})
    assert cors_of(response) == {}
    assert "vary" not in response.headers
    with listening(caller, f"/rooms/{room['id']}/stream", headers={"origin": PAGE}) as stream:
        assert cors_of(stream._response) == {}


def test_successes_errors_faults_and_streams_carry_cors_headers(told: Sandbox) -> None:
    told.faults.add("list_tools", status=503, retry_after=7)
    with Caller(told) as caller:
        caller.headers["origin"] = PAGE
        room = caller.room()
        answers = {
            200: caller.get("/rooms"),
            401: patient.get(f"{told.core_api_url}/rooms", headers={"origin": PAGE}),
            404: caller.get("/nothing/here"),
            422: caller.post("/rooms", json={"nothing": 1}),
            503: caller.get("/tools"),
        }
        assert answers[503].headers["retry-after"] == "7"
        with listening(caller, f"/rooms/{room['id']}/stream") as stream:
            answers[0] = stream._response
    for status, response in answers.items():
        assert status in (0, response.status_code)
        assert response.headers["access-control-allow-origin"] == PAGE
        exposed = response.headers["access-control-expose-headers"].lower().split(", ")
        assert {"x-request-id", "retry-after", "x-ratelimit-remaining", "x-ratelimit-scope"} <= set(exposed)
        assert response.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "text", ["*", "null", "localhost:3000", "http://a.test/", "http://u:p@a.test", "ftp://a.test", ""]
)
def test_origin_that_no_browser_sends_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an allowed origin is a scheme, a host"):
        Sandbox(allow_origins=[text])


@pytest.fixture
def instance(caller: Caller) -> dict[str, Any]:
    return caller.start()


def test_reconnect_after_done_gets_204(caller: Caller, instance: dict[str, Any]) -> None:
    path = f"/workflow-instances/{instance['id']}"
    with listening(caller, f"{path}/stream") as stream:
        caller.make(f"{path}/input", answer=1)
        assert stream.end()[-1] == {"type": "done"}
    # The newest id in the header and the token in the URL, as a browser's own reconnect has them.
    token = caller.headers["authorization"].removeprefix("Bearer ")
    url = f"{caller.base_url}{path.removeprefix('/')}/stream"
    query = {"token": token, "namespace": "user_1"}
    response = patient.get(url, params=query, headers={"last-event-id": str(stream.ids[-1])})
    assert (response.status_code, response.content) == (204, b"")
    # A backend that comes anew.
    assert caller.get(f"{path}/stream").status_code == 204
    # What is left to send comes first, and then `done`.
    with listening(caller, f"{path}/stream", headers={"last-event-id": str(stream.ids[-2])}) as late:
        assert [event["type"] for event in late.end()] == ["workflow.state_changed", "done"]


def test_new_eventsource_on_finished_stream_gets_done_and_stays_connected(
    sandbox: Sandbox, caller: Caller, instance: dict[str, Any]
) -> None:
    path = f"/workflow-instances/{instance['id']}"
    caller.make(f"{path}/input", answer=1)
    token = caller.headers.pop("authorization").removeprefix("Bearer ")
    with listening(caller, f"{path}/stream", params={"token": token}) as stream:
        assert stream.until("done") == [{"type": "done"}]
        assert sandbox.open_streams == 1
        assert not stream.ended.is_set()
    eventually(lambda: sandbox.open_streams == 0)


@pytest.mark.parametrize(
    ("resource", "opens"),
    [
        ("/rooms/*/stream", {"stream"}),
        ("/rooms/{room}/stream", {"stream"}),
        ("/rooms/other/stream", set()),
        ("/rooms/{room}", {"stream", "room", "messages"}),
        ("/rooms/*", {"stream", "room", "messages"}),
        ("/rooms", {"stream", "room", "messages", "rooms"}),
        ("/rooms/", {"stream", "room", "messages", "rooms"}),
        ("/roo", set()),
        ("", {"stream", "room", "messages", "rooms", "assistants"}),
    ],
)
def test_token_for_a_resource_opens_nothing_else(
    sandbox: Sandbox, caller: Caller, resource: str, opens: set[str]
) -> None:
    room = caller.room()["id"]
    paths = {
        "stream": f"/rooms/{room}/stream",
        "room": f"/rooms/{room}",
        "messages": f"/rooms/{room}/messages",
        "rooms": "/rooms",
        "assistants": "/assistants",
    }
    token = fetch_token(sandbox, scope="admin", resource=f"{sandbox.core_api_url}{resource}".replace("{room}", room))
    with Caller(sandbox, token=token) as bound:
        opened = set()
        for name, path in paths.items():
            with bound.stream("GET", path) as response:
                assert response.status_code in {200, 403}
                if response.status_code == 200:
                    opened.add(name)
    assert opened == opens
