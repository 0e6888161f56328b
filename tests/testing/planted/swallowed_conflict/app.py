"""The nightly job that copies the appointments of all customers."""

import os
from dataclasses import dataclass, field

import httpx

from interactor_ext import APIStatusError, InteractorError, get_client

CONFLICT = 409


@dataclass
class Night:
    copied: dict[str, list[str]] = field(default_factory=dict)
    to_reconnect: set[str] = field(default_factory=set)
    to_repeat: set[str] = field(default_factory=set)


def copy_calendars(customers: list[str]) -> Night:
    night = Night()
    for customer in customers:
        user = get_client().namespace(customer)
        try:
            for credential in user.credentials.list(provider="google").data:
                if credential.status != "active":
                    night.to_reconnect.add(customer)
                    continue
                with httpx.Client(
                    base_url=os.environ["GOOGLE_URL"], auth=user.credential_auth(credential.id)
                ) as google:
                    appointments = google.get("/appointments").raise_for_status().json()
                night.copied[customer] = appointments["titles"]
        except APIStatusError as error:
            if error.status != CONFLICT:  # the job of another machine has this customer
                night.to_repeat.add(customer)
        except (InteractorError, httpx.HTTPError):
            night.to_repeat.add(customer)
    return night
