import pytest

from app import Night, copy_calendars
from interactor_ext.sandbox import Sandbox

CUSTOMERS = ["user_alice", "user_bob"]


@pytest.fixture
def night(interactor_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Night:
    """The job's outcome for two customers who have connected their calendars."""
    google = interactor_sandbox.provider("google")
    google.add("GET", "/appointments", {"titles": ["Dentist", "Cinema"]})
    monkeypatch.setenv("GOOGLE_URL", google.url)
    for customer in CUSTOMERS:
        interactor_sandbox.add_credential("google", namespace=customer)
    return copy_calendars(CUSTOMERS)


def test_what_is_copied_is_whole(night: Night) -> None:
    assert all(titles == ["Dentist", "Cinema"] for titles in night.copied.values())


def test_customer_without_a_calendar_has_nothing_to_do(interactor_sandbox: Sandbox) -> None:
    assert copy_calendars(["user_carol"]).copied == {}


@pytest.mark.interactor_invariant
def nobody_is_forgotten(night: Night) -> None:
    assert {*night.copied, *night.to_reconnect, *night.to_repeat} == set(CUSTOMERS)
