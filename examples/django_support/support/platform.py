"""What this site does at the Interactor platform, for one customer each."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from interactor_ext import InteractorClient, get_client


def customer(user: AbstractBaseUser | AnonymousUser) -> InteractorClient:
    """The customer's view of the client that all requests of this process share."""
    if not user.is_authenticated:
        raise PermissionDenied
    return get_client(require_namespace=True).namespace(f"user_{user.pk}")


def open_room(customer: InteractorClient, webhook_url: str) -> str:
    """The id of a new room with the customer's assistant, who is made with the first one."""
    customer.webhooks.ensure(
        url=webhook_url, events=["room.message.created"], secret=settings.INTERACTOR_WEBHOOK_SECRET
    )
    assistant = customer.assistants.ensure(
        name="Support", model="gpt-4", system_prompt="You answer the questions of our customers."
    )
    return customer.rooms.create(assistant_id=assistant.id).id
