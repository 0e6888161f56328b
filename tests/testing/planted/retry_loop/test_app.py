from collections import Counter

import pytest

from app import book
from interactor_ext.sandbox import Sandbox

CUSTOMER = "user_alice"


def visits(sandbox: Sandbox) -> Counter[str]:
    with sandbox.client(namespace=CUSTOMER) as user:
        return Counter(room.metadata["visit"] for room in user.rooms.iterate())


def test_booking_opens_a_room(interactor_sandbox: Sandbox) -> None:
    room = book(CUSTOMER, "v-17")
    with interactor_sandbox.client(namespace=CUSTOMER) as user:
        assert user.rooms.get(room).metadata["visit"] == "v-17"


def test_each_visit_has_a_room_of_its_own(interactor_sandbox: Sandbox) -> None:
    assert book(CUSTOMER, "v-17") != book(CUSTOMER, "v-18")
    assert set(visits(interactor_sandbox)) == {"v-17", "v-18"}


@pytest.mark.interactor_invariant
def no_visit_has_two_rooms(interactor_sandbox: Sandbox) -> None:
    assert max(visits(interactor_sandbox).values(), default=0) <= 1
