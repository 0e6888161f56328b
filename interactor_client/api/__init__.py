"""The resources of the API, one property a tag, each imported when it is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..types import AsyncSender, Sender
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


class Resources:
    """A subclass sets `_sender` before it uses the properties."""

    _sender: Sender

    @cached_property
    def oauth(self) -> Oauth:
        from .oauth import Oauth

        return Oauth(self._sender)

    @cached_property
    def credentials(self) -> Credentials:
        from .credentials import Credentials

        return Credentials(self._sender)

    @cached_property
    def assistants(self) -> Assistants:
        from .assistants import Assistants

        return Assistants(self._sender)

    @cached_property
    def rooms(self) -> Rooms:
        from .rooms import Rooms

        return Rooms(self._sender)

    @cached_property
    def messages(self) -> Messages:
        from .messages import Messages

        return Messages(self._sender)

    @cached_property
    def tools(self) -> Tools:
        from .tools import Tools

        return Tools(self._sender)

    @cached_property
    def data_sources(self) -> DataSources:
        from .data_sources import DataSources

        return DataSources(self._sender)

    @cached_property
    def workflows(self) -> Workflows:
        from .workflows import Workflows

        return Workflows(self._sender)

    @cached_property
    def workflow_instances(self) -> WorkflowInstances:
        from .workflow_instances import WorkflowInstances

        return WorkflowInstances(self._sender)

    @cached_property
    def webhooks(self) -> Webhooks:
        from .webhooks import Webhooks

        return Webhooks(self._sender)


class AsyncResources:
    """A subclass sets `_sender` before it uses the properties."""

    _sender: AsyncSender

    @cached_property
    def oauth(self) -> AsyncOauth:
        from .oauth import AsyncOauth

        return AsyncOauth(self._sender)

    @cached_property
    def credentials(self) -> AsyncCredentials:
        from .credentials import AsyncCredentials

        return AsyncCredentials(self._sender)

    @cached_property
    def assistants(self) -> AsyncAssistants:
        from .assistants import AsyncAssistants

        return AsyncAssistants(self._sender)

    @cached_property
    def rooms(self) -> AsyncRooms:
        from .rooms import AsyncRooms

        return AsyncRooms(self._sender)

    @cached_property
    def messages(self) -> AsyncMessages:
        from .messages import AsyncMessages

        return AsyncMessages(self._sender)

    @cached_property
    def tools(self) -> AsyncTools:
        from .tools import AsyncTools

        return AsyncTools(self._sender)

    @cached_property
    def data_sources(self) -> AsyncDataSources:
        from .data_sources import AsyncDataSources

        return AsyncDataSources(self._sender)

    @cached_property
    def workflows(self) -> AsyncWorkflows:
        from .workflows import AsyncWorkflows

        return AsyncWorkflows(self._sender)

    @cached_property
    def workflow_instances(self) -> AsyncWorkflowInstances:
        from .workflow_instances import AsyncWorkflowInstances

        return AsyncWorkflowInstances(self._sender)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        from .webhooks import AsyncWebhooks

        return AsyncWebhooks(self._sender)


__all__ = ["AsyncResources", "Resources"]
