"""Waits until a workflow instance or an OAuth flow has an awaited status, through its stream or by polling, and reads
the question of a halted instance.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from interactor_ext._engine.effects import Effects, Invoke, Pause, seconds_until, view_until, while_open
from interactor_ext._engine.errors import (
    APIConnectionError,
    APITimeoutError,
    CircuitOpenError,
    ConfigurationError,
    InteractorError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedStateError,
    WaitTimeoutError,
)
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.streams.base import Gap

if TYPE_CHECKING:
    from interactor_client.models import HaltingPresentation, OAuthAuthorization, OAuthFlow, WorkflowInstance

W = TypeVar("W", "WorkflowInstance", "OAuthFlow")

_FINAL = frozenset({"cancelled", "completed", "expired", "failed"})
_TRANSIENT_ERRORS = (APIConnectionError, RateLimitError, ServerError)
_MAX_FAILURES = 5
_random = random.SystemRandom()  # not affected by the program's `random.seed`
_FIRST_PAUSE, _GROWTH, _MAX_PAUSE = 0.25, 1.5, 5.0


class _Poll(Generic[W]):
    """Fetches something until it has an awaited status, within a time limit."""

    def __init__(
        self,
        user: Any,
        what: str,
        get: Callable[[Any], Any],
        until: Collection[str],
        timeout: float | None,
    ) -> None:
        """`get` fetches it with a view. `timeout` is in seconds; None means the view's deadline."""
        self._until = frozenset(until)
        self._user = user if timeout is None else user.with_options(deadline=timeout)
        self._what = what
        self._get = get
        self._started_at = time.monotonic()
        self._ends_at: float | None = self._user._view.ends_at()
        self._last: W | None = None

    def user_in_time(self) -> Any:
        """A view for one call or stream that ends when the wait does. Raises WaitTimeoutError if it is over."""
        if self._ends_at is None:
            return self._user
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self._timed_out()
        return self._user.with_options(deadline=left)

    def fetch(self) -> Effects[W | None]:
        """Return the instance or flow if it has an awaited status; None if not yet."""
        try:
            seen: W = yield Invoke(self._get, (self.user_in_time(),))
        except APITimeoutError as error:
            if self._ends_at is None or time.monotonic() < self._ends_at:
                raise
            raise self._timed_out() from error
        self._last = seen
        if seen.status in self._until:
            return seen
        if seen.status in _FINAL:
            raise UnexpectedStateError(f"{self._what} is {_describe(seen)}, a final status.", last=seen)
        return None

    def run(self) -> Effects[W]:
        """Fetch repeatedly, at growing intervals."""
        pause, failures = _FIRST_PAUSE, 0
        while True:
            wait = pause * _random.uniform(0.8, 1.2)  # otherwise many waits would poll in step
            try:
                if (seen := (yield from self.fetch())) is not None:
                    return seen
                failures = 0
            except WaitTimeoutError:
                raise
            except CircuitOpenError as error:
                # Not counted: nothing was sent, and each attempt that the circuit lets through counts if it fails.
                wait = max(wait, error.retry_after or 0.0)
            except _TRANSIENT_ERRORS:
                failures += 1
                if failures > _MAX_FAILURES:
                    raise
            left = seconds_until(self._ends_at)
            yield Pause(wait if left is None else min(wait, left))
            pause = min(_MAX_PAUSE, pause * _GROWTH)

    def _timed_out(self) -> WaitTimeoutError:
        seconds = time.monotonic() - self._started_at
        state = "wasn't seen" if self._last is None else f"is still {_describe(self._last)}"
        return WaitTimeoutError(f"{self._what} {state} after {seconds:.1f} s.", last=self._last)


def workflow_wait(
    user: Any, instance_id: str, until: Collection[str], timeout: float | None
) -> Effects[WorkflowInstance]:
    """Fetch the instance after each event of its stream, or at intervals without a stream."""

    def get(view: Any) -> Any:
        return view.workflow_instances.get(instance_id)

    poll: _Poll[WorkflowInstance] = _Poll(user, f"The workflow instance {instance_id}", get, _statuses(until), timeout)
    stream = poll.user_in_time().workflow_instances.stream(instance_id)

    def follow() -> Effects[WorkflowInstance | None]:
        # Fetched after the stream has opened: from then on, no change is missed.
        event: Any = Gap.GAP
        while event is not None:
            if (seen := (yield from poll.fetch())) is not None:
                return seen
            event = yield Invoke(stream.next_or_gap)
        return None

    try:
        if (seen := (yield from while_open(stream, follow()))) is not None:
            return seen
    except (UnexpectedStateError, WaitTimeoutError, ConfigurationError):
        raise
    except InteractorError:
        pass  # polling may still work; if it fails as well, its error explains more
    return (yield from poll.run())


def _statuses(until: Collection[str]) -> frozenset[str]:
    from interactor_client.models.workflow_instance_status import KnownWorkflowInstanceStatus

    known = get_args(KnownWorkflowInstanceStatus)
    given = {until} if isinstance(until, str) else until
    advice = f"pass one or more of {', '.join(map(repr, known))}, the statuses of an instance"
    if not isinstance(given, Collection) or not given:
        raise ValueError(f"until is empty: {advice}")
    unknown = [value for value in given if value not in known]
    if unknown:
        raise ValueError(
            f"until contains {unknown[0]!r}, which isn't a status of an instance: {advice}, not a state's name"
        )
    return frozenset(given)


def oauth_wait(user: Any, flow: str | OAuthAuthorization | OAuthFlow, timeout: float | None) -> Effects[OAuthFlow]:
    """Fetch the flow at intervals."""
    flow_id = flow if isinstance(flow, str) else flow.flow_id
    if not isinstance(flow_id, str):
        raise ValueError("the platform gave this flow no id: wait for the event credential.connected instead")

    def get(view: Any) -> Any:
        return view.credentials.get_oauth_status(flow_id)

    return _Poll[Any](user, f"The OAuth flow {flow_id}", get, {"completed"}, timeout).run()


def question(user: Any, instance_id: str) -> Effects[HaltingPresentation | None]:
    """Return the question of a halted instance; None if it isn't halted."""
    from interactor_client.models import HaltingPresentation

    ends_at = user._view.ends_at()
    instance = yield Invoke(lambda: view_until(user, ends_at).workflow_instances.get(instance_id))
    if instance.status not in ("halted", None):
        return None
    states = []
    if instance.workflow_id is not None:
        with suppress(NotFoundError):  # deleted since
            states = (yield Invoke(lambda: view_until(user, ends_at).workflows.get(instance.workflow_id))).states
    asked = (state.presentation for state in states if state.name == instance.current_state and state.presentation)
    return next(asked, None if instance.status is None else HaltingPresentation(type="form"))


def _describe(seen: WorkflowInstance | OAuthFlow) -> str:
    place = getattr(seen, "current_state", None)
    problem = getattr(seen, "error", None)
    at = f" at {place!r}" if place else ""
    because = f" ({clean_text(str(problem))})" if problem else ""
    return f"{seen.status!r}{at}{because}"
