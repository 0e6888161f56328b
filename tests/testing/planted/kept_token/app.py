"""The numbers on the wall of the office. Its screens show them with the requests of our own small HTTP layer."""

import time
from typing import Any

import httpx

from interactor_ext import get_client

ATTEMPTS = 4
token: str | None = None  # for all screens: the account server allows 20 token requests a minute


def headers(customer: str) -> dict[str, str]:
    global token
    if token is None:
        token = get_client().get_access_token()
    return {"Authorization": f"Bearer {token}", "X-Namespace": customer}


def fetch(customer: str, path: str) -> Any:
    url = f"{get_client().config.core_api_url}{path}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = httpx.get(url, headers=headers(customer), timeout=10)
            response.raise_for_status()
            return response.json()
        except (httpx.HTTPError, ValueError):
            if attempt == ATTEMPTS:
                raise
        time.sleep(0.02 * 2**attempt)
    raise AssertionError("unreachable")


def numbers(customer: str) -> dict[str, int]:
    """How many assistants and rooms the customer has."""
    return {what: fetch(customer, f"/{what}")["meta"]["total"] for what in ("assistants", "rooms")}
