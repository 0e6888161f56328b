"""Decides which reply in a room belongs to which user's message. Their order is the only indication.

The platform replies to the messages of a room one at a time, in their stored order. A message whose reply waits for
tool results leaves the queue, and rejoins it when the last result has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from interactor_client.models import Message, ToolCall
from interactor_ext.tools._calls import is_finished

NOT_THE_ASSISTANT = frozenset({"system", "tool", "user"})
"""Roles other than the assistant's. Messages of any unknown role are the assistant's."""

_Owner = str | None


class _AwaitingResults:
    """A message whose reply waits for tool results."""

    def __init__(self, owner: _Owner, calls: list[ToolCall]) -> None:
        self.owner = owner
        self.missing = {call.id for call in calls}
        self.has_result = {call.id for call in calls if is_finished(call)}


class ReplyOrder:
    """The order of a room's messages, oldest first, from the point of view of the message `ours`.

    Messages up to the id `settled` need no more replies. With `is_cut_off`, the list begins somewhere after `ours`.
    `results` are ids of calls in the order of their results, as far as known: a message with a result does not name its
    call.
    """

    def __init__(
        self,
        oldest_first: Iterable[Message],
        ours: str | None,
        *,
        settled: str | None = None,
        is_cut_off: bool = False,
        results: Sequence[str] = (),
    ) -> None:
        self.reply: Message | None = None
        self.calls: list[ToolCall] = []
        """The calls that the reply to `ours` has made so far."""
        self.others: set[str] = set()
        """The ids of replies to other messages after `settled`."""
        self.past: set[str] = set()
        self.calls_of_others: set[str] = set()
        self.is_ambiguous = False
        """Whether a reply may or may not be the one to `ours`."""
        self.unanswered: list[_Owner] = [ours] if is_cut_off else []
        """The messages that still need a reply, in order. None is a message from before the list, or one of several."""
        self._ours = ours
        self._unknown = ours if is_cut_off else None
        self._awaiting_results: list[_AwaitingResults] = []
        # Whether `ours` is one of several queued messages whose order is unknown.
        self._is_mixed = False
        self._results = results
        for message in oldest_first:
            self._read(message)
            if message.id == settled:
                self.unanswered = [each for each in self.unanswered if each == ours and ours is not None]
                self.past, self.others = self.past | self.others, set()
                self._is_mixed = self.is_ambiguous = False

    @property
    def is_ours_next(self) -> bool:
        """Whether no other message gets a reply before `ours`."""
        return not self._is_mixed and self.unanswered[:1] in ([], [self._ours])

    def _read(self, message: Message) -> None:
        if message.role == "user":
            self.unanswered.append(message.id)
        elif message.role == "tool":
            self._read_result()
        elif message.role in NOT_THE_ASSISTANT:
            pass
        elif message.tool_calls:
            owner = self._take()
            if owner is not None and owner == self._ours:
                self.calls += message.tool_calls
            else:
                self.calls_of_others.update(call.id for call in message.tool_calls)
            self._awaiting_results.append(_AwaitingResults(owner, message.tool_calls))
        elif message.content:  # an empty one is still being written
            owner = self._take()
            if owner is None and self._is_mixed:
                self.is_ambiguous = self.reply is None
            elif owner is not None and owner == self._ours:
                self.reply = self.reply or message
            else:
                self.others.add(message.id)

    def _read_result(self) -> None:
        ready = [each for each in self._awaiting_results if each.has_result] or self._awaiting_results
        if not ready:
            if self._unknown not in self.unanswered:
                self.unanswered.append(self._unknown)
            return
        first = next((each for call in self._results for each in ready if call in each.has_result), None)
        if len(ready) > 1 and first is None:
            # It may be any of them: pick the first, and note that it is ambiguous.
            self._is_mixed = self._is_mixed or any(each.owner == self._ours for each in ready)
            for each in ready:
                each.owner = None
        waiting = first or ready[0]
        call = next((call for call in self._results if call in waiting.has_result), None)
        done = call or next(iter(sorted(waiting.has_result or waiting.missing)))
        waiting.has_result.discard(done)
        waiting.missing.discard(done)
        if not waiting.missing:
            self._awaiting_results.remove(waiting)
            self.unanswered.append(waiting.owner)

    def _take(self) -> _Owner:
        if self.unanswered:
            return self.unanswered.pop(0)
        # A platform may not keep messages for results.
        return self._awaiting_results.pop().owner if len(self._awaiting_results) == 1 else self._unknown
