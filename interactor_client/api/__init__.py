"""The resources of the API, one property per tag, each imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_client.advised import Advised
from interactor_client.types import AsyncSender, Sender

if TYPE_CHECKING:
    # Editors then complete the resources alone, and type checkers know that none can be assigned.
    from builtins import property as cached_property

    from .assistants import Assistants, AsyncAssistants
    from .credentials import AsyncCredentials, Credentials
    from .data_sources import AsyncDataSources, DataSources
    from .messages import AsyncMessages, Messages
    from .oauth import AsyncOauth, Oauth
    from .rooms import AsyncRooms, Rooms
    from .tools import AsyncTools, Tools
    from .webhooks import AsyncWebhooks, Webhooks
    from .workflow_instances import AsyncWorkflowInstances, WorkflowInstances
    from .workflows import AsyncWorkflows, Workflows
else:
    from functools import cached_property as _cached_property
    from types import SimpleNamespace

    class cached_property(_cached_property):
        """Of the class it is the resource's class, where `unittest.mock.create_autospec` finds the methods."""

        def __get__(self, instance, owner=None):
            return (
                type(self.func(SimpleNamespace(_sender=None))) if instance is None else super().__get__(instance, owner)
            )


class Resources(Advised):
    """A subclass sets `_sender` before it uses the properties."""

    _sender: Sender

    @cached_property
    def oauth(self) -> Oauth:
        """Access tokens of your own application. These calls go to the account server and need no bearer token."""
        from .oauth import Oauth

        return Oauth(self._sender)

    @cached_property
    def credentials(self) -> Credentials:
        """Connections of your users to other services. A user grants access once in the browser; the platform keeps
        and refreshes the tokens of the service.
        """
        from .credentials import Credentials

        return Credentials(self._sender)

    @cached_property
    def assistants(self) -> Assistants:
        """AI assistants, each a model, a system prompt, tools and data sources."""
        from .assistants import Assistants

        return Assistants(self._sender)

    @cached_property
    def rooms(self) -> Rooms:
        """Conversations with one assistant. Messages are sent into a room, and its events can be followed live."""
        from .rooms import Rooms

        return Rooms(self._sender)

    @cached_property
    def messages(self) -> Messages:
        """The messages of a room, from the user, the assistant, the system or a tool."""
        from .messages import Messages

        return Messages(self._sender)

    @cached_property
    def tools(self) -> Tools:
        """Functions of your application that an assistant may call. Your code runs them and submits the result."""
        from .tools import Tools

        return Tools(self._sender)

    @cached_property
    def data_sources(self) -> DataSources:
        """Files, sites and databases that assistants may consult."""
        from .data_sources import DataSources

        return DataSources(self._sender)

    @cached_property
    def workflows(self) -> Workflows:
        """State machines. A workflow is the definition; running it creates an instance."""
        from .workflows import Workflows

        return Workflows(self._sender)

    @cached_property
    def workflow_instances(self) -> WorkflowInstances:
        """Runs of workflows. A run proceeds until it halts for input, ends, fails or is cancelled."""
        from .workflow_instances import WorkflowInstances

        return WorkflowInstances(self._sender)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Your endpoints that receive events. Deliveries come at least once and in any order, and an endpoint has 30
        seconds to respond with a 2xx. A failed delivery is retried after 30 s, 2 min, 10 min, 30 min and 2 h.
        """
        from .webhooks import Webhooks

        return Webhooks(self._sender)


class AsyncResources(Advised):
    """A subclass sets `_sender` before it uses the properties."""

    _sender: AsyncSender

    @cached_property
    def oauth(self) -> AsyncOauth:
        """Access tokens of your own application. These calls go to the account server and need no bearer token."""
        from .oauth import AsyncOauth

        return AsyncOauth(self._sender)

    @cached_property
    def credentials(self) -> AsyncCredentials:
        """Connections of your users to other services. A user grants access once in the browser; the platform keeps
        and refreshes the tokens of the service.
        """
        from .credentials import AsyncCredentials

        return AsyncCredentials(self._sender)

    @cached_property
    def assistants(self) -> AsyncAssistants:
        """AI assistants, each a model, a system prompt, tools and data sources."""
        from .assistants import AsyncAssistants

        return AsyncAssistants(self._sender)

    @cached_property
    def rooms(self) -> AsyncRooms:
        """Conversations with one assistant. Messages are sent into a room, and its events can be followed live."""
        from .rooms import AsyncRooms

        return AsyncRooms(self._sender)

    @cached_property
    def messages(self) -> AsyncMessages:
        """The messages of a room, from the user, the assistant, the system or a tool."""
        from .messages import AsyncMessages

        return AsyncMessages(self._sender)

    @cached_property
    def tools(self) -> AsyncTools:
        """Functions of your application that an assistant may call. Your code runs them and submits the result."""
        from .tools import AsyncTools

        return AsyncTools(self._sender)

    @cached_property
    def data_sources(self) -> AsyncDataSources:
        """Files, sites and databases that assistants may consult."""
        from .data_sources import AsyncDataSources

        return AsyncDataSources(self._sender)

    @cached_property
    def workflows(self) -> AsyncWorkflows:
        """State machines. A workflow is the definition; running it creates an instance."""
        from .workflows import AsyncWorkflows

        return AsyncWorkflows(self._sender)

    @cached_property
    def workflow_instances(self) -> AsyncWorkflowInstances:
        """Runs of workflows. A run proceeds until it halts for input, ends, fails or is cancelled."""
        from .workflow_instances import AsyncWorkflowInstances

        return AsyncWorkflowInstances(self._sender)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Your endpoints that receive events. Deliveries come at least once and in any order, and an endpoint has 30
        seconds to respond with a 2xx. A failed delivery is retried after 30 s, 2 min, 10 min, 30 min and 2 h.
        """
        from .webhooks import AsyncWebhooks

        return AsyncWebhooks(self._sender)


__all__ = ["AsyncResources", "Resources"]
