"""Handlers of messages and tool results: the assistant replies at once, or word by word on the room's stream.

Without `stream`, sending a user's message returns the assistant's reply. With `stream: true` it returns the user's own
message at once, and the reply follows on the stream: `message.delta` for each word, then `message.complete`.
Subscribers see the same events either way, and both messages are in the list. A message of another role is stored and
gets no reply.

The reply is the scripted one, if one matches the message (see scripts.py), else the echo of replies.py.

When the assistant calls tools (see there), its message contains the `tool_calls`, and the stream has a
`tool_call.start` for each. `submit_tool_result` stores the result as a message of role `tool` and returns the message
that made the call. The last outstanding result starts the next round of calls or the final reply. That reply is
returned if the user's message came without `stream`; otherwise it follows on the stream. A result that is an object
with an `error` marks its call `failed`. The sandbox itself calls a tool with a `callback_url` (see callbacks.py): the
response to the message contains the pending call, and the reply follows on the stream and in the list. Such a call in
progress is lost when the sandbox stops; `submit_tool_result` still accepts a result.

Replies in a room are serialized, so their words never mix. A call that returns a reply waits for the room before it
writes anything: message, reply and Idempotency-Key are stored in one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from interactor_ext.sandbox.platform import replies, scripts
from interactor_ext.sandbox.platform.callbacks import call_back
from interactor_ext.sandbox.platform.handlers import ApiCall, data, handles, list_page, referenced
from interactor_ext.sandbox.platform.replies import ToolRequest
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem, conflict, invalid
from interactor_ext.sandbox.storage.records import JsonObject, Record


@handles("send_message")
async def send_message(call: ApiCall) -> JsonObject:
    room = call.record("room")
    role, content = call.body.get("role", "user"), call.body["content"]
    if role != "user":
        return data(add_message(call.state, room, role, content).public)
    rounds = replies.requested_tools(content)
    async with _reply(call.state, room, streamed=call.body.get("stream", False)) as reply:
        plan = reply.take_script(content) or Plan(rounds, [] if rounds else [f"You said: {content}"])
        message = add_message(call.state, room, role, content)
        return data(await reply.send(message, plan))


@handles("list_messages")
def list_messages(call: ApiCall) -> JsonObject:
    return list_page(call, parent=call.record("room").id, per_page=50)


@handles("submit_tool_result")
async def submit_tool_result(call: ApiCall) -> JsonObject:
    room = call.record("room")
    tool_call = referenced(call, "tool call", "tool_call_id", call.body["tool_call_id"], parent=room.id)
    return data(await _take_result(call.state, room, tool_call, call.body["result"]))


async def _take_result(state: State, room: Record, tool_call: Record, result: Any) -> JsonObject:
    """Store the result of a tool call and return the next message. Raises Problem 409 if the call has a result."""
    asking = state.store.get("message", room.namespace, tool_call.private["message_id"], parent=room.id)
    async with _reply(state, room, streamed=asking.private["streamed"]) as reply:
        if tool_call.public["status"] != "pending":
            raise conflict("This tool call already has its result.")
        _complete(state, room, tool_call, asking, result)
        add_message(state, room, "tool", json.dumps(result))
        if any(each["status"] == "pending" for each in asking.public["tool_calls"]):
            return asking.public
        return await reply.send(asking, _plan_after(state, room, asking))


async def _call_back(state: State, room: Record, tool_call: Record, url: str, event: JsonObject) -> None:
    result = await call_back(state, url, event)
    # The room or its assistant was deleted in the meantime, or another call was faster.
    with suppress(Problem):
        state.store.check_still_there(tool_call)
        await _take_result(state, room, tool_call, result)


def add_message(state: State, room: Record, role: str, content: str, **more: Any) -> Record:
    """Store a message and publish it; `more` are additional public fields."""
    public = {"room_id": room.id, "role": role, "content": content, **more, "created_at": state.clock.stamp()}
    message = state.store.add("message", room.namespace, public, parent=room.id)
    _publish_message(state, "room.message.created", room, message)
    return message


@asynccontextmanager
async def _reply(state: State, room: Record, *, streamed: bool) -> AsyncIterator[AssistantReply]:
    """Lock the room for a reply; a `streamed` reply locks it later, in the background.

    Raises Problem if the room or its assistant doesn't exist (any more).
    """
    reply = AssistantReply(state, room, _assistant(state, room), streamed=streamed)
    if streamed:
        yield reply
        return
    async with _lock(state, room):
        state.store.check_still_there(room)
        _assistant(state, room)
        yield reply


def _lock(state: State, room: Record) -> asyncio.Lock:
    return state.locks.setdefault(room.id, asyncio.Lock())


def _assistant(state: State, room: Record) -> Record:
    assistant = state.store.find("assistant", room.namespace, room.public["assistant_id"])
    if assistant is None:
        raise conflict("The assistant of this room was deleted, so nobody can reply.")
    return assistant


@dataclass(frozen=True, slots=True)
class Plan:
    """The content of a reply: rounds of tool calls, with the text `say` before the first, then the lines of a text.

    `then` is the text instead, unless there are lines, which report failures.
    """

    rounds: list[list[ToolRequest]]
    lines: list[str]
    say: str = ""
    then: str | None = None


class AssistantReply:
    """An assistant's reply to a message: rounds of tool calls, then text."""

    def __init__(self, state: State, room: Record, assistant: Record, *, streamed: bool) -> None:
        self._state = state
        self._room = room
        self._assistant = assistant
        self._streamed = streamed

    def take_script(self, content: str) -> Plan | None:
        """Return the scripted reply to a message and count it. Raises Problem 422 if the assistant lacks its tool."""
        reply = scripts.find_reply(self._state.store, self._room, self._assistant, content)
        if reply is None:
            return None
        say, call, then = (reply.public[name] for name in ("say", "call", "then"))
        if call is not None and call[0] not in (tools := self._tools()):
            raise invalid(("content", replies.unlisted(call[0], list(tools))))
        scripts.use_reply(self._state.store, reply)
        return Plan([], [], then=say) if call is None else Plan([[ToolRequest(*call)]], [], say or "", then)

    async def send(self, message: Record, plan: Plan) -> JsonObject:
        """Return the response of the POST: `message` while the reply continues in the background, or the reply."""
        if self._streamed:
            self._state.spawn(self._send_later(plan))
            return message.public
        return (await self._carry_out(plan)).public

    async def _send_later(self, plan: Plan) -> None:
        async with _lock(self._state, self._room):
            # The room was deleted in the meantime.
            with suppress(Problem):
                self._state.store.check_still_there(self._room)
                await self._carry_out(plan)

    async def _carry_out(self, plan: Plan) -> Record:
        """Return the message with the next tool calls or the final text. Raises Problem 404 if the room was deleted."""
        await self._emit_text(plan.say)
        lines = plan.lines
        for number, wanted in enumerate(plan.rounds):
            asking, lines = self._request_tools(wanted, replace(plan, rounds=plan.rounds[number + 1 :], lines=lines))
            if asking:
                return asking
        text = plan.then
        if text is None or lines:
            text = f"{self._assistant.public['name']} here. " + " ".join(lines)
        await self._emit_text(text)
        message = add_message(self._state, self._room, "assistant", text)
        self._emit({"type": "message.complete", "message": message.public})
        return message

    async def _emit_text(self, text: str) -> None:
        """Emit a text in pieces. Raises Problem 404 if the room was deleted."""
        for piece in replies.pieces(text):
            self._emit({"type": "message.delta", "content": piece})
            # Without streaming there is no wait: message and reply are one transaction.
            if self._streamed:
                await asyncio.sleep(self._state.settings.word_delay)
                self._state.store.check_still_there(self._room)

    def _request_tools(self, wanted: list[ToolRequest], plan: Plan) -> tuple[Record | None, list[str]]:
        """Issue the tool calls of one round; problems are added to the lines. `plan` is the remaining reply."""
        store, room = self._state.store, self._room
        lines = plan.lines
        asked: list[Record] = []
        tools = self._tools()
        for request in wanted:
            tool = tools.get(request.name)
            if tool is None:
                lines = [*lines, f"I don't know a tool named {request.name}."]
                continue
            if request.arguments is None:
                lines = [*lines, f"I couldn't read the arguments for {request.name}: they must be one JSON object."]
                continue
            public = {"tool_id": tool.id, "arguments": request.arguments, "status": "pending"}
            private = {"name": request.name}
            asked.append(store.add("tool call", room.namespace, public, parent=room.id, private=private))
        if not asked:
            return None, lines
        asking = add_message(self._state, room, "assistant", plan.say, tool_calls=[each.public for each in asked])
        rounds = [[{"name": each.name, "arguments": each.arguments} for each in group] for group in plan.rounds]
        rest = {"rounds": rounds, "lines": lines, "then": plan.then}
        store.change(asking, private={"streamed": self._streamed, **rest})
        for tool_call in asked:
            store.change(tool_call, private={"message_id": asking.id})
            self._emit({"type": "tool_call.start", "tool_call": tool_call.public})
            event = _publish_call(self._state, "pending", room, tool_call, arguments=tool_call.public["arguments"])
            if url := tools[tool_call.private["name"]].public.get("callback_url"):
                self._state.spawn(_call_back(self._state, room, tool_call, url, event))
        return asking, lines

    def _tools(self) -> dict[str, Record]:
        """Return the assistant's tools by name, the first of each."""
        ids = reversed(self._assistant.public["tools"])
        listed_tools = (self._state.store.find("tool", self._room.namespace, tool_id) for tool_id in ids)
        return {tool.public["name"]: tool for tool in listed_tools if tool}

    def _emit(self, event: JsonObject) -> None:
        self._state.streams.emit(self._room.id, event)


def _complete(state: State, room: Record, tool_call: Record, asking: Record, result: Any) -> None:
    """Store a result in its tool call and in the message that requested it."""
    failed = isinstance(result, dict) and "error" in result
    state.store.change(tool_call, {"status": "failed" if failed else "completed", "result": result})
    calls = [tool_call.public if each["id"] == tool_call.id else each for each in asking.public["tool_calls"]]
    state.store.change(asking, {"tool_calls": calls})
    state.streams.emit(room.id, {"type": "tool_call.complete", "tool_call": tool_call.public})
    _publish_call(state, "completed", room, tool_call, status=tool_call.public["status"], result=result)
    _publish_message(state, "room.message.updated", room, asking)


def _plan_after(state: State, room: Record, asking: Record) -> Plan:
    """Return the rest of a reply after the results of a message's tool calls."""
    private = asking.private
    then = private["then"]
    if then is not None and all(each["status"] == "completed" for each in asking.public["tool_calls"]):
        return Plan([], private["lines"], then=then)
    rounds = [[ToolRequest(**each) for each in later] for later in private["rounds"]]
    ids = [each["id"] for each in asking.public["tool_calls"]]
    calls = [state.store.get("tool call", room.namespace, call_id, parent=room.id) for call_id in ids]
    results = [replies.result_line(each.private["name"], each.public["result"]) for each in calls]
    return Plan(rounds, [*private["lines"], *results])


def _publish_message(state: State, event: str, room: Record, message: Record) -> None:
    facts = {"message_id": message.id, "room_id": room.id, "namespace": room.namespace}
    shown = {name: message.public.get(name) for name in ("role", "content", "tool_calls")}
    state.publish(event, room.namespace, {**facts, **shown})


def _publish_call(state: State, moment: str, room: Record, tool_call: Record, **more: Any) -> JsonObject:
    facts = {"tool_call_id": tool_call.id, "room_id": room.id, "namespace": room.namespace}
    tool = {"tool_id": tool_call.public["tool_id"], "tool_name": tool_call.private["name"]}
    return state.publish(f"room.tool_call.{moment}", room.namespace, {**facts, **tool, **more})
