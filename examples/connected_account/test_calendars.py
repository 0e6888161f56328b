"""Accounts are connected at the sandbox's consent page, and the sandbox answers in Google's place."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

import calendars as example
from interactor_ext.sandbox import Sandbox

PATH = "/calendar/v3/users/me/calendarList"


@pytest.fixture
def browser(interactor_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    google = interactor_sandbox.provider("google")
    monkeypatch.setattr(example, "GOOGLE_URL", google.url)
    with TestClient(example.app, base_url="http://localhost", follow_redirects=False) as client:
        client.post("/sign-in/alice")
        yield client


def decide(browser: TestClient, decision: str) -> str:
    """Where the consent page sends the user."""
    consent = browser.post("/connect").headers["location"]
    return httpx.get(f"{consent}&decision={decision}").headers["location"]


def test_calendars_of_the_connected_account(browser: TestClient, interactor_sandbox: Sandbox) -> None:
    google = interactor_sandbox.provider("google")
    google.add("GET", PATH, {"items": [{"summary": "Work"}, {"summary": "Birthdays"}]})
    assert browser.get("/calendars").status_code == 409
    assert browser.get(decide(browser, "approve")).json() == {"connected": True, "scopes": example.SCOPES}
    assert browser.get("/calendars").json() == ["Work", "Birthdays"]
    browser.post("/sign-in/bob")
    assert browser.get("/calendars").status_code == 409
    assert len(google.requests) == 1  # for bob nothing was sent


def test_user_who_declines_is_told_so(browser: TestClient) -> None:
    assert browser.get(decide(browser, "deny")).json() == {"connected": False, "reason": "access_denied"}


def test_link_of_somebody_else_connects_nothing(browser: TestClient) -> None:
    link = decide(browser, "approve")
    browser.post("/sign-in/bob")
    browser.post("/connect")
    assert browser.get(link).status_code == 400
    assert browser.get("/calendars").status_code == 409
    with TestClient(example.app, base_url="http://localhost") as nobody:
        assert nobody.get(link).status_code == 401
        assert nobody.post("/sign-in/%00").status_code == 422


def test_link_works_once_and_with_its_own_code(browser: TestClient) -> None:
    assert browser.get(decide(browser, "approve") + "forged").status_code == 400  # the state
    link = httpx.URL(decide(browser, "approve"))
    assert browser.get(str(link.copy_set_param("code", "forged"))).status_code == 400
    approved = decide(browser, "approve")
    assert [browser.get(approved).status_code for _ in range(2)] == [200, 400]


def test_lost_response_connects_the_account(browser: TestClient, interactor_sandbox: Sandbox) -> None:
    for operation in ("initiate_oauth", "complete_oauth"):
        interactor_sandbox.faults.add(operation, kind="reset_after")
    assert browser.get(decide(browser, "approve")).json() == {"connected": True, "scopes": example.SCOPES}


def test_expired_account_is_to_be_connected_again(browser: TestClient, interactor_sandbox: Sandbox) -> None:
    interactor_sandbox.provider("google").add("GET", PATH, {"items": []})
    browser.get(decide(browser, "approve"))
    assert browser.get("/calendars").json() == []
    (event,) = interactor_sandbox.events
    interactor_sandbox.expire_credential(event["data"]["credential_id"])
    refused = browser.get("/calendars")
    assert refused.status_code == 409
    assert "Connect" in refused.json()["detail"]
    browser.get(decide(browser, "approve"))
    assert browser.get("/calendars").json() == []


@pytest.mark.parametrize(("status", "answered"), [(403, 409), (404, 502), (500, 502), (302, 502)])
def test_answer_of_google_that_is_no_list(
    status: int, answered: int, browser: TestClient, interactor_sandbox: Sandbox
) -> None:
    elsewhere = {"Location": "http://127.0.0.1:9/"}
    interactor_sandbox.provider("google").add("GET", PATH, status=status, headers=elsewhere if status == 302 else {})
    browser.get(decide(browser, "approve"))
    assert browser.get("/calendars").status_code == answered
