"""Tests of the help desk. The fixtures come with the SDK, and so does the sandbox that the application meets."""

from help_desk import answer, router, to_reconnect
from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory


def test_question_without_an_order_is_answered(interactor_sandbox: Sandbox) -> None:
    interactor_sandbox.replies.add(when="open", say="From nine to five.")
    assert answer("alice", "When are you open?") == "From nine to five."


def test_assistant_looks_up_the_order_of_the_customer_alone(interactor_sandbox: Sandbox) -> None:
    interactor_sandbox.replies.add(when="order 17", call=("order_status", {"order": 17}))
    assert "shipped" in answer("alice", "Where is order 17?")
    assert "unknown" in answer("bob", "Where is order 17?")


def test_outage_is_an_answer_and_no_crash(interactor_sandbox: Sandbox) -> None:
    interactor_sandbox.faults.add("create_room", status=403, times=None)
    assert answer("alice", "Hello?") == "Nobody is at the desk. Please come back later."


def test_each_customer_has_rooms_of_their_own(interactor_client: InteractorClient) -> None:
    answer("alice", "Hello!")
    assert len(list(interactor_client.namespace("user_alice").rooms.iterate())) == 1
    assert list(interactor_client.namespace("user_bob").rooms.iterate()) == []


def test_genuine_event_is_handled_and_a_forged_one_refused(interactor_webhook: WebhookFactory) -> None:
    delivery = interactor_webhook("credential.expired", {"credential_id": "cred_7"}, namespace="user_alice")
    assert delivery.tampered().send(router.asgi).status == 401
    assert to_reconnect == set()
    assert delivery.send(router.asgi).status == 200
    assert to_reconnect == {"user_alice"}
