"""Random programs in two namespaces: what the sandbox gives back always equals a model of a few lines, and nothing
crosses from one namespace to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from interactor_ext import InteractorClient, NotFoundError, ValidationError
from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY

text = st.text(st.characters(codec="utf-8"), max_size=12)
name = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
number = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_value = st.recursive(
    st.none() | st.booleans() | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
json_object = st.dictionaries(text, json_value, max_size=4)
events = st.lists(
    st.sampled_from(["credential.expired", "room.message.created", "workflow.instance.halted"]),
    min_size=1,
    unique=True,
)

# By resource: the fields that a creation must have, and those that a change may have.
REQUIRED: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "assistants": {"name": name, "model": name, "system_prompt": text},
    "tools": {"name": name, "description": text, "parameters": json_object},
    "data_sources": {"name": name, "type": st.sampled_from(["file", "url", "database"]), "config": json_object},
    "webhooks": {"url": st.just("http://127.0.0.1:9/hook"), "events": events},
}
CHANGEABLE: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "assistants": {"name": name, "system_prompt": text, "temperature": st.floats(0, 2)},
    "tools": {"name": name, "description": text, "parameters": json_object},
    "data_sources": {"name": name, "config": json_object},
    "webhooks": {"events": events, "active": st.booleans()},
    "rooms": {"metadata": json_object},
}
# Names that a careless server could take for one another.
PAIRS = [("user_1", "user_10"), ("org", "org/x"), ("a", "A"), ("ü", "u"), ("a b", "a%20b"), ("..", ".")]

side = st.sampled_from([0, 1])
resource = st.sampled_from(sorted(CHANGEABLE))


class World(NamedTuple):
    """A sandbox and two OAuth clients of it, which live as long as the test."""

    sandbox: Sandbox
    clients: tuple[InteractorClient, InteractorClient]


class Tenant(NamedTuple):
    """One namespace: its name, and all that was put there, by resource and id, as it was answered last."""

    namespace: str
    things: dict[str, dict[str, dict[str, Any]]]
    messages: dict[str, list[dict[str, Any]]]


class Programs(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.tenants: list[Tenant] = []
        self.gone: list[tuple[int, str, str]] = []

    @initialize(pair=st.sampled_from(PAIRS), data=st.data())
    def begin(self, pair: tuple[str, str], data: st.DataObject) -> None:
        """Create something of every kind on both sides: a program without data finds no error."""
        self.world.sandbox.reset()
        self.world.sandbox.add_client("second", "secret")
        self.tenants = [Tenant(each, {kind: {} for kind in CHANGEABLE}, {}) for each in pair]
        for who in (0, 1):
            for kind in REQUIRED:
                self.create(who, kind, data)
            self.create_room(who, {}, data)

    @rule(who=side, kind=st.sampled_from(sorted(REQUIRED)), data=st.data())
    def create(self, who: int, kind: str, data: st.DataObject) -> None:
        fields = data.draw(st.fixed_dictionaries(REQUIRED[kind]))
        self._keep(who, kind, fields, getattr(self._user(who), kind).create(**fields))

    @rule(who=side, metadata=json_object, data=st.data())
    def create_room(self, who: int, metadata: Any, data: st.DataObject) -> None:
        if bots := self.tenants[who].things["assistants"]:
            fields = {"assistant_id": data.draw(st.sampled_from(sorted(bots))), "metadata": metadata}
            self._keep(who, "rooms", fields, self._user(who).rooms.create(**fields))

    @rule(who=side, kind=resource, data=st.data())
    def change(self, who: int, kind: str, data: st.DataObject) -> None:
        if thing := self._draw(who, kind, data):
            changes = data.draw(st.fixed_dictionaries({}, optional=CHANGEABLE[kind]).filter(bool))
            answer = getattr(self._user(who, data), kind).update(thing["id"], **changes).to_dict()
            stamp = {"updated_at": answer["updated_at"]} if "updated_at" in thing else {}
            assert answer == {**thing, **changes, **stamp}
            thing.update(answer)

    @rule(who=side, data=st.data())
    def give_tools(self, who: int, data: st.DataObject) -> None:
        if bot := self._draw(who, "assistants", data):
            tools = data.draw(st.lists(st.sampled_from(ids), unique=True)) if (ids := self._ids(who, "tools")) else []
            bot.update(self._user(who).assistants.update(bot["id"], tools=tools).to_dict())
            assert bot["tools"] == tools

    @rule(who=side, kind=resource, data=st.data())
    def delete(self, who: int, kind: str, data: st.DataObject) -> None:
        if thing := self._draw(who, kind, data):
            getattr(self._user(who, data), kind).delete(thing["id"])
            things = self.tenants[who].things
            del things[kind][thing["id"]]
            self.gone.append((who, kind, thing["id"]))
            self.tenants[who].messages.pop(thing["id"], None)
            for bot in things["assistants"].values():
                bot["tools"] = [tool for tool in bot["tools"] if tool != thing["id"]]

    @rule(who=side, kind=resource, data=st.data())
    def read(self, who: int, kind: str, data: st.DataObject) -> None:
        if thing := self._draw(who, kind, data):
            assert getattr(self._user(who, data), kind).get(thing["id"]).to_dict() == thing

    @rule(who=side, kind=resource, page=st.integers(1, 3), per_page=st.integers(1, 4), data=st.data())
    def list_page(self, who: int, kind: str, page: int, per_page: int, data: st.DataObject) -> None:
        everything = list(self.tenants[who].things[kind].values())
        got = getattr(self._user(who, data), kind).list(page=page, per_page=per_page)
        start = (page - 1) * per_page
        assert [each.to_dict() for each in got] == everything[start : start + per_page]
        assert (got.meta.total, got.meta.has_more) == (len(everything), start + per_page < len(everything))

    @rule(who=side, content=name, data=st.data())
    def note(self, who: int, content: str, data: st.DataObject) -> None:
        if room := self._draw(who, "rooms", data):
            message = self._user(who).messages.send(room["id"], content=content, role="system")
            assert (message.content, message.room_id) == (content, room["id"])
            self.tenants[who].messages.setdefault(room["id"], []).append(message.to_dict())

    @rule(who=side, order=st.sampled_from(["asc", "desc"]), per_page=st.integers(1, 4), data=st.data())
    def read_notes(self, who: int, order: Any, per_page: int, data: st.DataObject) -> None:
        if room := self._draw(who, "rooms", data):
            notes = self.tenants[who].messages.get(room["id"], [])
            wanted = notes if order == "asc" else notes[::-1]
            got = self._user(who).messages.list(room["id"], order=order, per_page=per_page)
            assert [each.to_dict() for each in got] == wanted[:per_page]

    @rule(who=side, kind=resource, data=st.data())
    def trespass(self, who: int, kind: str, data: st.DataObject) -> None:
        """A record of the other tenant can't be read, changed, deleted or referred to."""
        thing = self._draw(1 - who, kind, data)
        if not thing:
            return
        theirs = getattr(self._user(who, data), kind)
        changes = data.draw(st.fixed_dictionaries({}, optional=CHANGEABLE[kind]).filter(bool))
        for attempt in (theirs.get, theirs.delete, lambda thing_id: theirs.update(thing_id, **changes)):
            with pytest.raises(NotFoundError):
                attempt(thing["id"])
        if kind == "assistants":
            with pytest.raises(ValidationError):
                self._user(who).rooms.create(assistant_id=thing["id"])
        if kind == "tools":
            with pytest.raises(ValidationError):
                self._user(who).assistants.create(name="x", model="m", system_prompt="", tools=[thing["id"]])

    @precondition(lambda self: bool(self.gone))
    @rule(data=st.data())
    def look_for_what_is_gone(self, data: st.DataObject) -> None:
        who, kind, thing_id = data.draw(st.sampled_from(self.gone))
        with pytest.raises(NotFoundError):
            getattr(self._user(who, data), kind).get(thing_id)

    def teardown(self) -> None:
        """At the end each tenant has what its model has, all of it, in order, and nothing else."""
        for who, tenant in enumerate(self.tenants):
            for kind, things in tenant.things.items():
                got = getattr(self._user(who), kind).iterate(per_page=100)
                assert [each.to_dict() for each in got] == list(things.values())

    def _keep(self, who: int, kind: str, fields: dict[str, Any], created: Any) -> None:
        answer = created.to_dict()
        # Shown once, at the creation.
        answer.pop("secret", None)
        assert {field: answer[field] for field in fields} == fields
        assert not any(answer["id"] in tenant.things[kind] for tenant in self.tenants)
        self.tenants[who].things[kind][answer["id"]] = answer

    def _ids(self, who: int, kind: str) -> list[str]:
        return sorted(self.tenants[who].things[kind])

    def _draw(self, who: int, kind: str, data: st.DataObject) -> dict[str, Any]:
        """One record of a tenant; an empty one if it has none."""
        things = list(self.tenants[who].things[kind].values())
        return data.draw(st.sampled_from(things)) if things else {}

    def _user(self, who: int, data: st.DataObject | None = None) -> InteractorClient:
        """A tenant's view of its own client, or, if there is a choice, of either: what counts is the namespace."""
        client = self.world.clients[who if data is None else data.draw(side)]
        return client.namespace(self.tenants[who].namespace)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Sandbox().run() as sandbox:
        sandbox.add_client("second", "secret")
        with sandbox.client() as first, sandbox.client(client_id="second", client_secret="secret") as second:
            yield World(sandbox, (first, second))


@pytest.mark.full
def test_sandbox_matches_reference_model(world: World) -> None:
    run_state_machine_as_test(
        type("ProgramsHere", (Programs,), {"world": world}),
        settings=settings(
            max_examples=500 if NIGHTLY else 40,
            stateful_step_count=25,
            deadline=None,
            database=None,
            # A program of 25 steps is short enough to read, and to shrink one takes minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
