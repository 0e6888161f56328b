"""Visits of technicians: a customer who books one gets a room to talk about it."""

import time

from interactor_ext import APIConnectionError, RateLimitError, ServerError, get_client

ATTEMPTS = 4


def book(customer: str, visit: str) -> str:
    """The id of the visit's room. Attempts and pauses are those of all our services, so the client makes none."""
    user = get_client().namespace(customer)
    bot = user.assistants.ensure(name="Technician", model="gpt-4", system_prompt="You repair heatings.")
    once = user.with_options(max_retries=0, idempotency_key=f"room-of-visit-{visit}")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return once.rooms.create(assistant_id=bot.id, metadata={"visit": visit}).id
        except (APIConnectionError, RateLimitError, ServerError):
            if attempt == ATTEMPTS:
                raise
        time.sleep(0.02 * 2**attempt)
    raise AssertionError("unreachable")
