"""The numbers on the wall of the office. Its screens show them with the client's requests."""

from typing import Any

from interactor_ext import get_client


def fetch(customer: str, path: str) -> Any:
    return get_client().namespace(customer).request("GET", path).json()


def numbers(customer: str) -> dict[str, int]:
    """How many assistants and rooms the customer has."""
    return {what: fetch(customer, f"/{what}")["meta"]["total"] for what in ("assistants", "rooms")}
