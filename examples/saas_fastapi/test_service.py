"""Runs against the sandbox, and a PostgreSQL in which the tests only add rows."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient, get
from sqlalchemy import select

from database import Refund, Session, create_tables
from desk import tools
from events import router
from interactor_ext import get_async_client
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import WebhookWorker
from service import app

HOST = "http://localhost"
ORDER = uuid4().hex  # a new one in each run
Members = tuple[AsyncClient, AsyncClient]


@pytest.fixture
async def members(interactor_sandbox: Sandbox) -> AsyncIterator[Members]:
    """The browsers of Alice and of Mona, who is a manager."""
    await create_tables()
    alice, mona = (AsyncClient(transport=ASGITransport(app), base_url=HOST, headers={"Origin": HOST}) for _ in "12")
    async with app.router.lifespan_context(app), alice, mona:
        await alice.post("/sign-in/acme/alice")
        await mona.post("/sign-in/acme/mona")
        yield alice, mona


async def test_large_refund_waits_for_a_manager(members: Members) -> None:
    alice, mona = members
    (room,) = re.findall('room="(.+?)"', (await alice.get("/")).text)
    message = f'/tool refund {{"order": "{ORDER}", "amount": 250}}'
    async with get_async_client().namespace("org_acme").chat(room, message, tools=tools) as reply:
        assert [event.type async for event in reply][-1] == "tool_call.needs_approval"
    approvals = f"/interactor/rooms/{room}/approvals"
    assert (await alice.get(approvals)).status_code == 404
    (call,) = (await mona.get(approvals)).json()["data"]
    decision = {"decision": "approve", "digest": call["digest"]}
    decided = [(await mona.post(f"{approvals}/{call['id']}", json=decision)).status_code for _ in range(2)]
    assert decided == [200, 409]
    async with Session() as session:
        (refund,) = await session.scalars(select(Refund).where(Refund.order == ORDER))
    assert (refund.amount, refund.approved_by) == (250, "mona")


async def test_return_is_registered_once(members: Members, interactor_webhook: WebhookFactory) -> None:
    alice, mona = members
    form = (await alice.post("/returns")).headers["location"].removeprefix("/?form=")
    await alice.post(f"/interactor/workflow-instances/{form}/input", json={"order": ORDER})
    event = interactor_webhook("workflow.instance.completed", {"instance_id": form}, namespace="org_acme")
    for _ in range(2):
        assert (await event.asend(app, "/webhooks/interactor")).status == 200
        while await WebhookWorker(router).arun_once():
            pass
    assert (await mona.get("/")).text.count(f"The return of order {ORDER} is registered.") == 1


@pytest.mark.parametrize(("decision", "shown"), [("approve", "Connected: google<"), ("deny", "Connected: <")])
async def test_member_decides_about_the_account(decision: str, shown: str, members: Members) -> None:
    alice, mona = members
    consent = (await alice.post("/connect")).headers["location"]
    back = get(f"{consent}&decision={decision}").headers["location"]
    assert (await mona.get(back)).status_code == 400  # she didn't start it
    await alice.get(back)
    assert shown in (await alice.get("/")).text
