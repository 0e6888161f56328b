"""Tests of the refunds, with scripted replies of the sandbox's assistant."""

from collections.abc import Iterator

import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.tools import ApprovalError
from refunds import ask, decide, paid


@pytest.fixture(autouse=True)
def assistant(interactor_sandbox: Sandbox) -> Iterator[None]:
    for order, amount in (("o_1", 40), ("o_2", 250), ("o_9", 5)):
        interactor_sandbox.replies.add(when=order, call=("refund", {"order": order, "amount": amount}))
    yield
    paid.clear()


def test_small_refund_is_paid_at_once() -> None:
    said, waiting = ask("alice", "Please refund o_1.")
    assert "on their way" in said
    assert waiting == []
    assert list(paid.values()) == ["40 euros for o_1"]


def test_large_refund_waits_for_a_manager() -> None:
    _, (call,) = ask("alice", "Please refund o_2.")
    assert paid == {}
    assert call.shown == {"order": "o_2", "amount": 250}
    with pytest.raises(PermissionError):
        decide("alice", "alice", call, approved=True)
    assert "on their way" in decide("carol", "alice", call, approved=True)
    assert list(paid.values()) == ["250 euros for o_2"]
    with pytest.raises(ApprovalError):
        decide("carol", "alice", call, approved=True)
    assert len(paid) == 1


def test_manager_says_no() -> None:
    _, (call,) = ask("alice", "Please refund o_2.")
    assert "did not approve" in decide("carol", "alice", call, approved=False)
    assert paid == {}


def test_order_of_somebody_else_is_not_paid() -> None:
    said, _ = ask("alice", "Please refund o_9.")
    assert "no such order" in said
    assert paid == {}
