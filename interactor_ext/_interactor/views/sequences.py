"""The clients' methods that make several calls. Their modules are loaded on first use."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

from interactor_ext._engine import effects
from interactor_ext._interactor import models
from interactor_ext._interactor.views import ensuring, status_waits

if TYPE_CHECKING:
    from interactor_ext._engine.effects import Effects

T = TypeVar("T")

_RESTING: frozenset[models.KnownWorkflowInstanceStatus] = frozenset({"completed", "halted"})


class Sequences:
    """The part of `InteractorClient` that makes several calls at a time."""

    def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[models.KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> models.WorkflowInstance:
        """Wait until the status of the instance is one of `until`, and return the instance.

        Follows the instance's stream, and polls if that fails. `timeout` is in seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: it has another, final status.
            ValueError: `until` is empty, or contains a value that isn't a status of instances.
        """
        return self._run_effects(status_waits.workflow_wait(self, instance_id, until, timeout))

    def wait_for_oauth(
        self, flow: str | models.OAuthAuthorization | models.OAuthFlow, timeout: float | None = 300.0
    ) -> models.OAuthFlow:
        """Wait until the user has connected the account. The `credential_id` of the flow is the new credential.

        `flow` is the result of `credentials.initiate_oauth`, or its id. Polls at growing intervals. `timeout` is in
        seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, the flow failed, or it expired.
            ValueError: the platform returned a flow without an id.
        """
        return self._run_effects(status_waits.oauth_wait(self, flow, timeout))

    def _ensure(self, tag: str, fields: dict[str, Any], **about: Any) -> Any:
        return self._run_effects(ensuring.ensure(self, tag, fields, **about))

    def _question(self, instance_id: str) -> models.HaltingPresentation | None:
        return self._run_effects(status_waits.question(self, instance_id))

    def _run_effects(self, steps: Effects[T]) -> T:
        return effects.run_sync(steps)


class AsyncSequences:
    """The part of `AsyncInteractorClient` that makes several calls at a time."""

    async def wait_for_workflow(
        self,
        instance_id: str,
        until: Collection[models.KnownWorkflowInstanceStatus] = _RESTING,
        timeout: float | None = 300.0,
    ) -> models.WorkflowInstance:
        """Wait until the status of the instance is one of `until`, and return the instance.

        Follows the instance's stream, and polls if that fails. `timeout` is in seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time. Its `last` is the instance as last seen.
            UnexpectedStateError: it has another, final status.
            ValueError: `until` is empty, or contains a value that isn't a status of instances.
        """
        return await self._run_effects(status_waits.workflow_wait(self, instance_id, until, timeout))

    async def wait_for_oauth(
        self, flow: str | models.OAuthAuthorization | models.OAuthFlow, timeout: float | None = 300.0
    ) -> models.OAuthFlow:
        """Wait until the user has connected the account. The `credential_id` of the flow is the new credential.

        `flow` is the result of `credentials.initiate_oauth`, or its id. Polls at growing intervals. `timeout` is in
        seconds; None means the view's deadline.

        Raises:
            WaitTimeoutError: not in time.
            UnexpectedStateError: the user refused, the flow failed, or it expired.
            ValueError: the platform returned a flow without an id.
        """
        return await self._run_effects(status_waits.oauth_wait(self, flow, timeout))

    async def _ensure(self, tag: str, fields: dict[str, Any], **about: Any) -> Any:
        return await self._run_effects(ensuring.ensure(self, tag, fields, **about))

    async def _question(self, instance_id: str) -> models.HaltingPresentation | None:
        return await self._run_effects(status_waits.question(self, instance_id))

    async def _run_effects(self, steps: Effects[T]) -> T:
        return await effects.run_async(steps)
