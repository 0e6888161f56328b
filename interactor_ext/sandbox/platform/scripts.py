"""Scripted replies: what assistants say and which tools they call when a message matches.

The first matching reply is used, in the order of addition; a message without a match is echoed (see replies.py). A
reply matches if all its conditions hold. `when` is a text that the message contains, in upper or lower case, or a
pattern that is found in it; `room` is an id, `assistant` an id or a name, `namespace` the room's. A reply without
conditions matches every message. It is used for `times` messages, or for any number without `times`.

`say` is the reply's text. With `call`, a tool's name and its arguments, the assistant calls that tool of its own
accord; `say` is then the text before the call, and `then` the text after the result. Without `then`, and if the call
failed, the text quotes the result. A message whose reply calls a tool that the assistant does not list gets 422, and
the reply is not used up.

Replies are stored like other state: they survive a restart with a data file, and `reset` keeps the seed's.
In seeds and over HTTP they are objects with the same fields, plus `pattern`, a regular expression, as an alternative to
`when`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from interactor_client.advised import Advised
from interactor_ext.sandbox.platform.schemas import closed_object, compiled
from interactor_ext.sandbox.platform.validation import problems_of
from interactor_ext.sandbox.problems import Detail
from interactor_ext.sandbox.storage.records import JsonObject, Record, Store

T = TypeVar("T")

TEXT: JsonObject = {"type": "string", "minLength": 1}
REPLY = compiled(
    closed_object(
        when=TEXT,
        pattern=TEXT,
        room=TEXT,
        assistant=TEXT,
        namespace={"type": ["string", "null"]},
        say=TEXT,
        call={"type": "array"},
        then=TEXT,
        times={"type": "integer", "minimum": 1},
    )
)
# The flags of a compiled pattern that affect matching, as written within an expression.
FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x", re.ASCII: "a"}


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """The current state of a scripted reply. `left` is how many more messages it is used for, None for any number."""

    id: str
    when: str | re.Pattern[str] | None
    room: str | None
    assistant: str | None
    namespace: str | None
    say: str | None
    call: tuple[str, dict[str, Any]] | None
    then: str | None
    left: int | None


class OnLoop(Protocol):
    """Runs work where the state may be used, and commits."""

    def __call__(self, work: Callable[[], T]) -> T: ...


class Replies(Advised, calls=True):
    """The scripted replies of a sandbox, in the order in which they are tried. Thread-safe."""

    def __init__(self, store: Store, on_loop: OnLoop) -> None:
        self._store = store
        self._on_loop = on_loop

    def add(
        self,
        *,
        when: str | re.Pattern[str] | None = None,
        room: str | None = None,
        assistant: str | None = None,
        namespace: str | None = None,
        say: str | None = None,
        call: tuple[str, Mapping[str, Any]] | None = None,
        then: str | None = None,
        times: int | None = None,
    ) -> ScriptedReply:
        """Reply to matching messages with `say`, or by calling a tool: `call=("get_order", {"id": 7})`.

        `when` is a text that the message contains, ignoring case, or a compiled pattern to search for; `room` is an id,
        `assistant` an id or a name. Replies that were added earlier go first. `times` is how many messages it replies
        to, None for any number; a used-up reply is removed. With `call`, `say` is the text before the call and `then`
        the reply after the result, which quotes the result if omitted or if the call failed.

        Raises ValueError for invalid arguments, TypeError for call arguments that aren't JSON. Calling a tool that the
        assistant lacks makes the message fail: 422, a ValidationError.
        """
        given: JsonObject = {
            **_condition(when),
            "room": room,
            "assistant": assistant,
            "namespace": namespace,
            "say": say,
            "call": list(call) if isinstance(call, tuple) else call,
            "then": then,
            "times": times,
        }
        fields = {name: value for name, value in given.items() if value is not None}
        if wrong := flaws(fields):
            raise ValueError("; ".join(f"{field}: {message}" if field else message for field, message in wrong))
        return self._on_loop(lambda: _shown(add_reply(self._store, fields)))

    def remove(self, reply_id: str) -> bool:
        """Remove one reply by its `id`; returns whether it was still there."""

        def remove() -> bool:
            record = self._store.find("reply", "", reply_id)
            if record is not None:
                self._store.remove(record)
            return record is not None

        return self._on_loop(remove)

    def clear(self) -> None:
        """Remove all replies, including the seed's."""
        self._on_loop(lambda: self._store.remove_all("reply", "", parent=""))

    def snapshot(self) -> list[ScriptedReply]:
        """The current replies; iterating returns the same."""
        return self._on_loop(lambda: [_shown(record) for record in all_replies(self._store)])

    def __iter__(self) -> Iterator[ScriptedReply]:
        return iter(self.snapshot())

    def __len__(self) -> int:
        return len(self.snapshot())

    def __repr__(self) -> str:
        return f"Replies({self.snapshot()!r})"


def flaws(fields: Any) -> list[Detail]:
    """Return the errors in a reply's fields."""
    if wrong := problems_of(REPLY, fields):
        return wrong
    if "say" not in fields and "call" not in fields:
        return [("", "a reply needs something to say or a tool to call")]
    if "then" in fields and "call" not in fields:
        return [("then", "needs `call`: it is said after the call's result")]
    try:
        re.compile(fields.get("pattern", ""))
    except re.error as error:
        return [("pattern", f"isn't a valid regular expression: {error}")]
    if "call" in fields:
        match fields["call"]:
            case [str(name), dict()] if name:
                pass
            case _:
                return [("call", 'must be the name of a tool and its arguments, such as ["get_order", {"id": 7}]')]
    return []


def add_reply(store: Store, fields: JsonObject) -> Record:
    """Add a reply whose fields are valid."""
    names = ("when", "pattern", "room", "assistant", "namespace", "say", "call", "then")
    public = {**{name: fields.get(name) for name in names}, "left": fields.get("times")}
    # Copied, so the caller's later changes don't affect it.
    return store.add("reply", "", json.loads(json.dumps(public, allow_nan=False)))


def all_replies(store: Store) -> list[Record]:
    return list(store.all("reply", ""))


def find_reply(store: Store, room: Record, assistant: Record, content: str) -> Record | None:
    """Return the reply to a message of a room, if one matches; `use_reply` counts it."""
    return next((each for each in all_replies(store) if _matches(each.public, room, assistant, content)), None)


def use_reply(store: Store, reply: Record) -> None:
    left = reply.public["left"]
    if left == 1:
        store.remove(reply)
    elif left is not None:
        store.change(reply, {"left": left - 1})


def _matches(script: JsonObject, room: Record, assistant: Record, content: str) -> bool:
    if script["room"] not in (None, room.id) or script["namespace"] not in (None, room.namespace):
        return False
    if script["assistant"] not in (None, assistant.id, assistant.public["name"]):
        return False
    if script["pattern"] is not None and not re.search(script["pattern"], content):
        return False
    return script["when"] is None or script["when"].casefold() in content.casefold()


def _condition(when: object) -> JsonObject:
    if not isinstance(when, re.Pattern):
        return {"when": when}
    flags = "".join(letter for flag, letter in FLAGS.items() if when.flags & flag)
    return {"pattern": f"(?{flags}){when.pattern}" if flags else when.pattern}


def _shown(record: Record) -> ScriptedReply:
    fields = dict(record.public)
    pattern, call = fields.pop("pattern"), fields["call"]
    when = fields["when"] if pattern is None else re.compile(pattern)
    return ScriptedReply(**{**fields, "when": when, "call": None if call is None else (call[0], call[1])})
